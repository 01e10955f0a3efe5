"""The report of an experiment: tables, tests of significance, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hybrid_qproj._util.outputs import write_together
from hybrid_qproj.experiments.comparisons import Comparison, compare
from hybrid_qproj.experiments.config import ExperimentConfig
from hybrid_qproj.experiments.epoch_tables import epochs_to_csv, epochs_to_markdown, validation_to_markdown
from hybrid_qproj.experiments.figures import figures, saturation
from hybrid_qproj.experiments.records import Record, RecordError
from hybrid_qproj.experiments.summary import Row, summarise
from hybrid_qproj.experiments.tables import (
    SIZES,
    comparisons_to_csv,
    comparisons_to_markdown,
    markdown,
    rows_to_csv,
    rows_to_markdown,
    sizes_to_markdown,
    to_json,
)
from hybrid_qproj.viz.image import image_bytes


def write_report(folder: Path, config: ExperimentConfig, records: Sequence[Record]) -> list[Row]:
    """Write results.md, .csv and .json, comparisons.csv, and the figures as .svg and .png; epochs.csv where there are.

    Args:
        folder: exists.
        config: the experiment.
        records: of its cells; what is missing is missing from the report.

    Returns:
        the rows of the table.

    Raises:
        RecordError: there are no records.
        OutputError: a file could not be written; an earlier report is unchanged.
        MissingExtraError: matplotlib is not installed.
    """
    if not records:
        raise RecordError(f"{folder} has no records yet: nothing to report")
    measure = config.measures[0]
    rows = summarise(records, config.pools)
    tests = list(rows[0].scores)
    leading = [*config.pools] or tests
    comparisons = [
        comparison
        for baseline in config.baselines
        for test in leading
        for comparison in compare(rows, baseline, test, measure)
    ]
    pictures = {
        f"{name}.{suffix}": image_bytes(figure, suffix)
        for name, figure in figures(rows, records, leading, measure, config.test[0].name).items()
        for suffix in ("svg", "png")
    }
    texts = {
        "comparisons.csv": comparisons_to_csv(comparisons),
        "results.csv": rows_to_csv(rows),
        "results.json": to_json(rows, comparisons),
        "results.md": _markdown(config, rows, records, comparisons),
    }
    if any(record.epochs for record in records):
        texts["epochs.csv"] = epochs_to_csv(records, config.pools)
    write_together(folder, {**pictures, **{name: text.encode() for name, text in texts.items()}})
    return rows


def _markdown(
    config: ExperimentConfig, rows: Sequence[Row], records: Sequence[Record], comparisons: Sequence[Comparison]
) -> str:
    parts = [f"# {config.name}\n"]
    # What a codec stores is nothing that was trained.
    numbers: Literal["parameters", "stored"] = "stored" if config.sizes_in == "bytes" else "parameters"
    if len(config.sizes) > 1 and len(config.encoder.layers) == 1:
        for test in config.pools or rows[0].scores:
            parts += [f"## {config.measures[0]} by size, {test}\n"]
            parts.append(sizes_to_markdown(rows, comparisons, test, config.measures[0], numbers))
    for measure in config.measures:
        parts += [f"## {measure}\n", "Mean over queries and seeds ± standard deviation over seeds.\n"]
        parts.append(rows_to_markdown(rows, measure))
    parts += _epochs(config, records)
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault((comparison.baseline.head, comparison.test), []).append(comparison)
    for (baseline, test), group in groups.items():
        parts.append(f"## {group[0].measure} against {baseline}, {test}\n")
        parts.append(
            f"Paired randomisation test over queries, each a mean over seeds; Holm's correction over these "
            f"{len(group)} comparisons; * marks p (Holm) < 0.05.\n"
        )
        parts.append(comparisons_to_markdown(group, config.sizes_in))
    parts += ["## Saturation\n", "Share of all ranked pairs in the lowest and the highest of 20 bins, first seed.\n"]
    first = [record for record in records if record.cell.seed == config.first_seed]
    lines = []
    for record in first:
        low, high = saturation(record.histograms[config.test[0].name])
        kind = record.histograms[config.test[0].name].kind
        lines.append(
            [record.cell.head, str(record.cell.k), record.cell.objective or "-", kind, f"{low:.3f}", f"{high:.3f}"]
        )
    parts.append(markdown(["head", SIZES[config.sizes_in], "objective", "similarity", "lowest", "highest"], lines))
    return "\n".join(parts)


def _epochs(config: ExperimentConfig, records: Sequence[Record]) -> list[str]:
    """What was measured after each epoch, where that was asked for."""
    epochs = [epoch for record in records for epoch in record.epochs or ()]
    measure, parts = config.measures[0], []
    for test in (config.pools or epochs[0].measures) if any(epoch.measures for epoch in epochs) else ():
        parts.append(f"## {measure} by epoch, {test}\n")
        parts.append(
            "Means over queries and seeds, in the last columns ± standard deviation over seeds. An epoch that is "
            "chosen by its result on the test itself looks better than it is.\n"
        )
        parts.append(epochs_to_markdown(records, config.pools, test, measure))
    if any(epoch.validation is not None for epoch in epochs):
        parts += ["## Validation loss by epoch\n", "Mean over seeds.\n", validation_to_markdown(records)]
    return parts
