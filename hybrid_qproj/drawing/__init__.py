"""Pictures of the circuits that run."""

from hybrid_qproj.drawing.block import draw_block

__all__ = ["draw_block"]
