"""LaTeX and OpenQASM sources hold the gates, wires and order of the circuit that runs."""

from __future__ import annotations

import math
import re
import shutil
import subprocess

import numpy as np
import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.plan import Plan, Stage, chain, tree
from hybrid_qproj.viz.circuits import block_picture, group_picture, stage_picture, to_qasm, to_quantikz, to_text
from hybrid_qproj.viz.circuits.subjects import Picture
from hybrid_qproj.viz.circuits.symbols import Symbols


def cells(source):
    """The table of a quantikz environment."""
    body = source.split("\\begin{quantikz}\n")[1].split("\n\\end{quantikz}")[0]
    return [[cell.strip() for cell in row.split(" & ")] for row in body.split(" \\\\\n")]


def read_back(source):
    """(kind, target wires, control wires) of every gate, column by column."""
    rows = cells(source)
    found = []
    for column in zip(*rows, strict=True):
        controls = {}
        for wire, cell in enumerate(column):
            if match := re.match(r"\\o?ctrl\{(-?\d+)\}", cell):
                controls.setdefault(wire + int(match[1]), []).append(wire)
        for wire, cell in enumerate(column):
            if match := re.match(r"\\gate(?:\[(\d+)\])?\{(\w_\{\w+\}|\w_\w|\w)", cell):
                targets = list(range(wire, wire + int(match[1] or 1)))
                found.append((match[2], targets, controls.get(wire, [])))
            elif cell in (r"\targ{}", r"\control{}"):
                found.append(({r"\targ{}": "X", r"\control{}": "Z"}[cell], [wire], controls.get(wire, [])))
    return found


NAMES = {
    "RY": "R_Y", "RZ": "R_Z", "CRZ": "R_Z", "CRY": "R_Y", "PhaseShift": "P", "IsingZZ": "R_{ZZ}", "Rot": "R",
    "CNOT": "X", "CZ": "Z",
}  # fmt: skip


@pytest.mark.parametrize("name", circuits.names())
def test_quantikz_reads_back_as_the_tape(name):
    """Gates, wires and controls of the QNode's own tape, in an order that gives the same circuit."""
    qnode = BlockExecutor(circuits.get(name), DeviceSpec("default.qubit")).qnode()
    tape = qml.workflow.construct_tape(qnode, level="user")(torch.zeros(2), torch.zeros(circuits.get(name).parameters))
    expected = []
    for operation in tape.operations:
        controls = list(operation.control_wires)
        expected.append((NAMES[operation.name], [w for w in operation.wires if w not in controls], controls))
    found = read_back(to_quantikz(block_picture(name)))
    assert sorted(map(str, found)) == sorted(map(str, expected))
    for wire in (0, 1):  # gates on different wires commute; on each wire the order is the tape's
        touch = [[g for g in gates if wire in g[1] or wire in g[2]] for gates in (found, expected)]
        assert touch[0] == touch[1]


@pytest.mark.slow  # CI has qiskit in the environment of the slow tests
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", circuits.names())
def test_qasm_is_the_same_unitary(name, version):
    """Read by qiskit, up to a global phase."""
    qasm = pytest.importorskip(f"qiskit.qasm{version}", reason="needs the extra 'qiskit'")
    if version == 3:
        pytest.importorskip("qiskit_qasm3_import", reason="needs the extra 'qiskit': qiskit reads version 3 by it")
    from qiskit.quantum_info import Operator  # noqa: PLC0415

    picture = block_picture(name, torch.randn(circuits.get(name).parameters))
    circuit = qasm.loads(to_qasm(picture, version))
    if version == 3:  # the encoding angles are open
        circuit = circuit.assign_parameters({"x_c": -math.pi / 2, "x_b": -math.pi / 2})
    # qiskit counts qubits from the other end.
    found = Operator(circuit.reverse_bits()).data
    expected = np.asarray(qml.matrix(qml.tape.QuantumScript(picture.operations), wire_order=[0, 1]))
    overlap = np.trace(found.conj().T @ expected) / 4
    assert abs(overlap) == pytest.approx(1, abs=1e-9)


def test_version_3_differs_in_declarations_only():
    """The same gates, line by line."""
    picture = block_picture("polar", torch.ones(6))
    two, three = (to_qasm(picture, version).splitlines() for version in (2, 3))
    assert three[:3] == ["OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[2] q;"]
    assert [line for line in two if "(" in line or line.startswith("c")][-4:] == three[-4:]


def test_names_of_angles():
    """As in the ansatz's declaration; a user's negation shows."""
    assert r"\gate{R_Y(-\alpha)}" in to_quantikz(block_picture("rotor"))
    assert r"\gate{R_Z(\delta_{cu})}" in to_quantikz(block_picture("u_cu"))
    assert "╰RZ(δ_cu)" in to_text(block_picture("u_cu"))


def test_trained_numbers():
    """With weights, gates show their angles, after what the ansatz makes of raw weights."""
    text = to_text(block_picture("rotor", torch.tensor([math.pi / 3])))
    assert "RY(-π/3)" in text
    assert "RY(6.28)" in to_text(block_picture("u_cu", torch.zeros(12))).replace("2π", "6.28")


