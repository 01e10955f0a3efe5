"""Circuits as OpenQASM 2 and 3."""

from __future__ import annotations

import re

import pennylane as qml

from hybrid_qproj.drawing.subjects import Picture, Reprepare

NOT_IN_2 = ("CRX", "CRY")
"""Gates that PennyLane writes by name, and that version 2's qelib1.inc does not have."""


def to_qasm(picture: Picture, version: int = 3) -> str:
    """A circuit as OpenQASM, its angles as numbers, without the final measurement.

    Args:
        picture: the circuit; symbols have no values that mean anything, so draw trained weights or random ones.
        version: 2 or 3.

    Returns:
        the program.

    Raises:
        ValueError: another version, or the circuit measures in between: that is several circuits.
    """
    if version not in (2, 3):
        raise ValueError(f"OpenQASM version {version!r}: expected 2 or 3")
    if any(isinstance(operation, Reprepare) for operation in picture.operations):
        raise ValueError(
            f"{picture.title} measures between its blocks, and so is several circuits; export its block, which runs on "
            "its own, or draw it as a picture"
        )
    operations = list(picture.operations)
    if version == 2:  # noqa: PLR2004 - a version
        operations = [
            part for gate in operations for part in (gate.decomposition() if gate.name in NOT_IN_2 else [gate])
        ]
    tape = qml.tape.QuantumScript(operations)
    program = qml.to_openqasm(tape, wires=range(len(picture.wires)), measure_all=False, precision=12)
    return program if version == 2 else _version_3(program)  # noqa: PLR2004 - a version


def _version_3(program: str) -> str:
    """The same program in version 3: gates of qelib1.inc are those of stdgates.inc."""
    text = program.replace("OPENQASM 2.0;", "OPENQASM 3.0;").replace('include "qelib1.inc";', 'include "stdgates.inc";')
    text = re.sub(r"^qreg (\w+)\[(\d+)\];", r"qubit[\2] \1;", text, flags=re.MULTILINE)
    return re.sub(r"^creg \w+\[\d+\];\n", "", text, flags=re.MULTILINE)
