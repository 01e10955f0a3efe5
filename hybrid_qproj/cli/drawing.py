"""The commands draw and gallery: from a name or a folder to a picture, from names to a page of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.circuits import Ansatz, get, names
from hybrid_qproj.cli.heads import open_head
from hybrid_qproj.plan import Plan, make_plan
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.figure import PAPER, check_style
from hybrid_qproj.viz.circuits.gallery import write_gallery
from hybrid_qproj.viz.circuits.save import IMAGES, SOURCES, check_place, format_of, save_image, save_picture
from hybrid_qproj.viz.circuits.subjects import Picture, block_picture, group_picture, stage_picture
from hybrid_qproj.viz.circuits.text import to_text

if TYPE_CHECKING:
    from hybrid_qproj.heads.circuit import CircuitHead

PARTS = ("block", "stage", "group", "head")

SIZES = (768, 256)
MOST_FEATURES = 1 << 16
"""Largest d of a head that is planned to be drawn; more than any encoder has."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", flags=re.ASCII)
PLAN = "chain"


@dataclass(frozen=True)
class DrawOptions:
    """What of a drawing can be asked for; None is what nobody asked for.

    Args:
        sizes: d and k of a head that is named by its ansatz.
        plan: of such a head.
        stage: which stage, from 0.
        output: which output's group, from 0; of a saved head's blocks, the one that writes this output.
        style: of images.
        standalone: whether LaTeX is a whole document.
        qasm_version: of OpenQASM.
        values: of OpenQASM: ``"name=radians,name=radians"``.
    """

    sizes: tuple[int, int] | None = None
    plan: str | None = None
    stage: int | None = None
    output: int | None = None
    style: str | None = None
    standalone: bool | None = None
    qasm_version: int | None = None
    values: str | None = None

    def check(self, saved: bool, part: str, suffix: str | None) -> None:
        """Refuse options that would be ignored.

        Args:
            saved: whether a saved head is drawn.
            part: of the head.
            suffix: of the file; None for text on a terminal.

        Raises:
            DrawingError: an option says nothing about this drawing.
        """
        merging = "a part that an ansatz alone does not have: --part stage, group or head"
        kind = f"a .{suffix} file" if suffix else "text on the terminal"
        uses = {
            "sizes": (not saved and part != "block", merging),
            "plan": (not saved and part != "block", merging),
            "stage": (part == "stage", "--part stage"),
            "output": (part == "group" or (saved and part == "block"), "--part group, or a block of a saved head"),
            "style": (suffix in IMAGES, f"images ({', '.join(IMAGES)}); this is {kind}"),
            "standalone": (suffix == "tex", f"a .tex file; this is {kind}"),
            "qasm_version": (suffix == "qasm", f"a .qasm file; this is {kind}"),
            "values": (suffix == "qasm", f"a .qasm file; this is {kind}"),
        }
        for name, (used, where) in uses.items():
            if getattr(self, name) is not None and not used:
                option = f"--{name.replace('_', '-')}"
                if saved and name in ("sizes", "plan"):
                    raise DrawingError(f"{option} does not go with a saved head, which has its own; leave it out")
                raise DrawingError(f"{option} says nothing about this drawing (--part {part}): it is for {where}")


