"""Heads fitted to unlabelled embeddings in seconds: plan and angles from their covariance, no gradient step."""

from hybrid_qproj.fitting.fit import FitSettings, fit_plan
from hybrid_qproj.fitting.moments import Moments, moments_of
from hybrid_qproj.fitting.rotations import FittedPlan

__all__ = ["FitSettings", "FittedPlan", "Moments", "fit_plan", "moments_of"]
