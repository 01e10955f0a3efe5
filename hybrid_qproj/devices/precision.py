"""A device whose results keep double precision on their way to torch.

Many plugins return Python floats, which PennyLane's torch interface turns into torch's default dtype, float32; the
gradients that follow from them lose half of their digits too. NumPy scalars arrive as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pennylane.devices import Device


class DoublePrecision(Device):
    """Runs everything on another device and returns its results as float64.

    Args:
        inner: the device that runs the circuits.
    """

    def __init__(self, inner: Device) -> None:
        super().__init__(wires=inner.wires)
        self.inner = inner
        # One tracker for both, so that qml.Tracker counts what the inner device runs.
        self.tracker = inner.tracker

    @property
    def name(self) -> str:
        """Name of the inner device."""
        return self.inner.name

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.preprocess_transforms(execution_config)

    def setup_execution_config(self, config: Any = None, circuit: Any = None) -> Any:
        """As the inner device."""
        return self.inner.setup_execution_config(config, circuit)

    def supports_derivatives(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As the inner device."""
        return self.inner.supports_derivatives(execution_config, circuit)

    def supports_vjp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As the inner device."""
        return self.inner.supports_vjp(execution_config, circuit)

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results as float64."""
        return _double(self.inner.execute(circuits, execution_config))

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Jacobians as float64."""
        return _double(self.inner.compute_derivatives(circuits, execution_config))

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results and Jacobians as float64."""
        return _double(self.inner.execute_and_compute_derivatives(circuits, execution_config))

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Vector-Jacobian products as float64."""
        return _double(self.inner.compute_vjp(circuits, cotangents, execution_config))

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Results and vector-Jacobian products as float64."""
        return _double(self.inner.execute_and_compute_vjp(circuits, cotangents, execution_config))


def _double(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return type(result)(_double(part) for part in result)
    if isinstance(result, (float, np.ndarray, np.generic)):
        return np.asarray(result, dtype=np.float64)
    return result
