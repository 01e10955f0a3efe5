"""What large corpora cost, on paper: from the rates that the other benchmarks measured on this machine."""

from __future__ import annotations

from benchmarks.measure import Section, number

CORPORA = {"MS MARCO, 8.8 million passages": 8_841_823, "1 billion passages": 1_000_000_000}
WIDTH = 128
CORES = 64
"""Of all machines together."""


def estimate(encoder: Section, index: Section, cores: int) -> Section:
    """Costs from measured rates, taking that work divides over cores.

    Args:
        encoder: with the rate of encoding.
        index: with the rate of exhaustive comparison.
        cores: on which these rates were measured.
    """
    texts = encoder.figures["texts a second"] / cores
    pairs = index.figures["angle pairs a second"] / cores
    section = Section(
        "On paper: large corpora",
        f"{CORES} cores in all, all-MiniLM-L6-v2 on CPU at {number(texts)} texts a second and core, head to {WIDTH} "
        f"angles, {number(pairs / 1e6)} million angle pairs a second and core",
    )
    for name, rows in CORPORA.items():
        hours = rows / (texts * CORES) / 3600
        seconds = rows * WIDTH / (pairs * CORES)
        gibibytes = rows * WIDTH / 2**30
        section.figures[name] = {"hours of encoding": hours, "seconds a query": seconds, "GiB of bytes": gibibytes}
        text = (
            f"encoding {number(hours)} hours; {number(gibibytes)} GiB as bytes, {number(4 * gibibytes)} as float32; "
            f"exhaustive {number(seconds)} s a query"
        )
        section.lines.append((name, text, ""))
    return section
