"""OpenQASM of every gate is read by qiskit's strict readers as the same unitary: theirs is the right value."""

from __future__ import annotations

import inspect
import math
import sys
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits
from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.plan import chain
from hybrid_qproj.viz.circuits import DrawingError, block_picture, stage_picture, to_qasm
from hybrid_qproj.viz.circuits.subjects import Picture
from hybrid_qproj.viz.circuits.symbols import Symbols

sys.path.insert(0, str(Path(__file__).parent))
from gates import gates

ANGLES = [(0.3, -1.1, 2.2), (1e-7, -1e-300, 0.0), (math.pi / 2, math.pi, -2 * math.pi), (20.0, -30.5, 1e3)]


def picture(*operations):
    return Picture(operations, tuple("abcd"), (1,), Symbols(), "test")


def read(program, version):
    """The circuit that qiskit reads."""
    if version == 2:
        return pytest.importorskip("qiskit.qasm2", reason="needs the extra 'qiskit'").loads(program, strict=True)
    pytest.importorskip("qiskit_qasm3_import", reason="needs the extra 'qiskit': qiskit reads version 3 by it")
    return pytest.importorskip("qiskit.qasm3", reason="needs the extra 'qiskit'").loads(program)


def difference(circuit, operations, wires, version):
    """Between what qiskit reads and what PennyLane runs; up to a global phase in version 2, which has none."""
    from qiskit.quantum_info import Operator  # noqa: PLC0415 - slow tests only

    found = Operator(circuit.reverse_bits()).data
    tape = qml.tape.QuantumScript([*operations, *(qml.I(wire) for wire in range(wires))])
    expected = np.asarray(qml.matrix(tape, wire_order=range(wires)))
    overlap = np.vdot(found, expected) / len(found)
    phase = 1 if version == 3 else overlap / abs(overlap)
    return np.abs(found * phase - expected).max()


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("angles", ANGLES)
def test_every_gate(version, angles):
    """Phase included, in version 3."""
    wrong = {}
    for name, gate in gates(*angles).items():
        found = difference(read(to_qasm(picture(gate), version), version), [gate], 4, version)
        if not found < 1e-9:
            wrong[name] = found
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("angle", [1e22, -1e-300, 1e-7, -1e9, 5e-324])
def test_one_angle_of_any_size(version, angle):
    """All of PennyLane's gates of one angle, enumerated; sums of two huge angles have no digits left to compare."""
    kinds = {
        kind
        for kind in vars(qml).values()
        if inspect.isclass(kind)
        and issubclass(kind, qml.operation.Operation)
        and not issubclass(kind, qml.operation.Channel)
        and kind.num_params == 1
        and kind.ndim_params == (0,)
        and isinstance(kind.num_wires, int)
    }
    assert len(kinds) >= 20
    tried = 0
    for kind in kinds:
        gate = kind(angle, wires=range(kind.num_wires))
        if not gate.has_matrix or gate.matrix().shape != (2**kind.num_wires,) * 2:
            continue  # of qutrits and of continuous variables
        tried += 1
        circuit = read(to_qasm(picture(gate), version), version)
        assert difference(circuit, [gate], 4, version) < 1e-9, kind.__name__
    assert tried >= 18


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
def test_every_gate_without_angles(version):
    """Enumerated."""
    tried = 0
    for kind in {k for k in vars(qml).values() if inspect.isclass(k) and issubclass(k, qml.operation.Operation)}:
        if kind.num_params != 0 or not isinstance(kind.num_wires, int) or not 1 <= kind.num_wires <= 4:
            continue
        gate = kind(wires=range(kind.num_wires))
        if gate.has_matrix and gate.matrix().shape == (2**kind.num_wires,) * 2:
            tried += 1
            assert difference(read(to_qasm(picture(gate), version), version), [gate], 4, version) < 1e-9, kind
    assert tried >= 15


def mixed(angles, wires):
    """Sums of parameters in gates that need a decomposition."""
    a, b, c = angles
    control, kept = wires
    qml.RX(a + b, wires=control)
    qml.IsingXX(3 * a - b, wires=wires)
    qml.IsingXY(b / 2 + math.pi / 2, wires=wires)
    qml.SX(wires=control)
    qml.GlobalPhase(a)
    qml.CRot(a, b, a + b, wires=wires)
    qml.PauliRot(c, "XY", wires=wires)
    qml.ctrl(qml.RY, control=control, control_values=[0])(b, wires=kept)
    qml.adjoint(qml.U3)(a, b, 1e-7, wires=kept)
    qml.U2(a, b, wires=kept)
    qml.ctrl(qml.U3, control=control)(a, b, c, wires=kept)
    qml.PSWAP(-c, wires=wires)
    qml.SingleExcitation(a - c, wires=wires)
    qml.ISWAP(wires=wires)
    qml.CPhaseShift10(0.37 * c, wires=wires)
    qml.QubitUnitary(np.array([[0, 1j], [1, 0]]), wires=control)
    qml.MultiRZ(a, wires=wires)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("a", "b", "c"), ("gate", "pi", "x_c"), ("β", "input", "50%"), ("q", "U", "θ'")])
