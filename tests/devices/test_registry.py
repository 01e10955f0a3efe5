"""A stranger's device: one row, and everything that is special of it with the row."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from hybrid_qproj import DeviceSpec, QuantumProjection, cli, torch_layer
from hybrid_qproj.conformance import targets
from hybrid_qproj.devices import (
    ADAPTERS,
    Adapter,
    Compiled,
    DeviceSpecError,
    DeviceUnavailableError,
    PaidDeviceError,
    make_device,
    register_device,
)
from hybrid_qproj.devices.listing import list_devices
from hybrid_qproj.devices.options import Whole
from hybrid_qproj.devices.wrappers.delegate import Delegate
from hybrid_qproj.estimate import estimate
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.registry import load_head

DIGITS = 2


class Coarse(Delegate):
    """A device whose results have few digits."""

    def __init__(self, inner, digits):
        super().__init__(inner)
        self.digits = digits

    def execute(self, circuits, execution_config=None):
        results = self.inner.execute(circuits, execution_config)
        return tuple(np.round(np.asarray(result, dtype=float), self.digits) for result in results)


def coarse(device, asked):
    return Coarse(device, asked.option("digits") or DIGITS)


class Halved(Delegate):
    """A device whose results are half of what they should be."""

    def execute(self, circuits, execution_config=None):
        return tuple(result / 2 for result in self.inner.execute(circuits, execution_config))


def halved(device, asked):
    return Halved(device)


def compiled(tape, asked):
    """A vendor whose gates act on all wires at once."""
    return Compiled(f"{asked.name}'s own gates", len(tape.wires), 1, len(tape.wires) // 2)


@pytest.fixture
def mine():
    """A made-up device over default.qubit that drops digits and compiles everything to one layer."""
    row = Adapter(
        "mine.coarse",
        "mine",
        builds="default.qubit",
        options={"digits": Whole(1, 8)},
        # The option is the wrapper's, and default.qubit does not know it.
        arguments=lambda asked: {"max_workers": None},
        wrappers=(coarse,),
        compiler=compiled,
        exact=True,
        seeding="device",
        needs="nothing",
        trials=("", "digits=3"),
    )
    yield register_device(row)
    del ADAPTERS["mine.coarse"]


@pytest.fixture
def head():
    return QuantumProjection(6, 2, init="random", generator=torch.Generator().manual_seed(1)).double().eval()


@pytest.mark.parametrize(("string", "digits"), [("mine.coarse", 2), ("mine.coarse?digits=4", 4)])
def test_a_head_runs_on_it(mine, head, string, digits):
    """Through its wrapper: values are default.qubit's, of few digits."""
    embeddings = torch.randn(4, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        exact = head(embeddings).cos()
        coarse_values = head.to_device(f"{string}{'&' if '?' in string else '?'}mode=direct")(embeddings).cos()
    error = (coarse_values - exact).abs().max()
    assert 10.0 ** -(digits + 2) < error < 10.0**-digits * 5
    assert torch.allclose(coarse_values, coarse_values.mul(10**digits).round() / 10**digits, atol=1e-9)


def test_a_layer_trains_on_it(mine):
    """Its gradients come from its own circuits, by the method that the row names."""
    layer = torch_layer("rotor", blocks=2, device="mine.coarse?digits=8")
    layer(torch.rand(3, 4)).sum().backward()
    assert layer.weights.grad.isfinite().all()
    assert layer.weights.grad.abs().sum() > 0


def test_it_is_listed(mine):
    """Built to see whether it can be, with what the row says of it; on the command line too."""
    row = next(row for row in list_devices() if row.name == "mine.coarse")
    assert (row.installed, row.usable, row.results, row.seedable, row.paid) == (True, True, "exact", "yes", False)
    assert row.install == "pip install mine"
    result = CliRunner().invoke(cli.app, ["devices", "--json"])
    assert "mine.coarse" in [row["name"] for row in json.loads(result.output)]


def test_it_is_estimated(mine, head):
    """By its own compiler, side by side too."""
    found = estimate(head, "mine.coarse?pack=2", documents=3)
    assert found.target == "mine.coarse's own gates"
    assert {(run.pack, run.wires, run.depth, run.two_qubit_gates) for run in found.runs} == {(1, 2, 1, 1), (2, 4, 1, 2)}
    assert not any("before the device's own compiler" in note for note in found.notes)


def test_it_is_saved_and_loaded(mine, head, tmp_path, monkeypatch):
    """As its string. Where nobody registered the row, default.qubit stands in, or the error says how to."""
    for name, device in (("plain", "mine.coarse"), ("option", "mine.coarse?digits=3")):
        head.to_device(device).save(tmp_path / name)
        assert str(load_head(tmp_path / name).device) == device
    with monkeypatch.context() as elsewhere:
        elsewhere.delitem(ADAPTERS, mine.name)
        with pytest.warns(UserWarning, match="run on 'default.qubit' instead"):
            load_head(tmp_path / "plain")(torch.zeros(1, 6))
        with pytest.raises(CheckpointError, match="register_device declares another plugin's options"):
            load_head(tmp_path / "option")


def test_the_conformance_suite_takes_it_up(mine):
    """With the strings that the row names."""
    assert {"mine.coarse", "mine.coarse?digits=3"} <= set(targets.fast())


@pytest.mark.slow
def test_the_suite_runs_on_a_strangers_row(tmp_path):
    """As its author would call it: worker processes know the row too."""
    (tmp_path / "rows_of_mine.py").write_text(
        "from hybrid_qproj.devices import Adapter, register_device\n"
        "from hybrid_qproj.devices.wrappers.delegate import Delegate\n"
        "register_device(Adapter('mine.suite', 'mine', builds='default.qubit', exact=True, seeding='device',\n"
        "                        wrappers=(lambda device, asked: Delegate(device),)))\n"
    )
    arguments = ["-p", "rows_of_mine", "--device", "mine.suite", "-k", "spawned or is_built_with", "-q"]
    found = subprocess.run(
        [sys.executable, "-m", "hybrid_qproj.conformance", *arguments, "-p", "no:cacheprovider"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
    assert "passed" in found.stdout
    assert "failed" not in found.stdout


def test_it_costs_what_its_row_says(mine):
    """A row is somebody's word that a device runs here; an unknown one wants consent."""
    make_device(DeviceSpec.parse("mine.coarse"), 2)
    register_device(Adapter("mine.cloud", "mine", builds="default.qubit", exact=True, paid=True, needs="an account"))
    try:
        with pytest.raises(PaidDeviceError, match=r"mine\.cloud' can cost money"):
            make_device(DeviceSpec.parse("mine.cloud"), 2)
    finally:
        del ADAPTERS["mine.cloud"]


def test_backends_of_a_row_by_name(mine):
    """A device with snapshots: one has to be named, is found by the row, and costs nothing."""

    class Backends:
        example = "backend=toy_one"

        def is_snapshot(self, name):
            return name.startswith("toy_")

        def find(self, name, wires):
            return self.stand_in(name)

        def stand_in(self, name):
            return type("Toy", (), {"num_qubits": 6, "name": name})()

    row = Adapter(
        "mine.toys",
        "mine",
        builds="default.qubit",
        options={"backend": ADAPTERS["qiskit.remote"].options["backend"]},
        wrappers=(coarse,),
        backends=Backends(),
        exact=True,
        paid=True,
        machine=True,
        pack=None,
    )
    register_device(row)
    try:
        assert DeviceSpec.parse("mine.toys?backend=toy_one").is_snapshot
        with pytest.raises(DeviceUnavailableError, match=r"mine\.toys needs a backend: backend=toy_one"):
            make_device(DeviceSpec.parse("mine.toys"), 2, allow_paid=True)
        with pytest.raises(PaidDeviceError):
            make_device(DeviceSpec.parse("mine.toys?backend=real"), 2)
        runs = estimate(QuantumProjection(6, 2), "mine.toys?backend=toy_one").runs
        assert {run.pack for run in runs} == {1, 2}
        # A density matrix, for the snapshot's noise.
        assert max(run.memory for run in runs) == 16 * 4**4
    finally:
        del ADAPTERS["mine.toys"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Adapter("no name", "x"), "no device name"),
        (Adapter("mine.x", "x", options={"shots": Whole(1, 2)}), "declares the option 'shots', which all devices take"),
        (Adapter("default.qubit", "x"), "'default.qubit' has a row already; give yours another name"),
        (Adapter("mine.x", "x", seeding="circuit"), "seeding='circuit' and names no wrapper"),
        (Adapter("mine.x", "x", trials=("", "digits=3")), "takes no key"),
    ],
)
def test_rows_that_cannot_be(row, message):
    """Are refused, and the table stays as it was."""
    before = dict(ADAPTERS)
    with pytest.raises(DeviceSpecError, match=message):
        register_device(row)
    assert before == ADAPTERS


def test_a_variant_of_a_known_device():
    """Its wrapper is not passed by, though the known device's values are computed from matrices."""
    known = ADAPTERS["default.qubit"]
    row = dataclasses.replace(known, name="mine.variant", builds=known.name, wrappers=(halved,))
    register_device(row)
    try:
        head = QuantumProjection(2, 1, init="random").double().eval()
        embeddings = torch.randn(3, 2, dtype=torch.float64)
        with torch.no_grad():
            whole = head(embeddings).cos()
            torch.testing.assert_close(head.to_device(row.name)(embeddings).cos(), whole / 2)
    finally:
        del ADAPTERS[row.name]


def test_the_same_row_twice(mine):
    """A module may be imported anew."""
    assert register_device(mine) is mine
