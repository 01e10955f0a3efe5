"""Responses measured on a device: the same in every run, also in one that was killed half-way."""

from __future__ import annotations

import copy
import dataclasses
import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection, calibration
from hybrid_qproj._util.files import OutputError
from hybrid_qproj._util.locks import LockedError
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.calibration import Calibration, calibrate
from hybrid_qproj.cli import app
from hybrid_qproj.devices import DeviceRunError, DeviceUnavailableError
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.measurement.record import record_seal


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
    served.executor._live = {"device": None}  # any circuit would fail
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


def measured(head, path, device="default.qubit?shots=40&seed=3"):
    return calibrate(head, device, path)


def test_a_flipped_bit(head, tmp_path):
    """In the file, in a pack, in the claim: the same numbers, or an error that names the file."""
    whole = measured(head, tmp_path / "c")
    flip(tmp_path / "c", whole, lambda: Calibration.load(tmp_path / "c"), range(0, 8 * 2400, 97))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "fit_response", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measured(head, tmp_path / "d")
    packs = tmp_path / "d.packs"
    for name in ("claim.json", "000001.safetensors"):
        kept = {path.name: path.read_bytes() for path in packs.iterdir()}

        def again(kept=kept):
            found = measured(head, tmp_path / "d")
            (tmp_path / "d").unlink()
            packs.mkdir()
            for file, content in kept.items():
                (packs / file).write_bytes(content)
            return found

        flip(packs / name, whole, again, range(0, 8 * len(kept[name]), 41))


def flip(path, whole, read, places):
    content = path.read_bytes()
    for place in places:
        changed = bytearray(content)
        changed[place // 8 % len(content)] ^= 1 << place % 8
        path.write_bytes(bytes(changed))
        try:
            found = read()
        except CheckpointError as error:
            names(error, path)
        else:
            for key in ("responses", "errors", "weights"):
                assert torch.equal(getattr(found, key), getattr(whole, key))
            assert found.record | {"date": ""} == whole.record | {"date": ""}
    path.write_bytes(content)


def names(error, path):
    assert str(path) in str(error) or str(path.parent) in str(error), error
    assert "\n" not in str(error)


@pytest.mark.parametrize("former", [True, False])
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *((name, wrong) for name in ("responses", "errors", "weights") for wrong in (math.nan, math.inf)),
        ("responses", -1e6),
        ("errors", -1e6),
    ],
)
def test_numbers_that_are_none(head, tmp_path, former, name, wrong):
    """Refused when they are read, and when they are applied; also in the former format."""
    found = measured(head, tmp_path / "c")
    tensors = {key: getattr(found, key).clone() for key in ("responses", "errors", "weights")}
    tensors[name].view(-1)[4] = wrong
    damaged = dataclasses.replace(found, **tensors)
    with pytest.raises(CheckpointError, match=f"the {name} of block 0 hold a number that is not finite, or out of"):
        damaged.apply(head)
    with pytest.raises(CheckpointError, match=f"the {name} of block 0"):
        damaged.save(tmp_path / "d")
    assert not (tmp_path / "d").exists()
    record = dict(found.record)
    if former:
        del record["plan"]
        record["format"] = "hybrid-qproj calibration 1"
    metadata = {"record": json.dumps(record), "digest": json.dumps(record_seal(record, tensors))}
    safetensors.torch.save_file(tensors, tmp_path / "d", metadata)
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(tmp_path / 'd'))}.*not finite"):
        Calibration.load(tmp_path / "d")


RECORDS = {
    "blocks": [7, 0, True, "8", 10**12, None],
    "weights": ["0" * 64, "", None],
    "shots": [0, "x", 1.5],
    "backend": [None, []],
    "versions": [{"a": 1}],
    "circuit": [1, None],
    "plan": ["", 1],
    "format": ["hybrid-qproj calibration 3", None, 1],
    "other": [1],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in RECORDS.items() for value in values])
def test_an_edited_record(head, tmp_path, key, value):
    """With a digest that fits, or none."""
    found = measured(head, tmp_path / "c")
    tensors = {name: getattr(found, name) for name in ("responses", "errors", "weights")}
    record = found.record | {key: value}
    for metadata in ({"record": json.dumps(record), "digest": json.dumps(record_seal(record, tensors))}, {}):
        safetensors.torch.save_file(tensors, tmp_path / "d", metadata)
        with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / "d"))):
            Calibration.load(tmp_path / "d")


def test_another_plan(tmp_path):
    """Of the same weights: other blocks."""
    head = QuantumProjection(8, 4, init="random").eval()
    other = copy.deepcopy(head)
    found = measured(head, tmp_path / "c")
    other.plan = dataclasses.replace(head.plan, output=tuple(reversed(head.plan.output)))
    with pytest.raises(CheckpointError, match="of another plan was measured"):
        found.apply(other)