@pytest.mark.parametrize("values", [(0.3, -1.1, 2.2), (1e-7, 4.0, -9.0)])
def test_inputs_of_version_3(names, values):
    """Parameters are inputs by names of their own; bound to numbers, the program is the ansatz at these numbers."""
    block = block_picture(Ansatz("mine", mixed, names, {"random": Normal(3)}, "here"))
    program = to_qasm(block, 3)
    given = dict(zip(names, values, strict=True))
    numbers = [given.get(symbol.name, 0.4) for symbol in block.symbols.all]
    assert [f"input float {name};" in program for name in block.symbols.qasm.names] == [True] * 5
    circuit = read(program, 3)
    assert {parameter.name for parameter in circuit.parameters} == set(block.symbols.qasm.names)
    circuit = circuit.assign_parameters(dict(zip(block.symbols.qasm.names, numbers, strict=True)))
    with qml.queuing.AnnotatedQueue() as queue:
        qml.RY(0.4, wires=0)
        qml.RY(0.4, wires=1)
        mixed(values, [0, 1])
    operations = qml.tape.QuantumScript.from_queue(queue).operations
    assert difference(circuit, operations, 2, 3) < 1e-9
    encoded = {symbol.name: 0.4 for symbol in block.symbols.all if symbol.name not in names}
    assert difference(read(to_qasm(block, 2, {**given, **encoded}), 2), operations, 2, 2) < 1e-9


CONTROLLED = {
    f"{kind.__name__} {values}": (kind, values)
    for kind in (qml.RX, qml.RY, qml.RZ, qml.PhaseShift)
    for values in ([1, 1], [1, 0], [0, 0, 1])
}


@pytest.mark.parametrize("name", CONTROLLED)
@pytest.mark.parametrize("version", [2, 3])
def test_rotations_under_several_controls(name, version):
    """An angle that is a parameter stays one, whatever the controls are."""
    kind, values = CONTROLLED[name]

    def circuit(angles, wires):
        qml.ctrl(kind(angles[0] - angles[1], wires[-1]), wires[: len(values)], control_values=values)

    mine = Ansatz("mine", circuit, ("a", "b"), {"random": Normal(2)}, "here", wires=len(values) + 1)
    for a in (0.7, 20.0):
        given = {"a": a, "b": 0.4, "x_c": 0.3, "x_b": -1.1}
        # Version 2 by values, version 3 by inputs.
        found = read(to_qasm(block_picture(mine), version, given if version == 2 else None), version)
        found = found.assign_parameters({parameter: given[parameter.name] for parameter in found.parameters})
        with qml.queuing.AnnotatedQueue() as queue:
            qml.RY(0.3, 0)
            qml.RY(-1.1, 1)
            circuit([a, 0.4], range(mine.wires))
        run = qml.tape.QuantumScript.from_queue(queue).operations
        assert difference(found, run, mine.wires, version) < 1e-9


