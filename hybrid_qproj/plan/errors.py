"""What a plan refuses."""

from hybrid_qproj.errors import HybridQprojError


class PlanError(HybridQprojError, ValueError):
    """A plan that cannot be built or contradicts itself."""
