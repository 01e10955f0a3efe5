"""Responses measured on a device: the same in every run, also in one that was killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection, calibration
from hybrid_qproj.calibration import Calibration, calibrate
from hybrid_qproj.checkpoint import CheckpointError
from hybrid_qproj.cli import app
from hybrid_qproj.devices import DeviceRunError, DeviceUnavailableError
from hybrid_qproj.qnodes import BlockExecutor


@pytest.fixture
def head():
    return QuantumProjection(12, 4, init="random").eval()


@pytest.fixture(autouse=True)
def _small_packs(monkeypatch):
    monkeypatch.setattr(calibration, "BLOCKS_PER_PACK", 3)


def test_exact_device_changes_nothing(head, tmp_path):
    """Measured without noise, a calibrated head gives the same angles and runs no circuit."""
    x = torch.randn(5, 12)
    expected = head(x).detach()
    measured = calibrate(head, "default.qubit", tmp_path / "c.safetensors")
    assert measured.errors.abs().max() == 0
    served = Calibration.load(tmp_path / "c.safetensors").apply(head)
    served._executor._live = {"device": None}  # any circuit would fail
    torch.testing.assert_close(served(x), expected)
    assert not (tmp_path / "c.safetensors.packs").exists()


def test_errors_are_those_of_the_shots(head, tmp_path):
    """Entries of R scatter around the exact ones by their stated standard errors."""
    exact = calibrate(head, "default.qubit", tmp_path / "e").responses
    pulls = []
    for seed in range(6):
        measured = calibrate(head, f"default.qubit?shots=400&seed={seed}", tmp_path / f"s{seed}")
        inside = measured.errors > 1e-3
        pulls.append(((measured.responses - exact) / measured.errors)[inside])
    pulls = torch.cat(pulls)
    assert abs(pulls.mean()) < 0.15
    assert 0.85 < pulls.std() < 1.15


def test_record(head, tmp_path):
    """The file says what was measured, where, when, and with what."""
    record = calibrate(head, "default.qubit?shots=10&seed=1", tmp_path / "c").record
    assert record["device"] == "default.qubit?shots=10&seed=1"
    assert record["shots"] == 10
    assert record["blocks"] == head.plan.blocks
    assert record["backend"] == {}
    assert {"date", "versions", "weights", "circuit"} <= set(record)


def test_failed_job_keeps_finished_packs_and_resends_none(head, tmp_path, monkeypatch):
    """A failure in the third pack: the next run measures only what is missing, and ends in the same numbers."""
    whole = calibrate(head, "default.qubit?shots=50&seed=3", tmp_path / "whole")
    rows = []
    run = BlockExecutor.__call__

    def failing(self, inputs, weights):
        if len(rows) == 2:
            raise DeviceRunError("the job failed")
        rows.append(len(inputs))
        return run(self, inputs, weights)

    monkeypatch.setattr(BlockExecutor, "__call__", failing)
    with pytest.raises(DeviceRunError):
        calibrate(head, "default.qubit?shots=50&seed=3", tmp_path / "c")
    assert not (tmp_path / "c").exists()
    seen = []
    monkeypatch.setattr(BlockExecutor, "__call__", lambda *a: seen.append(len(a[1])) or run(*a))
    resumed = calibrate(head, "default.qubit?shots=50&seed=3", tmp_path / "c")
    assert rows + seen == [27, 27, 18]
    assert torch.equal(resumed.responses, whole.responses)


def test_other_measurement_in_the_way(head, tmp_path, monkeypatch):
    """Packs of another device or head are not mixed in."""
    with monkeypatch.context() as patch:
        patch.setattr(calibration, "fit_response", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            calibrate(head, "default.qubit", tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"belongs to another measurement \(other device\)"):
        calibrate(head, "lightning.qubit", tmp_path / "c")
    other = QuantumProjection(12, 4, init="random")
    with pytest.raises(CheckpointError, match=r"other weights"):
        calibrate(other, "default.qubit", tmp_path / "c")


def test_only_for_the_weights_measured(head, tmp_path):
    """Other weights, at once or later, another circuit and direct mode are refused."""
    measured = calibrate(head, "default.qubit", tmp_path / "c")
    with pytest.raises(ValueError, match="weights changed since they were measured"):
        measured.apply(QuantumProjection(12, 4, init="random"))
    with pytest.raises(ValueError, match="circuit 'u_cu' was measured; the head has 'rotor'"):
        measured.apply(QuantumProjection(12, 4, "rotor"))
    with pytest.raises(ValueError, match="this head has 10 blocks"):
        measured.apply(QuantumProjection(12, 2))
    measured.apply(head)
    assert not any(p.requires_grad for p in head.stages.parameters())
    head.stages[0].weights.data.add_(1)
    with pytest.raises(ValueError, match="weights changed"):
        head(torch.zeros(1, 12))
    head.to_device("default.qubit?mode=direct")
    with pytest.raises(ValueError, match="direct mode"):
        measured.apply(head)


def test_completed_measurement_is_not_sent_again(head, tmp_path, monkeypatch):
    """Running the same command once more returns the file; another device for the same file is an error."""
    first = calibrate(head, "default.qubit?shots=9&seed=1", tmp_path / "c")
    monkeypatch.setattr(BlockExecutor, "__call__", lambda *_: 1 / 0)
    assert torch.equal(calibrate(head, "default.qubit?shots=9&seed=1", tmp_path / "c").responses, first.responses)
    with pytest.raises(CheckpointError, match=r"belongs to another measurement \(other device\)"):
        calibrate(head, "default.qubit?shots=9&seed=2", tmp_path / "c")


def test_unusable_device_leaves_nothing_behind(head, tmp_path):
    """A device that cannot be built is an error before any folder is made."""
    with pytest.raises(DeviceUnavailableError, match=r"no device .nowhere\.device"):
        calibrate(head, "nowhere.device?shots=3", tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_bad_files(tmp_path):
    """Missing, damaged and foreign files."""
    with pytest.raises(CheckpointError, match="there is no calibration file"):
        Calibration.load(tmp_path / "nothing")
    (tmp_path / "cut").write_bytes(b"\x10\0\0\0")
    with pytest.raises(CheckpointError, match="is damaged"):
        Calibration.load(tmp_path / "cut")
    QuantumProjection(4, 2).save(tmp_path / "head")
    with pytest.raises(CheckpointError, match="is no calibration"):
        Calibration.load(tmp_path / "head" / "model.safetensors")


def test_command(head, tmp_path):
    """The command writes the file; a device that can cost money shows the estimate and is not run."""
    head.save(tmp_path / "head")
    arguments = ["calibrate", str(tmp_path / "head"), "--out", str(tmp_path / "c"), "--device"]
    result = CliRunner().invoke(app, [*arguments, "default.qubit?shots=100&seed=1"])
    assert result.exit_code == 0, result.output
    assert "8 blocks measured" in result.output
    assert Calibration.load(tmp_path / "c").record["shots"] == 100
    result = CliRunner().invoke(app, [*arguments, "braket.aws.qubit?device_arn=arn:aws:braket:x&shots=100"])
    assert result.exit_code == 1
    assert "two-qubit gates" in result.output
    assert "nothing was sent. Add --yes" in result.output


CHILD = """
import sys, time
from hybrid_qproj import QuantumProjection, calibration
calibration.BLOCKS_PER_PACK = 2
head = QuantumProjection.load(sys.argv[1])
calibration.calibrate(head, sys.argv[2], sys.argv[3], progress=lambda done, total: print(done, flush=True))
"""


def _kill_and_resume(head, device, tmp_path, monkeypatch, after):
    monkeypatch.setattr(calibration, "BLOCKS_PER_PACK", 2)
    head.save(tmp_path / "head")
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path / "head"), device]
    calibrate(head, device, tmp_path / "whole")
    child = subprocess.Popen([*command, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True)
    packs = tmp_path / "c.packs"
    while len(list(packs.glob("0*.safetensors"))) < after and child.poll() is None:
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    left = len(list(packs.glob("0*.safetensors")))
    assert left >= after
    assert not (tmp_path / "c").exists(), "the child finished before it was killed"
    resumed = subprocess.run([*command, str(tmp_path / "c")], check=True, capture_output=True, text=True)
    assert resumed.stdout
    whole, again = (Calibration.load(tmp_path / name) for name in ("whole", "c"))
    assert torch.equal(whole.responses, again.responses)
    assert torch.equal(whole.errors, again.errors)


def test_killed_and_resumed(tmp_path, monkeypatch):
    """SIGKILL half-way: running the same command again ends in the same responses."""
    torch.manual_seed(0)
    head = QuantumProjection(40, 4, init="random")
    _kill_and_resume(head, "default.qubit?shots=2000&seed=5", tmp_path, monkeypatch, after=3)


@pytest.mark.slow
def test_killed_and_resumed_on_a_snapshot(tmp_path, monkeypatch):
    """The same on a 127-qubit IBM snapshot with its calibration noise."""
    pytest.importorskip("qiskit_ibm_runtime", reason="needs the extra 'qiskit'")
    torch.manual_seed(0)
    head = QuantumProjection(8, 4, init="random")
    _kill_and_resume(head, "qiskit.remote?backend=fake_sherbrooke&shots=1000&seed=5", tmp_path, monkeypatch, after=1)
    backend = Calibration.load(tmp_path / "c").record["backend"]
    assert (backend["name"], backend["qubits"]) == ("fake_sherbrooke", 127)
    assert "ecr" in backend["gates"]
    assert backend["calibrated"]