@pytest.mark.parametrize(("plan", "kept"), [(chain(12, 3), [8, 5, 2]), (tree(12, 3), [2, 8, 2])])
def test_group_follows_the_plan(plan, kept):
    """Encoding of its features, then each block with a readout and re-preparation after it, the last one read."""
    source = to_quantikz(group_picture("rotor", plan, 1))
    rows = {cell[0]: cell for cell in cells(source)}
    assert list(rows) == [rf"\lstick{{$x_{{{f}}}$}}" for f in (2, 5, 8, 11)]
    order = [
        f
        for column in zip(*rows.values(), strict=True)
        for f, c in zip((2, 5, 8, 11), column, strict=True)
        if "alpha" in c
    ]
    assert sorted(order) == sorted(kept)
    joined = " ".join(cell for row in rows.values() for cell in row)
    assert joined.count(r"\meter{}") == 2
    assert joined.count(r"\meter{\ensuremath{\langle Z\rangle}}") == 1
    assert r"R_Y(\theta'_{1})" in joined
    assert rows[r"\lstick{$x_{2}$}"][-1] == r"\meter{\ensuremath{\langle Z\rangle}}"


def ancilla(angles, wires):
    """A user's block with a third wire, a multi-wire gate that skips one, and an open control."""
    qml.CRX(2 * angles[0], wires=[wires[0], wires[2]])
    qml.ctrl(qml.RY, control=wires[0], control_values=[0])(angles[0], wires=wires[1])
    qml.IsingXX(angles[0], wires=[wires[0], wires[2]])
    qml.SWAP(wires=[wires[0], wires[1]])


def test_a_users_ansatz():
    """Wires beyond two, open controls, swaps, gates on wires that are not neighbours."""
    ansatz = Ansatz("mine", ancilla, ("alpha",), {"random": Normal(1)}, "here", wires=3)
    source = to_quantikz(block_picture(ansatz))
    assert r"\octrl{1}" in source
    assert r"\gate{R_X(2\alpha)}" in source
    assert r"\swap{1}" in source
    assert source.count(r"R_{XX}(\alpha)") == 2
    assert r"\arrow[dash, uu]" in source
    assert "ancilla 1" in to_text(block_picture(ansatz))


def test_stage_prepares_each_block_anew():
    """Two blocks that read the same qubits have wires of their own."""
    mixing = Plan(2, (Stage((0, 1), (1, 0)), Stage((0,), (1,))), (1,))
    rows = cells(to_quantikz(stage_picture("rotor", mixing)))
    assert [row[0] for row in rows] == [rf"\lstick{{$x_{{{n}}}$}}" for n in (1, 2, 2, 1)]
    assert [row[1] for row in rows] == [rf"\gate{{R_Y(-\theta_{{{n}}})}}" for n in (1, 2, 2, 1)]
    assert [row[-1].startswith(r"\meter") for row in rows] == [False, True, False, True]
    later = cells(to_quantikz(stage_picture("rotor", mixing, 1, torch.tensor([[math.pi / 3]]))))
    assert [row[1] for row in later] == [r"\gate{R_Y(\theta'_{1})}", r"\gate{R_Y(\theta'_{2})}"]
    assert r"\gate{R_Y(-\pi/3)}" in later[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*circuits.names(), "group", "stage", "ancilla"])
def test_latex_compiles(tmp_path, name):
    """A standalone document becomes a PDF of one page, with any TeX that has quantikz."""
    latex = shutil.which("pdflatex")
    find = shutil.which("kpsewhich")
    files = ["standalone.cls", "tikzlibraryquantikz.code.tex"]
    if (
        latex is None
        or find is None
        or any(subprocess.run([find, file], check=False, stdout=subprocess.DEVNULL).returncode for file in files)
    ):
        pytest.skip("needs pdflatex with quantikz: apt-get install texlive-latex-extra texlive-pictures")
    pictures = {
        "group": lambda: group_picture("u_cu", tree(24, 6), 1),
        "stage": lambda: stage_picture("polar", chain(12, 3), 1),
        "ancilla": lambda: block_picture(Ansatz("mine", ancilla, ("alpha",), {"random": Normal(1)}, "here", wires=3)),
    }
    picture = pictures.get(name, lambda: block_picture(name))()
    (tmp_path / "circuit.tex").write_text(to_quantikz(picture, standalone=True))
    command = [latex, "-interaction=nonstopmode", "-halt-on-error", "circuit.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Output written on circuit.pdf (1 page" in run.stdout
    assert "Overfull" not in run.stdout


def test_mid_circuit_measurement():
    """A measurement inside a circuit is a meter."""
    with qml.queuing.AnnotatedQueue() as queue:
        qml.Hadamard(0)
        qml.measure(0)
    operations = tuple(qml.tape.QuantumScript.from_queue(queue).operations)
    source = to_quantikz(Picture(operations, ("a", "b"), (1,), Symbols({}), "measured"))
    assert cells(source)[0][1:3] == [r"\gate{H}", r"\meter{}"]


def test_standalone_is_a_whole_document():
    """With class, package and an end."""
    source = to_quantikz(block_picture("rotor"), standalone=True)
    assert source.startswith(r"\documentclass")
    assert source.rstrip().endswith(r"\end{document}")


def test_refusals():
    """Forms that a circuit does not have."""
    with pytest.raises(ValueError, match="expected 2 or 3"):
        to_qasm(block_picture("rotor"), 4)
    with pytest.raises(ValueError, match="measures between its blocks, and so is several circuits"):
        to_qasm(group_picture("rotor", chain(6, 2), 0))
    with pytest.raises(ValueError, match="output=3: the plan has outputs 0 to 2"):
        group_picture("rotor", chain(12, 3), 3)
    with pytest.raises(ValueError, match=r"got weights of shape \(2,\); a block of 'rotor' has 1 parameters"):
        block_picture("rotor", torch.zeros(2))
