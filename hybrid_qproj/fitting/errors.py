"""What cannot be fitted."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class FitError(HybridQprojError, ValueError):
    """Settings, sizes or data from which no plan can be made."""
