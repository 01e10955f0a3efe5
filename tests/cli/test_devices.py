"""The commands ``devices`` and ``estimate``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.cli import app
from hybrid_qproj.devices import ADAPTERS, listing


def _run(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def model(tmp_path):
    """Folder of a saved head of ten blocks."""
    QuantumProjection(14, 4, circuit="rotor").save(tmp_path / "head")
    return str(tmp_path / "head")


@pytest.fixture
def core_only(monkeypatch):
    """As if no plugin were installed: importing them all takes seconds."""
    monkeypatch.setattr(listing, "installed_devices", lambda: ["default.qubit", "qiskit.remote", "my.device"])


def test_devices(core_only):
    """Every device, its state, what it needs, and the command that installs it."""
    result = _run("devices")
    assert result.exit_code == 0
    assert all(name in result.output for name in ADAPTERS)
    assert "'hybrid-qproj[qiskit]'" in result.output
    assert "qiskit.remote: needs backend=fake_..." in result.output
    assert "qiskit.aer: exact with backend=aer_simulator_statevector" in result.output
    assert "my.device" in result.output


def test_devices_as_json(core_only):
    """A list of objects."""
    rows = json.loads(_run("devices", "--json").output)
    assert [row["name"] for row in rows] == list(ADAPTERS)
    assert rows[0]["usable"] is True
    assert next(row for row in rows if row["name"] == "qiskit.remote")["usable"] is None


def test_estimate(model):
    """A table, and what it assumes."""
    result = _run("estimate", model, "--device", "default.qubit?shots=100&pack=5", "--documents", "1000")
    assert result.exit_code == 0
    assert "10 rotor blocks, 1,000 documents" in result.output
    assert "10,000" in result.output
    assert "1,800" in result.output
    assert "Interpolated: once" in result.output


def test_estimate_as_json_with_prices(model):
    """All figures, unrounded."""
    prices = ("--price-per-shot", "0.01", "--price-per-task", "0.3")
    result = _run("estimate", model, "--device", "ionq.qpu?shots=100&pack=5", *prices, "--json")
    runs = json.loads(result.output)["runs"]
    assert [(run["mode"], run["pack"]) for run in runs] == [
        ("interpolated", 1),
        ("interpolated", 5),
        ("direct", 1),
        ("direct", 5),
    ]
    assert runs[1]["circuits"] == 18
    assert runs[1]["price"] == pytest.approx(18 * 1.3)


def test_estimate_prints_prices(model):
    """A column of its own."""
    result = _run("estimate", model, "--device", "ionq.qpu?shots=100", "--price-per-task", "0.5")
    assert "price" in result.output
    assert "45.00" in result.output


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("qiskit.aer", "samples: say how many shots"),
        ("default.qubit?shots", "is not key=value"),
        ("defualt.qubit", "did you mean 'default.qubit'?"),
    ],
)
def test_errors_are_one_line(model, device, message):
    """One line on standard error and exit code 1."""
    result = _run("estimate", model, "--device", device)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_models_that_are_none(tmp_path):
    """No folder, and a classical head."""
    assert "there is no folder" in _run("estimate", str(tmp_path / "no"), "--device", "default.qubit").stderr
    ClassicalProjection(6, 2).save(tmp_path)
    assert "has no circuits" in _run("estimate", str(tmp_path), "--device", "default.qubit").stderr


@pytest.mark.parametrize("device", ["qiskit.remote?token=hunter2", "default.qubit token=hunter2", "a&key=hunter2"])
def test_usage_errors_keep_secrets(device):
    """A device string where none belongs is said to be too much, without its words."""
    for arguments in (["devices", device], ["draw", "rotor", device], ["estimate", "m", device], [device]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "hunter2" not in result.output
    result = CliRunner().invoke(app, ["devices", "--devise"])
    assert "--devise" in result.output
