"""What differs from device to device, as one table: precision, batching, gradients, packages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapter:
    """How the package drives one PennyLane device.

    Args:
        name: PennyLane device name.
        install: pip requirement that brings the device.
        options: keys its constructor takes from a device string.
        batches: whether one simulation takes a whole batch of parameters; the others get one tape a sample.
        seedable: whether the constructor takes ``seed``.
        gradient: gradient method without shots.
        sampled_gradient: gradient method with shots.
    """

    name: str
    install: str
    options: tuple[str, ...] = ()
    batches: bool = False
    seedable: bool = False
    gradient: str = "parameter-shift"
    sampled_gradient: str = "parameter-shift"


ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Adapter("default.qubit", "pennylane", ("max_workers",), True, True, "backprop"),
        Adapter("default.mixed", "pennylane", ("readout_prob",), True, True, "backprop"),
        Adapter("lightning.qubit", "pennylane-lightning", ("c_dtype", "batch_obs"), seedable=True, gradient="adjoint"),
        Adapter(
            "lightning.kokkos", "'hybrid-qproj[kokkos]'", ("c_dtype", "batch_obs"), seedable=True, gradient="adjoint"
        ),
        Adapter(
            "lightning.gpu",
            "'hybrid-qproj[gpu]'",
            ("c_dtype", "batch_obs", "use_async"),
            seedable=True,
            gradient="adjoint",
        ),
    )
}


def adapter_for(name: str) -> Adapter:
    """The adapter of a device; one with safe settings for a device that is not in the table.

    Args:
        name: PennyLane device name.

    Returns:
        the adapter.
    """
    return ADAPTERS.get(name) or Adapter(name, f"the plugin that brings {name!r}")
