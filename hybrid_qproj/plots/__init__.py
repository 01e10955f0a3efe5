"""Pictures of the method: each function draws into given axes, or a figure of its own, and returns the figure."""

from hybrid_qproj.plots.bloch import bloch_spheres
from hybrid_qproj.plots.fidelity import fidelity_against_cosine
from hybrid_qproj.plots.merges import merge_graph
from hybrid_qproj.plots.response import response_map, response_surface
from hybrid_qproj.plots.training import training_curves

__all__ = [
    "bloch_spheres",
    "fidelity_against_cosine",
    "merge_graph",
    "response_map",
    "response_surface",
    "training_curves",
]