def run_draw(
    what: str,
    out: Path | None,
    part: str = "block",
    options: DrawOptions | None = None,
    ansaetze: Sequence[str] = (),
) -> str | None:
    """Draw a circuit.

    Args:
        what: an ansatz, drawn with symbols, or the folder of a saved head, drawn with its numbers. No device is built.
        out: the file; None for text.
        part: a block, the first two and the last block of a stage, everything that one output is made of, or the whole
            head as a schematic.
        options: the rest.
        ansaetze: your own ones that a saved head may name; see `hybrid_qproj.load`.

    Returns:
        the drawing as text where there is no file.

    Raises:
        PlanError: no such output, or sizes that no plan has.
        DrawingError: no such part, style, format or stage; a form that the circuit does not have; or an option
            that would be ignored.
        AnsatzError: no such ansatz.
        CheckpointError: the folder holds no quantum head.
        DrawingFileError: the file cannot be written.
    """
    options = options or DrawOptions()
    if part not in PARTS:
        raise DrawingError(f"part {part!r}: expected one of {', '.join(PARTS)}{suggestion(part, PARTS)}")
    suffix = None
    if out is not None:
        suffix = format_of(out, IMAGES if part == "head" else (*IMAGES, *SOURCES))
        check_place(out)
    saved = Path(what).is_dir()
    if saved and what in names():
        raise DrawingError(f"{what!r} is an ansatz and a folder here; for the folder, write ./{what}")
    options.check(saved, part, suffix)
    style = options.style or PAPER
    check_style(style)
    values = {} if options.values is None else read_values(options.values)
    if options.sizes is not None and max(options.sizes) > MOST_FEATURES:
        raise DrawingError(
            f"--sizes {options.sizes[0]} {options.sizes[1]}: expected at most {MOST_FEATURES:,} features"
        )
    head = open_head(what, ansaetze) if saved else None
    ansatz = get(what) if head is None else head.ansatz
    built = make_plan(options.plan or PLAN, *(options.sizes or SIZES)) if head is None else head.plan
    if part == "head":
        if out is None:
            return repr(built)
        from hybrid_qproj.viz.method.merges import merge_graph  # noqa: PLC0415 - as heads, a second that others save

        save_image(merge_graph(built, style="schematic", circuit=ansatz.name), out)
        return None
    picture = _picture(ansatz, built, head, part, options.stage or 0, options.output or 0)
    if out is None:
        return to_text(picture)
    version = 3 if options.qasm_version is None else options.qasm_version
    save_picture(picture, out, style, bool(options.standalone), version, values)
    return None


def read_values(text: str) -> dict[str, float]:
    """Values as a command line gives them.

    Args:
        text: ``"name=radians,name=radians"``.

    Raises:
        DrawingError: it has another form, or a name twice.

    Examples:
        >>> read_values("alpha=0.1,x_c=-2")
        {'alpha': 0.1, 'x_c': -2.0}
    """
    found: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, value = entry.rpartition("=")
        # Not what Python takes beside it: 1_0 and digits of other scripts.
        number = float(value) if NUMBER.fullmatch(value.strip()) else math.nan
        if not equals or not name.strip() or not math.isfinite(number):
            raise DrawingError(f"--values: {entry!r} is no name=radians; expected for example alpha=0.1,x_c=0.5")
        if name.strip() in found:
            raise DrawingError(f"--values: {name.strip()!r} has two values")
        found[name.strip()] = number
    return found


def _picture(ansatz: Ansatz, plan: Plan, head: CircuitHead | None, part: str, stage: int, output: int) -> Picture:
    weights = None if head is None else [layer.block_weights().detach() for layer in head.layers]
    if part == "stage":
        mine = None if weights is None or not 0 <= stage < len(weights) else weights[stage]
        return stage_picture(ansatz, plan, stage, mine)
    if part == "group":
        return group_picture(ansatz, plan, output, weights)
    if weights is None:
        return block_picture(ansatz)
    blocks = plan.ancestry(output).blocks
    if not blocks:
        raise DrawingError(f"output={output} is a feature that no block touches; choose another")
    number, block = blocks[-1]
    return block_picture(ansatz, weights[number][block])


def run_gallery(folder: Path, circuits: Sequence[str] = ()) -> list[Ansatz]:
    """Write a page with a figure of each ansatz.

    Args:
        folder: of README.md and its images.
        circuits: ansaetze; all built-in ones when empty.

    Returns:
        the ansaetze drawn.

    Raises:
        AnsatzError: one is not known.
        OSError: the folder cannot be written.
    """
    ansaetze = [get(name) for name in circuits or names()]
    write_gallery(ansaetze, folder, " ".join(["hybrid-qproj gallery", folder.name, *circuits]))
    return ansaetze
