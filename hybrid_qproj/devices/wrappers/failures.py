"""Failures of remote jobs as one kind of error that says what to do."""

from __future__ import annotations

from typing import Any

from pennylane.devices import Device

from hybrid_qproj.devices.errors import DeviceRunError
from hybrid_qproj.devices.wrappers.delegate import Delegate

# By words in the error's type and message: providers' exceptions share no base class, and importing every provider to
# name them would need every plugin.
CAUSES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("unauthorized", "notauthorized", "401", "token", "credential", "api key"), "the account was refused: check it"),
    (("timeout", "timed out"), "no result came in time; the job may still be in the queue"),
    (("cancel",), "the job was cancelled"),
    (("connection", "network", "resolve", "unreachable"), "the network failed"),
    (("fail", "error"), "the job failed on the machine"),
)


def explain(error: BaseException) -> str:
    """The likely cause of a provider's error.

    Args:
        error: as raised.

    Returns:
        a clause; nothing of the message itself, which may quote an account.
    """
    text = f"{type(error).__name__} {error}".lower()
    return next((cause for words, cause in CAUSES if any(word in text for word in words)), "the provider gave an error")


class Guarded(Delegate):
    """Turns any failure of another device's run into a `DeviceRunError`.

    Args:
        inner: the device.
        label: the device string, for the message.
    """

    def __init__(self, inner: Device, label: str) -> None:
        super().__init__(inner)
        self.label = label

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results, whole or an error: never some of them."""
        count = len(circuits) if isinstance(circuits, (tuple, list)) else 1
        try:
            results = super().execute(circuits, execution_config)
        except Exception as error:
            raise DeviceRunError(
                f"device {self.label!r}: {explain(error)} ({type(error).__name__}). Nothing of this run of {count} "
                "circuits is used; what was saved before it stays, and running the same command again goes on there"
            ) from None
        if count > 1 and len(results) != count:
            raise DeviceRunError(
                f"device {self.label!r} returned {len(results)} results for {count} circuits; none of them is used"
            )
        return results
