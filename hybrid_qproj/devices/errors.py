"""What can go wrong between a device string and a result."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class DeviceUnavailableError(HybridQprojError, RuntimeError):
    """The device of a spec cannot be built here: unknown, not installed, too old, or refused by its plugin."""


class DeviceRunError(HybridQprojError, RuntimeError):
    """A circuit was sent to a device and no result came back."""
