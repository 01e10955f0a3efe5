"""Runs that fail: one clear error, no secret, never a part of the results."""

from __future__ import annotations

import traceback

import pennylane as qml
import pytest
import torch
from pennylane.devices import Device
from pennylane.tape import QuantumScript

from hybrid_qproj import DeviceSpec, QuantumProjection
from hybrid_qproj.devices import DeviceRunError, build, checks
from hybrid_qproj.devices.wrappers.failures import Guarded, explain

ACCOUNT = "crn:v1:account:0123456789"


def _error(name, message, base=Exception):
    return type(name, (base,), {})(f"{message} ({ACCOUNT})")


FAILURES = [
    (_error("RuntimeJobFailureError", "job ended with status ERROR"), "the job failed on the machine"),
    (_error("RuntimeInvalidStateError", "Unable to retrieve result: job was cancelled"), "the job was cancelled"),
    (
        _error("RuntimeJobTimeoutError", "job did not finish"),
        "no result came in time; the job may still be in the queue",
    ),
    (_error("TimeoutError", "timed out waiting", OSError), "no result came in time"),
    (_error("ConnectionError", "Name or service not known", OSError), "the network failed"),
    (_error("RequestsApiError", "401 Client Error: Unauthorized"), "the account was refused: check it"),
    (_error("IBMNotAuthorizedError", "bad credentials"), "the account was refused"),
    (_error("AwsException", "quota exceeded"), "the provider gave an error"),
]


class _Inner(Device):
    """A remote device: raises, or returns what it was told to."""

    def __init__(self, answer):
        super().__init__(wires=2)
        self.answer = answer

    def execute(self, circuits, execution_config=None):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _tapes(count):
    return tuple(QuantumScript([qml.X(0)], [qml.expval(qml.Z(0))]) for _ in range(count))


@pytest.mark.parametrize(("error", "cause"), FAILURES, ids=lambda value: type(value).__name__)
def test_failures_say_what_to_do(error, cause):
    """The device, the likely cause, the provider's type of error, and that a rerun goes on."""
    device = Guarded(_Inner(error), "qiskit.remote?backend=ibm_torino&shots=4000")
    with pytest.raises(DeviceRunError) as caught:
        device.execute(_tapes(3))
    message = str(caught.value)
    assert message.startswith(f"device 'qiskit.remote?backend=ibm_torino&shots=4000': {cause}")
    assert f"({type(error).__name__})" in message
    assert "run of 3 circuits" in message
    assert "running the same command again goes on" in message


@pytest.mark.parametrize(("error", "cause"), FAILURES, ids=lambda value: type(value).__name__)
def test_nothing_of_the_provider_is_quoted(error, cause):
    """Neither in the message nor in a printed traceback."""
    with pytest.raises(DeviceRunError) as caught:
        Guarded(_Inner(error), "x").execute(_tapes(1)[0])
    assert ACCOUNT not in str(caught.value)
    assert ACCOUNT not in "".join(traceback.format_exception(caught.value))
    assert ACCOUNT not in explain(error)


@pytest.mark.parametrize("answer", [(), (1.0, 0.5), (1.0, 0.5, 0.2, 0.1)])
def test_partial_results_are_not_used(answer):
    """Three circuits have three results, or the run failed."""
    with pytest.raises(DeviceRunError, match=f"returned {len(answer)} results for 3 circuits; none of them is used"):
        Guarded(_Inner(answer), "x").execute(_tapes(3))


def test_results_go_through():
    """A whole answer is handed on as it is."""
    assert Guarded(_Inner((1.0, 0.5)), "x").execute(_tapes(2)) == (1.0, 0.5)


def test_an_interrupt_is_not_a_failure():
    """Control-C ends the program."""

    class Interrupted(_Inner):
        def execute(self, circuits, execution_config=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Guarded(Interrupted(None), "x").execute(_tapes(1))


@pytest.mark.parametrize("name", ["ionq.simulator?shots=10", "braket.aws.qubit?device_arn=arn&shots=10"])
def test_a_head_on_a_failing_machine(monkeypatch, name):
    """From the string to the error: a failed job reaches the user as one DeviceRunError."""
    monkeypatch.setattr(checks, "installed_devices", lambda: [DeviceSpec.parse(name).name])
    monkeypatch.setattr(build.qml, "device", lambda *_, **__: _Inner(_error("JobError", "job failed")))
    head = QuantumProjection(4, 2, device=name, allow_paid=True).eval()
    with pytest.raises(DeviceRunError, match="the job failed on the machine"), torch.no_grad():
        head(torch.rand(1, 4))
