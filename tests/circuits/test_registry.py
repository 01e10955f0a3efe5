"""Finding an ansatz by name, by import path, or as an object."""

from __future__ import annotations

import pennylane as qml
import pytest

from hybrid_qproj import circuits
from hybrid_qproj.circuits import Ansatz, AnsatzError, Normal, registry

SOURCE = """
import pennylane as qml
from hybrid_qproj.circuits import Ansatz, Normal

def circuit(angles, wires):
    qml.CRY(angles[0], wires=wires)

mine = Ansatz("mine", circuit, ("a",), {"random": Normal(1)}, "a test")
other = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "user_ansatz.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


def _circuit(angles, wires):
    qml.CRY(angles[0], wires=wires)


def test_built_in():
    """The five built-in ones, each with its source."""
    assert circuits.names()[:5] == ["u_cu", "rotor", "free_rotor", "polar", "strongly_entangling"]
    assert all(len(circuits.get(name).citation) > 20 for name in circuits.names())


def test_suggests():
    """A misspelt name gets the nearest one."""
    with pytest.raises(AnsatzError, match="no ansatz 'u_uc'; did you mean 'u_cu'"):
        circuits.get("u_uc")


def test_import_path(module):
    """package.module:name finds a user's ansatz."""
    assert circuits.get("user_ansatz:mine").parameter_shape == (1,)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("user_ansatz:nothing", "no ansatz at"),
        ("no_such_module:x", "no ansatz at"),
        ("user_ansatz:other", "is a int; expected an Ansatz"),
    ],
)
def test_bad_import_path(module, path, message):
    """Nothing there, or something else there."""
    with pytest.raises(AnsatzError, match=message):
        circuits.get(path)


def test_register(monkeypatch):
    """A registered ansatz is found by name; a taken name is refused."""
    monkeypatch.setattr(registry, "_ANSAETZE", dict(registry._ANSAETZE))
    mine = Ansatz("mine", _circuit, ("a",), {"random": Normal(1)}, "a test")
    circuits.register(mine)
    assert circuits.get("mine") is mine
    with pytest.raises(AnsatzError, match="'rotor' is taken"):
        circuits.register(Ansatz("rotor", _circuit, ("a",), {"random": Normal(1)}, "a test"))
    with pytest.raises(AnsatzError, match="a name without ':'"):
        circuits.register(Ansatz("a:b", _circuit, ("a",), {"random": Normal(1)}, "a test"))
