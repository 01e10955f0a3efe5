"""Circuits as OpenQASM 2 and 3."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pennylane.operation import Operator

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.viz.circuits.angles import Angle
from hybrid_qproj.viz.circuits.basis import NAMES_2, NAMES_3, standard_parts
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import Gate, constants
from hybrid_qproj.viz.circuits.matrices import PHASE
from hybrid_qproj.viz.circuits.subjects import Picture, Reprepare
from hybrid_qproj.viz.circuits.symbols import decimal

HEADERS = {
    2: ("OPENQASM 2.0;", 'include "qelib1.inc";', "qreg q[{wires}];"),
    3: ("OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[{wires}] q;"),
}


def to_qasm(picture: Picture, version: int = 3, values: Mapping[str, float] | None = None) -> str:
    """A circuit as OpenQASM, without the final measurement, for any reader of the standard.

    Args:
        picture: the circuit.
        version: 2 or 3. Symbols without values are inputs of the program in version 3. Version 2 knows no inputs:
            there, parameters need values, and encoding angles without one are those of a feature of 0, as a comment
            says.
        values: numbers for symbols, in radians, by the names that they are drawn with: ``{"x_c": 0.3, "alpha": 1.0}``.

    Returns:
        the program; a global phase is left out of version 2, which a comment says.

    Raises:
        DrawingError: another version; no such symbol; a value is missing or no finite number; the circuit measures in
            between and so is several circuits; or it holds something that OpenQASM cannot say.
    """
    if version not in HEADERS:
        raise DrawingError(f"OpenQASM version {version!r}: expected 2 or 3")
    if any(isinstance(operation, Reprepare) for operation in picture.operations):
        raise DrawingError(
            f"{picture.title} measures between its blocks, and so is several circuits; export its block, which runs on "
            "its own, or draw it as a picture"
        )
    numbers, notes = _values(picture, version, values or {})
    gates = _bound(picture, numbers)
    names = NAMES_2 if version == 2 else NAMES_3  # noqa: PLR2004 - a version
    lines, dropped = [], False
    for gate in gates:
        for name, wires, angles in standard_parts(gate, names, picture.symbols.text.write):
            if name == PHASE and version == 2:  # noqa: PLR2004 - a version
                dropped = True
                continue
            lines += _lines(picture, name, wires, angles, names)
    if dropped:
        notes.append("Version 2 has no global phase: one that the circuit has is left out.")
    inputs = [
        f"input float {name};"
        for number, name in enumerate(picture.symbols.qasm.names)
        if version == 3 and number not in numbers  # noqa: PLR2004 - a version
    ]
    head = [line.format(wires=len(picture.wires)) for line in HEADERS[version]]
    return "\n".join([*head, *(f"// {_comment(note)}" for note in notes), *inputs, *lines]) + "\n"


def _lines(
    picture: Picture, name: str, wires: tuple[int, ...], angles: tuple[Angle, ...], names: Mapping[str, str]
) -> list[str]:
    if any(isinstance(angle.constant, complex) or not math.isfinite(angle.constant) for angle in angles):
        raise DrawingError(f"gate {name} has an angle that is no finite number; OpenQASM has none for it")
    if name == PHASE:
        # PennyLane's phase is exp(-i angle).
        angles = tuple(Angle(-_turn(a.constant.real), tuple((s, -factor) for s, factor in a.terms)) for a in angles)
    if wrong := [wire for wire in wires if wire not in range(len(picture.wires))]:
        raise DrawingError(
            f"a part of the circuit needs another wire ({wrong[0]!r}), so it cannot be written in OpenQASM"
        )
    if name == "Identity":
        return [f"id q[{wire}];" for wire in wires]
    if name == "Barrier" and not wires:
        wires = tuple(range(len(picture.wires)))
    inside = ", ".join(picture.symbols.qasm.write(angle) for angle in angles)
    call = names.get(name, "gphase") + (f"({inside})" if angles else "")
    return [call + (f" {', '.join(f'q[{wire}]' for wire in wires)}" if wires else "") + ";"]


def _turn(phase: float) -> float:
    """A phase, where it is many turns, without them: readers lose the digits of huge ones."""
    return phase if abs(phase) < 2 * math.pi else math.atan2(math.sin(phase), math.cos(phase))


def _values(picture: Picture, version: int, given: Mapping[str, float]) -> tuple[dict[int, float], list[str]]:
    """Values by number of their symbols, and what a reader must know of the symbols."""
    symbols = {symbol.name: number for number, symbol in enumerate(picture.symbols.all)}
    for name, value in given.items():
        if name not in symbols:
            known = ", ".join(symbols) or "none: all its angles are numbers"
            hint = suggestion(name, symbols, otherwise=";")
            raise DrawingError(f"a value for {name!r}{hint} the circuit's symbols are {known}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise DrawingError(f"the value of {name!r} is {value!r}; expected a finite number, in radians")
    numbers = {symbols[name]: float(value) for name, value in given.items()}
    written = [
        f"{symbol.name} = {decimal(numbers[n])}: {symbol.meaning}."
        for n, symbol in enumerate(picture.symbols.all)
        if n in numbers
    ]
    if version == 3:  # noqa: PLR2004 - a version
        open_ = [(n, symbol) for n, symbol in enumerate(picture.symbols.all) if n not in numbers]
        spelt = picture.symbols.qasm.names
        stands = [symbol.name if symbol.name == spelt[n] else f"{spelt[n]} is {symbol.name!r}" for n, symbol in open_]
        told = [f"{name}: {symbol.meaning}." for name, (_, symbol) in zip(stands, open_, strict=True)]
        return numbers, [*written, *told]
    missing = [
        symbol.name for n, symbol in enumerate(picture.symbols.all) if n not in numbers and symbol.neutral is None
    ]
    if missing:
        raise DrawingError(
            f"OpenQASM 2 knows no parameters: give values of {', '.join(missing)} (values={{name: radians}}, or "
            "--values name=radians,...), export a saved model, or take version 3"
        )
    for number, symbol in enumerate(picture.symbols.all):
        if number not in numbers and symbol.neutral is not None:
            numbers[number] = symbol.neutral
            written.append(
                f"{symbol.name} = {decimal(symbol.neutral)}: {symbol.meaning}; no value was given, this is that of a "
                "feature of 0."
            )
    return numbers, written


def _comment(text: str) -> str:
    """One line of ASCII, whatever a name holds."""
    return text.encode("ascii", "backslashreplace").decode().translate(dict.fromkeys(range(32), " "))


def _bound(picture: Picture, numbers: dict[int, float]) -> list[Gate]:
    """Gates with numbers for those of their symbols that have one."""
    anew: dict[int, Operator] = {}
    for block in picture.blocks:
        if set(block.numbers) & set(numbers):
            anew.update(block.gates_at(numbers))
    gates = []
    for place, (operation, slots) in enumerate(picture.gates):
        free = {symbol for slot in slots for symbol in slot.symbols}
        if free and free <= set(numbers) and place in anew:
            found = anew[place]
            if (type(found), found.wires) != (type(operation), operation.wires):
                raise DrawingError(f"for these values the circuit has a gate {found.name} in place of {operation.name}")
            gates.append((found, constants(found)))
        else:
            bound = [slot.bound(numbers) for slot in slots]
            gates.append((operation, tuple(bound)))
    return gates
