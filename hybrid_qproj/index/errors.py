"""What is wrong with a folder of angles."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class StoreError(HybridQprojError, ValueError):
    """A folder of angles that is missing, damaged, or does not take what it is given."""
