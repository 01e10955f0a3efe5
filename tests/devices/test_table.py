"""Everything special of a device is said by its row: nothing else asks what a device is called."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hybrid_qproj
from hybrid_qproj.devices import ADAPTERS
from hybrid_qproj.devices.table import LOCAL, adapter_for

PACKAGE = Path(hybrid_qproj.__file__).parent
TABLE = PACKAGE / "devices" / "table.py"
PREFIXES = ("default.", "lightning", "qiskit", "braket", "cirq", "ionq")
MATCHES = ("startswith", "endswith", "removeprefix", "match", "fullmatch", "find", "index", "count", "partition")


def _names(node):
    """Device names, and beginnings of them, that stand in an expression as text."""
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    known = {*ADAPTERS, *LOCAL}
    return [text for text in texts if text in known or (text and text.startswith(PREFIXES) and len(text.split()) == 1)]


def _is_test(node):
    if isinstance(node, ast.Tuple | ast.Set | ast.List):
        return any(isinstance(element, ast.Constant) and _names(element) for element in node.elts)
    if isinstance(node, ast.Compare | ast.MatchValue):
        return True
    if isinstance(node, ast.Assign):
        # A constant to compare with.
        return isinstance(node.value, ast.Constant) and node.value.value in {*ADAPTERS, *LOCAL}
    if isinstance(node, ast.Call):
        called = node.func
        return (isinstance(called, ast.Attribute) and called.attr in MATCHES) or (
            isinstance(called, ast.Name) and called.id in ("frozenset", "set")
        )
    return False


def _tests(source):
    found = {}
    for node in ast.walk(ast.parse(source)):
        if _is_test(node) and _names(node):
            found[node.lineno] = _names(node)
    return found


@pytest.mark.parametrize(
    "source",
    [
        'spec.name == "default.qubit"',
        'spec.name in ("qiskit.aer", "x")',
        'text.startswith("lightning.gpu")',
        'SLOW = ("qiskit.aer", "cirq.simulator")',
        'match name:\n    case "default.mixed":\n        pass',
        '"braket" in spec.name',
        'IBM = "qiskit.remote"',
    ],
)
def test_what_counts_as_a_test_of_a_name(source):
    """Else the next test would find nothing."""
    assert _tests(source)


def test_no_test_of_a_name_outside_the_table():
    """No comparison, no prefix, no list of names, no name for one."""
    found = {
        str(path.relative_to(PACKAGE)): tests
        for path in PACKAGE.rglob("*.py")
        if path != TABLE and (tests := _tests(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_rows_are_named_as_they_stand():
    """And an unknown device has safe settings."""
    assert all(name == adapter.name for name, adapter in ADAPTERS.items())
    unknown = adapter_for("somebodys.device")
    assert (unknown.paid, unknown.exact, unknown.batches, unknown.pack, unknown.options) == (True, False, False, 1, {})
    assert not adapter_for("null.qubit").paid
