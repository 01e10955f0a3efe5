"""The command draw: from a name or a folder to a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hybrid_qproj.circuit_head import CircuitHead
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.drawing.figure import PAPER
from hybrid_qproj.drawing.save import save_image, save_picture
from hybrid_qproj.drawing.schematic import head_figure
from hybrid_qproj.drawing.subjects import Picture, block_picture, group_picture
from hybrid_qproj.drawing.text import to_text
from hybrid_qproj.loading import load_quantum_head
from hybrid_qproj.plan import Plan, make_plan

Part = Literal["block", "group", "head"]


def run_draw(
    what: str,
    out: Path | None,
    part: Part = "block",
    sizes: tuple[int, int] = (768, 256),
    plan: str = "chain",
    output: int = 0,
    style: str = PAPER,
    standalone: bool = False,
    qasm_version: int = 3,
) -> str | None:
    """Draw a circuit.

    Args:
        what: an ansatz, drawn with symbols, or the folder of a saved head, drawn with its numbers.
        out: the file; None for text.
        part: a block, everything that one output is made of, or the whole head as a schematic.
        sizes: d and k of a head that is named by its ansatz.
        plan: of such a head.
        output: which output's group; of a saved head's blocks, the first one that this output depends on.
        style: of images.
        standalone: whether LaTeX is a whole document.
        qasm_version: of OpenQASM.

    Returns:
        the drawing as text where there is no file.

    Raises:
        ValueError: no such ansatz, style, format or output, or a form that the circuit does not have.
        CheckpointError: the folder holds no quantum head.
        OSError: the file cannot be written.
    """
    head = load_quantum_head(what) if Path(what).is_dir() else None
    ansatz = get(what) if head is None else head.ansatz
    built = make_plan(plan, *sizes) if head is None else head.plan
    if part == "head":
        if out is None:
            return repr(built)
        save_image(head_figure(built, ansatz.name, style), out)
        return None
    picture = _picture(ansatz, built, head, part, output)
    if out is None:
        return to_text(picture)
    save_picture(picture, out, style, standalone, qasm_version)
    return None


def _picture(ansatz: Ansatz, plan: Plan, head: CircuitHead | None, part: Part, output: int) -> Picture:
    weights = None if head is None else [layer.weights.detach() for layer in head.layers]
    if part == "group":
        return group_picture(ansatz, plan, output, weights)
    if weights is None:
        return block_picture(ansatz)
    if not 0 <= output < len(plan.stages[-1]):
        raise ValueError(f"output={output}: the last stage has blocks 0 to {len(plan.stages[-1]) - 1}")
    return block_picture(ansatz, weights[-1][output])
