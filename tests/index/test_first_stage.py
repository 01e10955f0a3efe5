"""The first stage alone: what it begins as, and what an effort means to each kind."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")

from hybrid_qproj.index.first_stage import KINDS, empty_index, nearest
from hybrid_qproj.index.reading import StoredAngles
from hybrid_qproj.index.store import AngleStore

ANGLES = 3 * torch.rand(1000, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def store(tmp_path):
    AngleStore.create(tmp_path, 4).add([f"d{number}" for number in range(1000)], ANGLES)
    return StoredAngles(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_from_empty(store, kind):
    """It begins without a document, needs only a store that is read, and finds by L2 distance what it was given."""
    index = empty_index(kind, store)
    assert (index.ntotal, index.d, index.is_trained) == (0, 4, True)
    index.add(ANGLES.numpy())
    found = nearest(index, kind, ANGLES[:20], 3, 1000)
    assert (found.shape, found.dtype) == ((20, 3), torch.int64)
    same = found == torch.cdist(ANGLES[:20], ANGLES).argsort(dim=1)[:, :3]
    if kind == "ivfpq":
        # Four bits a number tell a document from the others, not always which of two is nearer.
        assert float(same[:, 0].float().mean()) >= 0.9
    else:
        assert bool(same.all())


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
def test_effort(store, kind):
    """One cell of IVF has less than all of them, and what is missing is -1; more than all are all."""
    index = empty_index(kind, store)
    assert index.nlist == 15
    index.add(ANGLES.numpy())
    assert bool((nearest(index, kind, ANGLES[:20], 1000, 1) == -1).any())
    assert bool((nearest(index, kind, ANGLES[:20], 1000, 10**9) >= 0).all())
