"""A device whose results keep double precision on their way to torch.

Many plugins return Python floats, which PennyLane's torch interface turns into torch's default dtype, float32; the
gradients that follow from them lose half of their digits too. NumPy scalars arrive as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_qproj.devices.wrappers.delegate import Delegate


class DoublePrecision(Delegate):
    """Runs everything on another device and returns its results and derivatives as float64."""

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results as float64."""
        return _double(super().execute(circuits, execution_config))

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Jacobians as float64."""
        return _double(super().compute_derivatives(circuits, execution_config))

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results and Jacobians as float64."""
        return _double(super().execute_and_compute_derivatives(circuits, execution_config))

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Vector-Jacobian products as float64."""
        return _double(super().compute_vjp(circuits, cotangents, execution_config))

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Results and vector-Jacobian products as float64."""
        return _double(super().execute_and_compute_vjp(circuits, cotangents, execution_config))


def _double(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return type(result)(_double(part) for part in result)
    if isinstance(result, (float, np.ndarray, np.generic)):
        return np.asarray(result, dtype=np.float64)
    return result
