"""Ratios of wall times, measured side by side: what every benchmark here reports."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

Run = Callable[[], object]


@dataclass
class Section:
    """Results of one benchmark.

    Attributes:
        title: its heading.
        setting: sizes and types.
        lines: what was found: label, value as text, goal as text (or none).
        figures: the numbers behind the lines, for JSON.
        missing: peers that could not be measured, and why.
    """

    title: str
    setting: str
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def ratio(self, label: str, a: list[float], b: list[float], goal: str = "", factor: float = 1.0) -> None:
        """Add the ratio of two times: of their medians, and the quartiles over pairs of runs."""
        pairs = sorted(factor * x / y for x in a for y in b)
        low, high = pairs[len(pairs) // 4], pairs[-1 - len(pairs) // 4]
        middle = factor * statistics.median(a) / statistics.median(b)
        self.figures[label] = {"median": middle, "quartiles": [low, high]}
        self.lines.append((label, f"{number(middle)} ({number(low)} to {number(high)})", goal))

    def value(self, label: str, value: float, text: str, goal: str = "") -> None:
        """Add a number that is no ratio of times."""
        self.figures[label] = value
        self.lines.append((label, text, goal))


def number(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def interleaved(runs: Mapping[str, Run], repeats: int = 9) -> dict[str, list[float]]:
    """Seconds of each run, one after the other in every round, so that a slow moment of the machine hits all.

    Two rounds are not counted: caches fill and kernels are compiled.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(repeats + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_ > 1:
                times[name].append(time.perf_counter() - start)
    return times


def peak_memory() -> float:
    """Largest resident size of this process so far, in bytes. Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * float(status.partition("VmHWM:")[2].split()[0])


def reset_peak_memory() -> None:
    """Count `peak_memory` from here on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