def test_weights_that_are_none(head, tmp_path):
    """Are seen before anything is sent."""
    head.stages[0].weights.data[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match="weights that are not finite; nothing was measured"):
        measured(head, tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_a_device_that_gives_no_number(head, tmp_path, monkeypatch):
    """Its pack is not kept; earlier ones are."""
    run, calls = BlockExecutor.__call__, []

    def broken(self, inputs, weights):
        calls.append(1)
        values = run(self, inputs, weights)
        return values * float("nan") if len(calls) == 2 else values

    monkeypatch.setattr(BlockExecutor, "__call__", broken)
    with pytest.raises(DeviceRunError, match=r"pack 1, device .* not finite"):
        measured(head, tmp_path / "c")
    assert {path.name for path in (tmp_path / "c.packs").iterdir()} == {"claim.json", "000000.safetensors"}
    measured(head, tmp_path / "c")
    assert len(calls) == 2 + 2


def test_packs_belong_to_their_place(head, tmp_path, monkeypatch):
    """One in the place of another, or of another measurement, is refused."""
    with monkeypatch.context() as patch:
        patch.setattr(calibration, "fit_response", lambda _: 1 / 0)
        for name, device in (("c", "default.qubit"), ("d", "default.qubit?shots=9&seed=1")):
            with pytest.raises(ZeroDivisionError):
                calibrate(head, device, tmp_path / name)
    first = (tmp_path / "c.packs" / "000000.safetensors").read_bytes()
    for place, content in (
        ("000001.safetensors", first),
        ("000000.safetensors", (tmp_path / "d.packs" / "000000.safetensors").read_bytes()),
    ):
        before = (tmp_path / "c.packs" / place).read_bytes()
        (tmp_path / "c.packs" / place).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{place}.*no pack of this measurement in this place; remove it"):
            calibrate(head, "default.qubit", tmp_path / "c")
        (tmp_path / "c.packs" / place).write_bytes(before)
    calibrate(head, "default.qubit", tmp_path / "c")


def test_somebody_elses_files_stay(head, tmp_path):
    """In a folder of the name that packs get; and packs of another measurement."""
    packs = tmp_path / "c.packs"
    packs.mkdir()
    for name in ("notes.txt", "a.safetensors", ".hidden"):
        (packs / name).write_text("mine")
    measured(head, tmp_path / "c")
    assert {path.name for path in packs.iterdir()} == {"notes.txt", "a.safetensors", ".hidden"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "fit_response", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measured(head, tmp_path / "d")
    calibrate(head, "default.qubit", tmp_path / "e").save(tmp_path / "d")
    calibrate(head, "default.qubit", tmp_path / "d")
    assert (tmp_path / "d.packs" / "000000.safetensors").exists()


def test_a_second_measurement_is_refused(head, tmp_path, monkeypatch):
    """While the first one runs, before anything is sent."""
    run, refused = BlockExecutor.__call__, []

    def second(self, inputs, weights):
        if not refused:
            refused.append(1)
            with pytest.raises(LockedError, match=r"is being written by process \d+ on"):
                measured(head, tmp_path / "c")
        return run(self, inputs, weights)

    monkeypatch.setattr(BlockExecutor, "__call__", second)
    measured(head, tmp_path / "c")
    assert refused
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing(head, tmp_path, monkeypatch, number):
    """At any file: one line, and earlier packs stay."""
    whole = measured(head, tmp_path / "whole")
    replace, sent, run = Path.replace, [], BlockExecutor.__call__
    monkeypatch.setattr(BlockExecutor, "__call__", lambda *a: sent.append(1) or run(*a))
    for left in range(5):
        count = iter(range(99))

        def full(self, target, count=count, left=left):
            if next(count) == left:
                raise OSError(number, "no")
            return replace(self, target)

        path = tmp_path / f"c{left}"
        sent.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            with pytest.raises(OutputError, match="could not be written"):
                measured(head, path)
        assert len(sent) == min(left, 3)
        assert not path.exists()
        again = measured(head, path)
        # At most the pack that could not be kept is sent again.
        assert len(sent) == 3 + (0 < left <= 3)
        assert torch.equal(again.responses, whole.responses)


def test_death_at_any_change_of_the_disk(head, tmp_path, crash_after):
    """The same command ends in the same numbers and leaves nothing else."""
    whole = measured(head, tmp_path / "whole" / "c")
    with crash_after(None) as disk:
        measured(head, tmp_path / "counted" / "c")
    assert disk.changes > 12
    for left in range(disk.changes):
        path = tmp_path / f"cut{left}" / "c"
        with crash_after(left):
            measured(head, path)
        if path.exists():
            assert torch.equal(Calibration.load(path).responses, whole.responses)
        assert torch.equal(measured(head, path).responses, whole.responses)
        assert [file.name for file in path.parent.iterdir() if not file.name.startswith(".")] == ["c"]


def test_a_folder_is_no_file_to_write(head, tmp_path):
    """Seen before anything is sent."""
    with pytest.raises(CheckpointError, match="is a folder; choose a file"):
        measured(head, tmp_path)


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
