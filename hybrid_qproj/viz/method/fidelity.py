"""How a head's similarity follows the cosine of the embeddings that it compressed, over pairs of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.stats import spearmanr
from torch import Tensor

from hybrid_qproj.heads.base import Head
from hybrid_qproj.similarity.fidelity import LOGARITHMIC, pairwise_cosine
from hybrid_qproj.viz.method.canvas import PlotError, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 5_000
"""Pairs beyond which points would hide one another, and hexagons count them."""


def fidelity_against_cosine(head: Head, embeddings: Tensor, axes: Axes | None = None) -> Figure:
    """Draw each pair of documents: cosine of the full embeddings, and the similarity of the head's outputs.

    Args:
        head: the head.
        embeddings: of the documents, (n, d), n at least 3.
        axes: to draw into.

    Returns:
        the figure; its title gives Spearman's rank correlation of the two over all pairs.

    Raises:
        PlotError: fewer than three embeddings, or of another width.
        MissingExtraError: matplotlib is not installed.
    """
    if embeddings.dim() != 2 or len(embeddings) < 3:  # noqa: PLR2004 - two pairs rank at least
        raise PlotError(f"got embeddings of shape {tuple(embeddings.shape)}; expected (n, {head.in_features}), n >= 3")
    with torch.no_grad():
        outputs = head(embeddings)
        similarities = head.pairwise_similarity(outputs, outputs)
    # Each pair once.
    i, j = torch.triu_indices(len(embeddings), len(embeddings), offset=1)
    cosine = pairwise_cosine(embeddings, embeddings)[i, j].double().cpu().numpy()
    similarity = similarities[i, j].double().cpu().numpy()
    correlation = spearmanr(cosine, similarity).statistic
    figure, (panel,) = panels(axes, 1, (4.0, 3.2))
    if len(cosine) > MOST_POINTS:
        panel.hexbin(cosine, similarity, gridsize=50, bins="log", cmap="Blues", mincnt=1)
    else:
        panel.plot(cosine, similarity, ".", markersize=3, alpha=0.5)
    name = head.similarity.replace("_", " ")
    panel.set_xlabel("cosine of the full embeddings")
    panel.set_ylabel(f"log {name}" if head.similarity in LOGARITHMIC else name)
    panel.set_title(f"{len(cosine):,} pairs, rank correlation {correlation:.3f}", fontsize=9)
    return figure
