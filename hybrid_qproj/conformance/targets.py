"""Which devices are tested, and which tests apply to a device."""

from __future__ import annotations

from collections.abc import Callable

from hybrid_qproj.devices import ADAPTERS, DeviceSpec
from hybrid_qproj.devices.checks import takes_seed


def fast() -> list[str]:
    """Strings of devices that are part of the core install, and quick."""
    return [_string(name, query) for name, adapter in ADAPTERS.items() for query in adapter.trials]


def slow() -> list[str]:
    """Strings of the others; each is tested where its plugin is installed."""
    return [_string(name, query) for name, adapter in ADAPTERS.items() for query in adapter.slow_trials]


def _string(name: str, query: str) -> str:
    return f"{name}?{query}" if query else name


def is_exact(spec: DeviceSpec) -> bool:
    """Whether expectation values are exact: no shots are asked for."""
    return spec.shots is None


def is_noisy(spec: DeviceSpec) -> bool:
    """Whether results are those of a noisy circuit: a noise model, a snapshot or a machine."""
    return spec.noise is not None or spec.adapter.machine


def is_single_precision(spec: DeviceSpec) -> bool:
    """Whether amplitudes, or some of them, are of single precision."""
    return spec.adapter.is_single(spec) or (spec.adapter.single_packed and (spec.pack or 1) > 1)


def must_sample(spec: DeviceSpec) -> bool:
    """Whether the device gives no exact results at all."""
    return not spec.adapter.is_exact(spec.option("backend"))


APPLIES: dict[str, Callable[[DeviceSpec], bool]] = {
    "device": lambda _: True,
    "ideal_device": lambda spec: not is_noisy(spec),
    "exact_device": lambda spec: is_exact(spec) and not is_noisy(spec),
    "sampled_device": lambda spec: not is_exact(spec) and not is_noisy(spec),
    "fast_sampled_device": lambda spec: not is_exact(spec) and not is_noisy(spec) and not spec.adapter.slow,
    "sampling_only_device": must_sample,
    "seedable_device": takes_seed,
    "seedless_device": lambda spec: not takes_seed(spec),
}
"""Name of a test's argument, and which devices it is given."""
