"""How a training run went: its losses and, where it was evaluated, its measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj.viz.method.canvas import PlotError, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATE = "trainer_state.json"
"""Where the trainer logs; beside a checkpoint."""


def training_curves(run: Path, measure: str | None = None, axes: Axes | None = None) -> Figure:
    """Draw a run's loss by step, and a measure on a second axis.

    Args:
        run: folder of a run of ``hybrid-qproj train``, or of one of its checkpoints.
        measure: an evaluation to draw, such as ``"eval_DL 2019 NDCG@10"``; the first that was logged when None.
        axes: to draw into.

    Returns:
        the figure.

    Raises:
        PlotError: the folder holds no log, the log no loss, or not the measure.
        MissingExtraError: matplotlib is not installed.
    """
    history = _history(run)
    losses = [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]
    if not losses:
        raise PlotError(f"{run} logs no loss; its run was shorter than the logging interval")
    measures = sorted({key for entry in history for key in entry if _is_measure(key)})
    if measure is not None and measure not in measures:
        raise PlotError(f"measure {measure!r}: {run} logs {', '.join(measures) or 'none'}")
    figure, (panel,) = panels(axes, 1, (4.0, 3.0))
    panel.plot(*zip(*losses, strict=True), color="C0", label="loss")
    panel.set_xlabel("step")
    panel.set_ylabel("loss")
    if measures:
        shown = measure or measures[0]
        values = [(entry["step"], entry[shown]) for entry in history if shown in entry]
        second = panel.twinx()
        second.plot(*zip(*values, strict=True), color="C1", marker="o", linestyle="--", label=shown)
        second.set_ylabel(shown.removeprefix("eval_"))
        second.legend([*panel.lines, *second.lines], ["loss", shown.removeprefix("eval_")], fontsize=7)
    return figure


def _is_measure(key: str) -> bool:
    return key.startswith("eval_") and key not in ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")


def _history(run: Path) -> list[dict[str, float]]:
    """What the trainer logged, by the latest checkpoint."""
    states = [run / STATE] if (run / STATE).is_file() else list(run.glob(f"checkpoint-*/{STATE}"))
    if not states:
        raise PlotError(f"{run} holds no {STATE}; expected the folder of a training run or of a checkpoint")
    try:
        return max((json.loads(state.read_text(encoding="utf-8")) for state in states), key=lambda s: s["global_step"])[
            "log_history"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PlotError(f"{run}: its {STATE} cannot be read ({type(error).__name__}: {error})") from error
