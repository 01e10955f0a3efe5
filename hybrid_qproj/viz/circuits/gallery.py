"""A page of ansaetze for people: figure, parameters, gates, depth and source of each."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from hybrid_qproj._util.files import write_atomically, writing
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.compilation import compile_for
from hybrid_qproj.viz.circuits.figure import to_figure
from hybrid_qproj.viz.circuits.subjects import block_picture
from hybrid_qproj.viz.circuits.text import to_text
from hybrid_qproj.viz.image import image_bytes

IMAGES = "images"
PAGE = "README.md"

HEADER = """# Ansaetze

Blocks, each declared once as a PennyLane quantum function. $x_c$ and $x_b$ are the encoded
features of the control and of the kept qubit, whose Pauli Z is read. This page is made by `{command}`.

| ansatz | parameters | gates | two-qubit gates | depth | compiled: two-qubit gates | compiled: depth |
|---|--:|--:|--:|--:|--:|--:|
"""
FOOTER = """
Gates and depth include the two rotations that encode. Compiled: for a machine with CNOT, CZ and single-qubit rotations.
"""


def gallery_page(ansaetze: Sequence[Ansatz], command: str) -> str:
    """The page.

    Args:
        ansaetze: in their order.
        command: what makes the page, for people.

    Returns:
        Markdown with relative links to the images.
    """
    sections = "".join(_section(ansatz) for ansatz in ansaetze)
    return HEADER.format(command=command) + "".join(_row(ansatz) for ansatz in ansaetze) + FOOTER + sections


def write_gallery(ansaetze: Sequence[Ansatz], folder: Path, command: str) -> None:
    """Write the page and an SVG for each ansatz.

    Each SVG holds its circuit as text in its description, so that one that is out of date can be told.

    Args:
        ansaetze: in their order.
        folder: made if missing; gets README.md and a folder of images.
        command: what makes the page, for people.

    Raises:
        OutputError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    with writing(folder):
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    for ansatz in ansaetze:
        picture = block_picture(ansatz)
        figure = to_figure(picture)
        content = image_bytes(figure, "svg", tight=True, description=to_text(picture))
        write_atomically(folder / IMAGES / f"{ansatz.name}.svg", content)
    write_atomically(folder / PAGE, gallery_page(ansaetze, command).encode())


def _row(ansatz: Ansatz) -> str:
    tape = block_picture(ansatz).tape
    resources = tape.specs["resources"]
    compiled = compile_for(tape, DeviceSpec("default.qubit"))
    numbers = (
        ansatz.parameters,
        resources.num_gates,
        resources.gate_sizes.get(2, 0),
        resources.depth,
        compiled.two_qubit_gates,
        compiled.depth,
    )
    return f"| [{ansatz.name}](#{ansatz.name}) | {' | '.join(map(str, numbers))} |\n"


def _section(ansatz: Ansatz) -> str:
    about = (inspect.getdoc(ansatz.circuit) or "").strip()
    return (
        f"\n## {ansatz.name}\n\n"
        + (f"{about}\n\n" if about else "")
        + f"![{ansatz.name}]({IMAGES}/{ansatz.name}.svg)\n\n"
        f"- Parameters: {', '.join(f'`{name}`' for name in ansatz.parameter_names)}\n"
        f"- Initialisers: {', '.join(f'`{name}`' for name in ansatz.initializers)}\n"
        f"- Source: {ansatz.citation}\n"
    )
