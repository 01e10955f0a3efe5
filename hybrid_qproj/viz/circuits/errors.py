"""What can go wrong with a drawing."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class DrawingError(HybridQprojError, ValueError):
    """Something that cannot be drawn, or not in the form that was asked for."""


class DrawingFileError(HybridQprojError, OSError):
    """A drawing that cannot be written where it was to go."""
