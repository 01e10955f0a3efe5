"""Real passages, and any number of documents made from them, for what is measured on large stores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.fitted import SHARED
from hybrid_qproj._util.norms import unit

NEIGHBOURS = 16
"""Of a passage, that documents between it and them are made of."""
SPREAD = 0.5
"""Share of the difference of two other neighbours that is added."""


class Passages(NamedTuple):
    """Mean-pooled embeddings of all-MiniLM-L6-v2 at unit norm, (n, 384), float32.

    Attributes:
        training: of passages that nothing is searched in.
        documents: of MS MARCO's passages.
        queries: of TREC DL 2019 and 2020.
    """

    training: Tensor
    documents: Tensor
    queries: Tensor


def load_passages() -> Passages:
    """Read them from ../shared/data.

    Raises:
        FileNotFoundError: it is not beside this checkout.
    """
    with np.load(SHARED / "embeddings/minilm.msmarco-v2.npz") as archive:
        training = torch.from_numpy(archive["docs"]).float()
    with np.load(SHARED / "embeddings/minilm.msmarco-passage.npz") as archive:
        documents, queries = (torch.from_numpy(archive[part]).float() for part in ("docs", "queries"))
    return Passages(unit(training), unit(documents), unit(queries))


def multiplied(documents: Tensor, rows: int, seed: int = 0) -> Tensor:
    """More documents like some: the same first, then points between one and a neighbour, moved as two others differ.

    The differences are of neighbours, so that directions in which passages hardly differ stay narrow.

    Args:
        documents: (n, width), of unit norm.
        rows: wanted, at least n.
        seed: of the choice.

    Returns:
        (rows, width), of unit norm.
    """
    import faiss  # noqa: PLC0415 - the extra 'index'

    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents.numpy())
    near = torch.from_numpy(index.search(documents.numpy(), NEIGHBOURS + 1)[1])[:, 1:]
    generator = torch.Generator().manual_seed(seed)
    parts = [documents]
    while (left := rows - sum(map(len, parts))) > 0:
        count = min(left, 1 << 16)
        ends = torch.randint(len(documents), (2, count), generator=generator)
        others = [near[end, torch.randint(NEIGHBOURS, (count,), generator=generator)] for end in ends]
        share = torch.rand(count, 1, generator=generator)
        between = documents[ends[0]].lerp(documents[others[0]], share)
        parts.append(unit(between + SPREAD * (documents[ends[1]] - documents[others[1]])))
    return torch.cat(parts)
