"""What a model card says of the head: written into the card that sentence-transformers makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.linear import stored_numbers, trainable_parameters
from hybrid_qproj.similarity.fidelity import LOGARITHMIC

if TYPE_CHECKING:
    from hybrid_qproj.heads.base import Head

HEADING = "## Projection head"
BEFORE = "## Usage"
"""Heading of the library's card before which the section stands."""
INSTALL = "pip install -U sentence-transformers"
OURS = 'pip install "hybrid-qproj[text]"'
LIBRARY = "First install the Sentence Transformers library:"
PAPER = "https://arxiv.org/abs/2501.04591"


def head_section(head: Head, made_by: str | None = None) -> str:
    """Markdown about a head.

    Args:
        head: any head.
        made_by: a sentence on how its weights came to be; None where nobody said.

    Returns:
        the section, which begins with `HEADING`.
    """
    width = head.output_width
    facts = {"Head": f"{head.kind}, {head.in_features} → {head.out_features} (k)"}
    if isinstance(head, CircuitHead):
        facts["Circuit"] = str(head.circuit)
        facts["Plan"] = f"{head.plan.name}: {head.plan.blocks:,} blocks in {len(head.plan.stages)} stages"
        # Not the device's string, which may carry a secret.
        facts["Device of its circuits"] = head.device.name
    facts["Parameters of the head"] = f"{trainable_parameters(head):,} trained, {stored_numbers(head):,} stored"
    facts["Numbers of a text"] = f"{width}: {4 * width:,} bytes as float32, {width:,} as int8"
    facts["How it was made"] = made_by or "not recorded"
    lines = [f"- **{name}:** {value}" for name, value in facts.items()]
    if head.similarity in LOGARITHMIC:
        what = "angles of qubits" if head.similarity == "fidelity" else "Bloch vectors of qubits"
        advice = (
            f"Outputs are {what}, compared by the logarithm of the **fidelity** of the states: `model.similarity`. "
            "Cosine and inner products of them say nothing. In a vector store, search by L2 and order what is found by "
            "`hybrid_qproj.log_fidelity`."
        )
    else:
        advice = "Outputs are compared by cosine: `model.similarity`."
    return "\n".join(
        [
            HEADING,
            "",
            f"Embeddings are compressed by a head of [hybrid-qproj](https://pypi.org/project/hybrid-qproj/) ({PAPER}).",
            "",
            *lines,
            "",
            advice,
            "",
            "`hybrid_qproj.load` runs no code that comes with the model and needs no `trust_remote_code`.",
            "",
            "",
        ]
    )


def with_head_section(card: str, head: Head, made_by: str | None = None) -> str:
    """A card of sentence-transformers, with the section on the head and this package's installation.

    Args:
        card: the library's; one that has the section already gets it anew.
        head: of the model.
        made_by: see `head_section`.

    Returns:
        the card.
    """
    section = head_section(head, made_by)
    if (start := card.find(HEADING)) >= 0:
        end = card.find(BEFORE, start)
        card = card[:start] + (card[end:] if end >= 0 else "")
    place = card.find(BEFORE)
    card = f"{card.rstrip()}\n\n{section}" if place < 0 else card[:place] + section + card[place:]
    return card.replace(LIBRARY, "First install this package:").replace(INSTALL, OURS)
