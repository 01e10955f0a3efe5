"""A frozen encoder as a table: texts are looked up, not encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules.input_module import InputModule
from torch import Tensor

from hybrid_qproj._util.excerpts import shorten
from hybrid_qproj._util.norms import unit
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.text.embeddings.fingerprint import Mark, marked, text_keys
from hybrid_qproj.text.sides import Side


class EmbeddingError(HybridQprojError, ValueError):
    """A text without an embedding, or embeddings that do not belong together."""


class EmbeddingTable(InputModule):
    """The first module of a sentence-transformers model, in place of the encoder whose embeddings it holds.

    ``Encoder(modules=[table, ProjectionHead(head)])`` trains, encodes and evaluates as the encoder with the head
    would, at the cost of the head alone, for the texts of the table.

    Args:
        digests: of the texts, (n,) uint64; see `hybrid_qproj.text.embeddings.fingerprint.text_keys`.
        parts: their embeddings, in parts of (rows, d) each, n rows in all; of any floating type, perhaps memory-mapped:
            rows are read when they are looked up.
        side: what the embeddings are of: queries, documents, or texts that are neither; None if they serve as all.
        normalize: whether rows are given at unit norm, whatever norm they have.

    Raises:
        EmbeddingError: the numbers of rows differ, or the parts' widths.

    Examples:
        >>> table = EmbeddingTable.of(["a cat", "a dog"], np.eye(2, dtype=np.float16))
        >>> table.lookup(["a dog"])
        tensor([[0., 1.]])
    """

    def __init__(
        self, digests: np.ndarray, parts: Sequence[np.ndarray], side: Mark | None = None, normalize: bool = False
    ) -> None:
        super().__init__()
        self.normalize = normalize
        digests = marked(digests, side)
        widths = {part.shape[1] for part in parts}
        rows = sum(len(part) for part in parts)
        if len(widths) != 1 or rows != len(digests):
            raise EmbeddingError(
                f"got {len(digests)} digests for embeddings of shapes {[part.shape for part in parts]}; expected as "
                "many rows, all of one width"
            )
        self.width = int(widths.pop())
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        # Stable: of a text that is there twice as the same, the first row counts.
        self._order = np.argsort(digests, kind="stable")
        self._digests = digests[self._order]

    @classmethod
    def of(cls, texts: Sequence[str], embeddings: np.ndarray, side: Mark | None = None) -> EmbeddingTable:
        """A table of texts and their embeddings.

        Args:
            texts: n texts.
            embeddings: (n, d).
            side: what the embeddings are of: queries, documents, or texts that are neither; None if they serve as all.

        Returns:
            the table.
        """
        return cls(text_keys(texts), [embeddings], side)

    @classmethod
    def merge(cls, tables: Sequence[EmbeddingTable], normalize: bool = False) -> EmbeddingTable:
        """One table of several; no row is read.

        Args:
            tables: at least one, all of one width.
            normalize: whether its rows are given at unit norm.

        Returns:
            the table; of a text that is in several, the first one's row counts.
        """
        digests = []
        for table in tables:
            unsorted = np.empty_like(table._digests)
            unsorted[table._order] = table._digests
            digests.append(unsorted)
        parts = [part for table in tables for part in table._parts]
        return cls(np.concatenate(digests), parts, normalize=normalize)

    def __len__(self) -> int:
        return len(self._digests)

    def rows(self, texts: Sequence[str], side: Side | None = None) -> np.ndarray:
        """Where texts stand.

        Args:
            texts: n texts.
            side: what they are. Embeddings that serve as all count for either side; those of the other side do not.
                None for whatever stands there of a text.

        Returns:
            (n,) row numbers, -1 for texts that are not in the table.

        Raises:
            EmbeddingError: no side is given, and a text has other embeddings as a query than as a document.
        """
        if not len(self):
            return np.full(len(texts), -1)
        digests = text_keys(texts)
        every = self._find(digests)
        if side is not None:
            own = self._find(marked(digests, side))
            return np.where(own >= 0, own, every)
        plain, query, document = (self._find(marked(digests, mark)) for mark in ("plain", "query", "document"))
        neither = np.where(every >= 0, every, plain)
        for place in np.flatnonzero((neither < 0) & (query >= 0) & (document >= 0)).tolist():
            if not torch.equal(*self._read(np.array([query[place], document[place]]))):
                raise EmbeddingError(
                    f"the text {shorten(texts[place])} is in the table as a query and as a document, with other "
                    "embeddings: encode it with encode_query or encode_document"
                )
        return np.where(neither >= 0, neither, np.where(document >= 0, document, query))

    def _find(self, digests: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self._digests, digests).clip(max=len(self._digests) - 1)
        return np.where(self._digests[places] == digests, self._order[places], -1)

    def lookup(self, texts: Sequence[str], side: Side | None = None) -> Tensor:
        """Embeddings of texts.

        Args:
            texts: n texts.
            side: what they are; see `rows`.

        Returns:
            (n, d), float32.

        Raises:
            EmbeddingError: a text is not in the table, or without a side has two embeddings there.
        """
        rows = self.rows(texts, side)
        if (rows < 0).any():
            first = texts[int((rows < 0).argmax())]
            role = f" as a {side}" if side else ""
            raise EmbeddingError(
                f"{int((rows < 0).sum())} of {len(texts)} texts have no embedding{role} in the table, the first: "
                f"{shorten(first)}. A table knows only the texts it was made of: encode them first"
            )
        return self._read(rows)

    def norms(self, rows: int) -> np.ndarray:
        """Euclidean norms of the first rows, at most so many, (n,) float64; for looking at, not for all."""
        first = self._read(np.arange(min(rows, len(self))))
        found: np.ndarray = first.double().norm(dim=1).numpy()
        return found

    def _read(self, rows: np.ndarray) -> Tensor:
        # Memory of torch, not of NumPy: it is aligned, and the last bit of a product depends on that.
        result = torch.empty((len(rows), self.width))
        found = result.numpy()
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for owner in np.unique(owners):
            mine = owners == owner
            found[mine] = self._parts[owner][rows[mine] - self._starts[owner]]
        return unit(result) if self.normalize else result

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, task: str | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Look a batch up; called by sentence-transformers where an encoder would tokenise.

        Args:
            inputs: texts.
            prompt: put before each of them. Embeddings of an encoder with prompts have them in already.
            task: "query" or "document", as ``encode_query`` and ``encode_document`` say; None for neither.
            **kwargs: ignored.

        Raises:
            EmbeddingError: see `lookup`.
        """
        texts = [f"{prompt}{text}" for text in inputs] if prompt else list(inputs)
        side: Side | None = "query" if task == "query" else "document" if task == "document" else None
        return {"sentence_embedding": self.lookup(texts, side)}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Nothing is left to do: ``features["sentence_embedding"]`` is there."""
        return features

    def get_embedding_dimension(self) -> int:
        """Width d."""
        return self.width

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Refuse: a table is a cache, not a model.

        Raises:
            CheckpointError: always; what to save instead.
        """
        raise CheckpointError(
            "a table of embeddings cannot be saved as part of a model; save the head (model.head.save(folder)), or put "
            "it on its encoder with hybrid_qproj.sbert.with_head and save that"
        )
