"""The commands draw and gallery: from a name or a folder to a picture, from names to a page of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from hybrid_qproj.circuit_head import CircuitHead
from hybrid_qproj.circuits import Ansatz, get, names
from hybrid_qproj.drawing.figure import PAPER
from hybrid_qproj.drawing.gallery import write_gallery
from hybrid_qproj.drawing.save import save_image, save_picture
from hybrid_qproj.drawing.schematic import head_figure
from hybrid_qproj.drawing.subjects import Picture, ancestry, block_picture, group_picture, stage_picture
from hybrid_qproj.drawing.text import to_text
from hybrid_qproj.loading import load_quantum_head
from hybrid_qproj.plan import Plan, make_plan

PARTS = ("block", "stage", "group", "head")


def run_draw(
    what: str,
    out: Path | None,
    part: str = "block",
    sizes: tuple[int, int] = (768, 256),
    plan: str = "chain",
    stage: int = 0,
    output: int = 0,
    style: str = PAPER,
    standalone: bool = False,
    qasm_version: int = 3,
) -> str | None:
    """Draw a circuit.

    Args:
        what: an ansatz, drawn with symbols, or the folder of a saved head, drawn with its numbers.
        out: the file; None for text.
        part: a block, the first two and the last block of a stage, everything that one output is made of, or the whole
            head as a schematic.
        sizes: d and k of a head that is named by its ansatz.
        plan: of such a head.
        stage: which stage, from 0.
        output: which output's group, from 0; of a saved head's blocks, the one that writes this output.
        style: of images.
        standalone: whether LaTeX is a whole document.
        qasm_version: of OpenQASM.

    Returns:
        the drawing as text where there is no file.

    Raises:
        ValueError: no such ansatz, part, style, format, stage or output, or a form that the circuit does not have.
        CheckpointError: the folder holds no quantum head.
        OSError: the file cannot be written.
    """
    if part not in PARTS:
        near = difflib.get_close_matches(part, PARTS, n=1)
        raise ValueError(
            f"part {part!r}: expected one of {', '.join(PARTS)}" + (f"; did you mean {near[0]!r}?" if near else "")
        )
    head = load_quantum_head(what) if Path(what).is_dir() else None
    ansatz = get(what) if head is None else head.ansatz
    built = make_plan(plan, *sizes) if head is None else head.plan
    if part == "head":
        if out is None:
            return repr(built)
        save_image(head_figure(built, ansatz.name, style), out)
        return None
    picture = _picture(ansatz, built, head, part, stage, output)
    if out is None:
        return to_text(picture)
    save_picture(picture, out, style, standalone, qasm_version)
    return None


def _picture(ansatz: Ansatz, plan: Plan, head: CircuitHead | None, part: str, stage: int, output: int) -> Picture:
    weights = None if head is None else [layer.block_weights().detach() for layer in head.layers]
    if part == "stage":
        mine = None if weights is None or not 0 <= stage < len(weights) else weights[stage]
        return stage_picture(ansatz, plan, stage, mine)
    if part == "group":
        return group_picture(ansatz, plan, output, weights)
    if weights is None:
        return block_picture(ansatz)
    blocks = ancestry(plan, output)[0]
    if not blocks:
        raise ValueError(f"output={output} is a feature that no block touches; choose another")
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
