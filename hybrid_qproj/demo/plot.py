"""The demo's plot: NDCG@10 against the numbers a head stores, one panel a size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybrid_qproj._util.extras import require
from hybrid_qproj.demo.heads import ENTRIES
from hybrid_qproj.demo.table import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "osD^v<>PX*"


def plot_rows(rows: Sequence[Row]) -> Figure:
    """Plot the table.

    Args:
        rows: the table, its first row the uncompressed embedding.

    Returns:
        the figure, not shown, made without pyplot's global state.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure_module = require("matplotlib.figure", "draw", "plotting")
    full, *heads = rows
    sizes = list(dict.fromkeys(row.k for row in heads))
    figure = figure_module.Figure(figsize=(3.2 * len(sizes) + 2.4, 3.6), layout="constrained")
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for k, axes in zip(sizes, panels, strict=True):
        axes.axhline(full.ndcg, color="0.5", linestyle="--", linewidth=1, label=f"full embedding ({full.k})")
        for row in heads:
            if row.k == k:
                number = list(ENTRIES).index(row.head)
                axes.errorbar(
                    row.stored,
                    row.ndcg,
                    yerr=row.sd,
                    fmt=MARKERS[number],
                    color=f"C{number}",
                    # Quantum heads filled, classical ones open: readable without colour too.
                    fillstyle="full" if row.head.startswith("quantum") else "none",
                    capsize=2,
                    label=row.head,
                )
        # Truncation stores nothing, which a logarithm cannot show.
        axes.set_xscale("symlog", linthresh=100)
        axes.set_xlim(left=-20)
        axes.set_xlabel("numbers stored by the head")
        axes.set_title(f"k = {k}")
        axes.grid(visible=True, linewidth=0.3)
    panels[0].set_ylabel("NDCG@10, Lee corpus")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="small", frameon=False)
    return figure
