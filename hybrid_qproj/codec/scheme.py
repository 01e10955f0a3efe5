"""What a scheme is: how outputs become bytes and come back, and which numbers that takes."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.book import Book
from hybrid_qproj.codec.errors import CodecError

Score = Literal["fidelity", "cosine", "centred"]
SCORES: tuple[str, ...] = get_args(Score)
"""How a query is compared with a decoded document: see `hybrid_qproj.codec.codec.Codec.scores`."""
LEAST_ROWS = 2
"""Outputs that a scheme is fitted to at least: of one there is no deviation."""
SHOWN = 12
"""Numbers of bytes that an error lists."""
LARGEST = 1e9
"""Number of a scheme at most: what is larger is no output's, and its square could overflow."""
SKEW = 1e-3
"""By which the rows of a rotation that was stored in single precision may miss being orthonormal."""
FLOAT = (torch.float32,)


@dataclass(frozen=True, eq=False)
class Scheme(ABC):
    """A way to code outputs, fitted.

    Its fields beside sizes are the tensors that it needs to code and to decode: they are what is stored, and counted.

    Args:
        width: k, numbers of an output.
        bytes: of a code.
    """

    name: ClassVar[str]
    """In configurations and files."""
    score: ClassVar[Score] = "cosine"
    """How codes are compared unless told otherwise."""
    normalises: ClassVar[bool] = True
    """Whether decoded documents are made unit norm before a cosine; else they estimate it as they are."""
    draws: ClassVar[bool] = False
    """Whether a fit differs by its seed."""
    uses_faiss: ClassVar[bool] = False
    """Whether it is fitted, or codes, by FAISS, which is an extra."""

    width: int
    bytes: int

    @classmethod
    @abstractmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """Bytes that codes of outputs of a width can have, ascending."""

    @classmethod
    def check(cls, width: int, size: int) -> None:
        """Refuse bytes that the scheme cannot give.

        Args:
            width: k.
            size: bytes of a code.

        Raises:
            CodecError: it cannot; the message says which it can.
        """
        possible = cls.sizes(width)
        if type(size) is int and size in possible:
            return
        shown = f"{possible.start} to {possible[-1]}" if possible and isinstance(possible, range) else ""
        if not shown or possible.step != 1:  # type: ignore[attr-defined]  # a range
            shown = ", ".join(map(str, possible[:SHOWN])) + (", ..." if len(possible) > SHOWN else "")
        raise CodecError(f"{cls.name!r} gives outputs of {width} numbers no {size!r:.20} bytes: {shown or 'none'} only")

    @classmethod
    @abstractmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs.

        Args:
            outputs: (n, k), float32, at least two.
            size: bytes of a code, one of `sizes`.
            seed: of what is drawn.

        Raises:
            CodecError: too few outputs.
            MissingExtraError: FAISS is needed and not installed.
        """

    @classmethod
    @abstractmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors.

        Args:
            width: k.
            size: bytes of a code, one of `sizes`.
        """

    @classmethod
    def build(cls, width: int, size: int, tensors: Mapping[str, Tensor]) -> Self:
        """A scheme from its tensors, whose forms were checked.

        Raises:
            CodecError: they contradict each other.
        """
        found = cls(width, size, **tensors)
        found.verify()
        return found

    def verify(self) -> None:
        """Refuse tensors of the right form that mean nothing.

        Raises:
            CodecError: they do.
        """
        for name, tensor in self.tensors().items():
            if tensor.is_floating_point() and tensor.numel() and float(tensor.abs().max()) > LARGEST:
                raise CodecError(
                    f"{name!r} of {self.name!r} holds numbers above {LARGEST:g}; expected those of outputs"
                )

    def tensors(self) -> dict[str, Tensor]:
        """All numbers that are stored, by name."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names if name not in ("width", "bytes")}

    @property
    def stored_numbers(self) -> int:
        """Numbers beside the codes that it takes to read them."""
        return sum(tensor.numel() for tensor in self.tensors().values())

    @abstractmethod
    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs: (n, k), float32 -> (n, bytes), uint8."""

    def fields(self, codes: Tensor) -> Tensor:
        """The fields of codes, (n, fields), uint8: unless a scheme says otherwise, their bytes."""
        return codes

    @property
    @abstractmethod
    def book(self) -> Book | None:
        """What fields stand for; None where that is not a sum over them, and `decode` says it."""

    def decode(self, codes: Tensor) -> Tensor:
        """Outputs that codes stand for: (n, bytes), uint8 -> (n, k), float32."""
        assert self.book is not None
        return self.book.decode(self.fields(codes))

    @property
    def origin(self) -> Tensor | None:
        """Mean of the outputs that it was fitted to, (k,); None where it is not stored."""
        found: Tensor | None = getattr(self, "mean", None)
        return found


def check_rows(name: str, outputs: Tensor, least: int) -> None:
    """Refuse too few outputs.

    Args:
        name: of the scheme.
        outputs: (n, k).
        least: that are needed.

    Raises:
        CodecError: there are fewer.
    """
    if len(outputs) < least:
        raise CodecError(f"{name!r} is fitted to {least} outputs at least; got {len(outputs)}")


def check_rotation(name: str, rotation: Tensor) -> None:
    """Refuse a matrix whose rows are not orthonormal.

    Raises:
        CodecError: they are not.
    """
    skew = (rotation @ rotation.T - torch.eye(len(rotation))).abs().max()
    if not bool(skew <= SKEW):
        raise CodecError(
            f"the rotation of {name!r} is none: its rows are off from orthonormal by {float(skew):.2g}. Its file is "
            "damaged, or it was fitted to outputs that vary in fewer directions than it has rows: take fewer bytes"
        )
