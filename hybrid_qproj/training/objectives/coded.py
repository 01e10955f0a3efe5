"""Learning through the code: documents are what their codes decode to, so that a head learns what its code keeps."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor

from hybrid_qproj.codec import Codec
from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.codec.checks import Similarity, check_codec
from hybrid_qproj.codec.scheme import LEAST_ROWS, Score
from hybrid_qproj.heads.base import Head
from hybrid_qproj.training.objectives.base import Batch, Objective, ObjectiveError

REMEMBERED = 2048
"""Outputs of earlier steps that a codec is fitted to, beside those of the batch."""


class Code(NamedTuple):
    """The code that a head's documents will have.

    Attributes:
        scheme: a name of `hybrid_qproj.codec.registry.names`.
        bytes: of a document.
        score: see `hybrid_qproj.codec.Codec.scores`; None for the scheme's own.
    """

    scheme: str
    bytes: int
    score: Score | None = None


class Coded(Objective):
    """An objective in which documents are what their codes decode to, and queries stay in float.

    The gradient passes a code as if it were not there (the straight-through estimator: Bengio, Leonard and Courville
    2013, arXiv:1308.3432). At each step the codec is fitted anew to the outputs of the batch and of the steps before,
    since the outputs move. Decoded documents are made as far from the origin of the codec's score as the outputs are,
    because a score by cosine does not see their length.

    Args:
        objective: the loss.
        head: the head that is trained.
        code: of its documents.

    Raises:
        ObjectiveError: a scheme that FAISS fits, which is too slow for every step, or one that the head's outputs do
            not go with.
        CodecError: no such scheme, or bytes that it cannot give.
    """

    def __init__(self, objective: Objective, head: Head, code: Code) -> None:
        super().__init__()
        check_codec(code.scheme, head.output_width, code.bytes, head.similarity, code.score)
        if codecs.get(code.scheme).uses_faiss:
            able = ", ".join(name for name in codecs.names() if not codecs.get(name).uses_faiss)
            raise ObjectiveError(
                f"no training through the codec {code.scheme!r}, which FAISS fits; expected one of {able}"
            )
        self.objective, self.code = objective, code
        # Buffers, so that a run that was interrupted goes on with the same codecs.
        self.memory: Tensor
        self.seen: Tensor
        self.register_buffer("memory", torch.zeros(REMEMBERED, head.output_width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The loss of a head on a batch.

        Args:
            head: the head.
            batch: as the objective takes it.

        Returns:
            a scalar.
        """
        outputs = torch.cat(batch.outputs)
        rows = torch.cat([outputs.detach().to(self.memory), self.memory[: int(self.seen)]])
        if len(rows) < LEAST_ROWS:
            raise ObjectiveError(f"a batch of {len(rows)} outputs; a codec is fitted to {LEAST_ROWS} at least")
        similarity = cast(Similarity, head.similarity)
        codec = Codec.fit(rows, self.code.bytes, self.code.scheme, similarity=similarity, score=self.code.score)
        decoded = through(codec, outputs)
        if torch.is_grad_enabled():
            kept = rows[:REMEMBERED]
            self.memory[: len(kept)] = kept
            self.seen.fill_(len(kept))
        return self.objective(head, batch._replace(documents=decoded.split([len(column) for column in batch.outputs])))


def through(codec: Codec, outputs: Tensor) -> Tensor:
    """What outputs are after coding and decoding, with the gradient of the outputs.

    Args:
        codec: fitted.
        outputs: (n, k).

    Returns:
        (n, k), as far from the codec's origin as the outputs are.
    """
    there = outputs.detach()
    origin = codec.origin.to(there)
    off = codec.decode(codec.encode(there)).to(there) - origin
    length = (there - origin).norm(dim=1, keepdim=True) / off.norm(dim=1, keepdim=True).clamp_min(1e-12)
    decoded = origin + off * length
    if codec.similarity == "fidelity":
        decoded = decoded.clamp(0, math.pi)
    return outputs + (decoded - there)


def coded(objective: Objective, head: Head, code: Code | None) -> Objective:
    """An objective through a code, or as it is where there is none."""
    return objective if code is None else Coded(objective, head, code)
