"""What can go wrong between a device string and a result."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class DeviceSpecError(HybridQprojError, ValueError):
    """A device string, table or key that cannot be understood or must not be written down.

    Its message repeats no value and no unknown key of what it could not read: either may be a secret.
    """


class DeviceUnavailableError(HybridQprojError, RuntimeError):
    """The device of a spec cannot be built here: unknown, not installed, too old, or refused by its plugin."""


class PaidDeviceError(HybridQprojError, RuntimeError):
    """A run on a device that can cost money, which the caller has not allowed. Nobody was contacted."""


class DeviceRunError(HybridQprojError, RuntimeError):
    """A circuit was sent to a device and no result came back."""
