"""A device whose results keep double precision on their way to torch.

Many plugins return Python floats, which PennyLane's torch interface turns into torch's default dtype, float32; the
gradients that follow from them lose half of their digits too. NumPy scalars arrive as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_qproj.devices.wrappers.delegate import Delegate

WIDEST = {"f": np.float64, "c": np.complex128}
"""What floating-point numbers become, real and complex ones."""


class DoublePrecision(Delegate):
    """Runs everything on another device and returns floating-point results and derivatives in double precision."""

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results in double precision."""
        return _double(super().execute(circuits, execution_config))

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Jacobians in double precision."""
        return _double(super().compute_derivatives(circuits, execution_config))

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results and Jacobians in double precision."""
        return _double(super().execute_and_compute_derivatives(circuits, execution_config))

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Vector-Jacobian products in double precision."""
        return _double(super().compute_vjp(circuits, cotangents, execution_config))

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Results and vector-Jacobian products in double precision."""
        return _double(super().execute_and_compute_vjp(circuits, cotangents, execution_config))


def _double(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return type(result)(_double(part) for part in result)
    if isinstance(result, (float, complex, np.ndarray, np.generic)):
        array = np.asarray(result)
        # Samples may be whole numbers.
        return np.asarray(array, dtype=WIDEST[array.dtype.kind]) if array.dtype.kind in WIDEST else result
    return result
