"""Pictures of the method: each function draws into given axes, or a figure of its own, and returns the figure."""

from hybrid_qproj.viz.method.bloch import bloch_spheres
from hybrid_qproj.viz.method.fidelity import fidelity_against_cosine
from hybrid_qproj.viz.method.merges import merge_graph
from hybrid_qproj.viz.method.response import response_map, response_surface
from hybrid_qproj.viz.method.training import training_curves

__all__ = [
    "bloch_spheres",
    "fidelity_against_cosine",
    "merge_graph",
    "response_map",
    "response_surface",
    "training_curves",
]