def test_parts_that_depend_on_values():
    """A power on whose matrix and decomposition PennyLane disagrees past a turn: said, however many parts there are."""

    def circuit(angles, wires):
        qml.pow(qml.RX(angles[0], wires[1]), 1e-7)

    with pytest.raises(DrawingError, match="its decomposition depends on their values"):
        to_qasm(block_picture(Ansatz("mine", circuit, ("a",), {"random": Normal(1)}, "here")), 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", circuits.names())
def test_built_in_ansaetze_with_inputs(name):
    """Every parameter is an input, those of phases that no gate has too."""
    block = block_picture(name)
    program = to_qasm(block)
    for parameter in ("x_c", "x_b", *circuits.get(name).parameter_names):
        assert f"input float {parameter};" in program
    assert len(read(program, 3).parameters) == len(block.symbols)


def test_program():
    """As OpenQASM's grammar has it; the numbers of a comment are those of the gates."""
    block = block_picture("rotor")
    assert to_qasm(block).splitlines()[:3] == ["OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[2] q;"]
    assert to_qasm(block).splitlines()[-5:] == [
        "input float alpha;",
        "ry(x_c) q[0];",
        "ry(x_b) q[1];",
        "cz q[0], q[1];",
        "ry(-alpha) q[1];",
    ]
    lines = to_qasm(block, 2, {"alpha": 1e-7, "x_c": 1e22}).splitlines()
    assert "ry(-1.0e-07) q[1];" in lines
    assert "ry(1.0e+22) q[0];" in lines
    (told,) = [line for line in lines if line.startswith("// x_b")]
    assert "x_b = -1.5707963267948966: the RY angle" in told
    assert "no value was given, this is that of a feature of 0" in told
    trained = to_qasm(block_picture("rotor", torch.tensor([0.5])), 3)
    assert "ry(-0.5) q[1];" in trained
    assert "input float alpha" not in trained
    assert "input float x_c;" in trained
    assert to_qasm(stage_picture("rotor", chain(6, 2), 1)).count("input float theta") == 4


def test_functions_need_values():
    """What OpenQASM cannot say is an error that names the function; with values it is the function's."""

    def circuit(angles, wires):
        qml.CRX(torch.sin(angles[0]) * angles[1], wires=wires)
        qml.RY(angles[1], wires=wires[1])

    block = block_picture(Ansatz("mine", circuit, ("a", "b"), {"random": Normal(2)}, "here"))
    with pytest.raises(DrawingError, match=r"gate CRX has f\(a, b\), which OpenQASM cannot say"):
        to_qasm(block)
    with pytest.raises(DrawingError, match=r"f\(a, b\)"):
        to_qasm(block, 3, {"a": 0.3})
    program = to_qasm(block, 3, {"a": 0.3, "b": 2.0})
    (line,) = [line for line in program.splitlines() if line.startswith("crx(")]
    assert float(line[4:].split(")")[0]) == pytest.approx(2 * math.sin(0.3), abs=1e-15)


def test_names_cannot_break_out():
    """A name with a newline stays in its comment."""
    names = ("a\nx q[0];", "b; //", "é")

    def circuit(angles, wires):
        for angle in angles:
            qml.RX(angle, wires=wires[0])

    program = to_qasm(block_picture(Ansatz("m", circuit, names, {"random": Normal(3)}, "here")))
    assert program.isascii()
    starts = {line.split("(")[0].split(" ")[0] for line in program.splitlines()}
    assert starts == {"OPENQASM", "include", "qubit[2]", "//", "input", "ry", "rx"}


def test_global_phase():
    """Kept where there is one, and said where there is none."""
    phase = picture(qml.GlobalPhase(0.25), qml.X(0))
    assert "gphase(-0.25);" in to_qasm(phase, 3)
    two = to_qasm(phase, 2)
    assert "gphase" not in two
    assert "// Version 2 has no global phase" in two


def measured(angles, wires):
    qml.RX(angles[0], wires=wires[0])
    qml.measure(wires[0])


REFUSED = [
    (qml.AmplitudeDamping(0.1, wires=0), "is no gate, so OpenQASM cannot say it"),
    (qml.Projector([1], wires=0), "is no unitary gate"),
    (qml.exp(qml.X(0), 0.3), "is no unitary gate"),
    (qml.X(0) + qml.Z(0), "is no unitary gate"),
    (qml.RX(math.nan, wires=0), "no finite number"),
    (qml.RX(math.inf, wires=0), "no finite number"),
    (qml.TRX(0.1, wires=0), "TRX"),
    (qml.Squeezing(0.1, 0.2, wires=0), "has no decomposition"),
]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("gate", "message"), REFUSED, ids=lambda value: getattr(value, "name", None))
def test_what_cannot_be_said(gate, message, version):
    """Is an error, never another circuit."""
    with pytest.raises(DrawingError, match=message):
        to_qasm(picture(gate), version)


def test_refusals():
    """Measurements inside, values that are missing, unknown or no numbers."""
    block = block_picture(Ansatz("mine", measured, ("a",), {"random": Normal(1)}, "here"))
    with pytest.raises(DrawingError, match="measures inside"):
        to_qasm(block)
    rotor = block_picture("rotor")
    with pytest.raises(DrawingError, match="OpenQASM 2 knows no parameters: give values of alpha"):
        to_qasm(rotor, 2)
    with pytest.raises(DrawingError, match="a value for 'alhpa'; did you mean 'alpha'"):
        to_qasm(rotor, 3, {"alhpa": 1.0})
    for value in (math.nan, "1", None, True):
        with pytest.raises(DrawingError, match="expected a finite number"):
            to_qasm(rotor, 3, {"alpha": value})
