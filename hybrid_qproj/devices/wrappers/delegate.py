"""A device that hands everything on to another one, for classes that change one thing of it."""

from __future__ import annotations

from typing import Any

from pennylane.devices import Device


class Delegate(Device):
    """Does what another device does.

    PennyLane gives no way to change what a plugin returns, so the changes this package needs (precision, seeds,
    packing) are made around it, each in a subclass.

    Args:
        inner: the device that does the work.
    """

    def __init__(self, inner: Device) -> None:
        self.inner = inner
        super().__init__(wires=inner.wires)

    @property
    def tracker(self) -> Any:
        """The inner device's tracker, so that qml.Tracker counts what it runs."""
        return self.inner.tracker

    @tracker.setter
    def tracker(self, tracker: Any) -> None:
        self.inner.tracker = tracker

    @property
    def name(self) -> str:
        """Name of the inner device."""
        return self.inner.name

    @property
    def operations(self) -> Any:
        """Names of gates, where the inner device tells them."""
        return self.inner.operations

    @property
    def observables(self) -> Any:
        """Names of observables, where the inner device tells them."""
        return self.inner.observables

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
        """As the inner device."""
        return self.inner.execute(circuits, execution_config)

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.compute_derivatives(circuits, execution_config)

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.execute_and_compute_derivatives(circuits, execution_config)

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.compute_vjp(circuits, cotangents, execution_config)

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.execute_and_compute_vjp(circuits, cotangents, execution_config)

    def supports_jvp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As the inner device."""
        return self.inner.supports_jvp(execution_config, circuit)

    def compute_jvp(self, circuits: Any, tangents: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.compute_jvp(circuits, tangents, execution_config)

    def execute_and_compute_jvp(self, circuits: Any, tangents: Any, execution_config: Any = None) -> Any:
        """As the inner device."""
        return self.inner.execute_and_compute_jvp(circuits, tangents, execution_config)
