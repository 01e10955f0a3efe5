"""The best documents are those of a sort."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj import pairwise_log_fidelity, top_k_fidelity


@given(n=st.integers(1, 4), m=st.integers(0, 12), k=st.integers(1, 15), chunk=st.integers(1, 13))
def test_top_k_is_a_sort(n, m, k, chunk):
    """The best k of an exhaustive ranking, ties in the order of the documents, whatever the chunk."""
    torch.manual_seed(0)
    queries, documents = math.pi * torch.rand(n, 3), math.pi * torch.rand(max(1, m // 2), 3).repeat(3, 1)[:m]
    scores, indices = top_k_fidelity(queries, documents, k, chunk=chunk)
    order = pairwise_log_fidelity(queries, documents).argsort(dim=1, descending=True, stable=True)[:, :k]
    assert torch.equal(indices, order)
    torch.testing.assert_close(scores, pairwise_log_fidelity(queries, documents).gather(1, order))


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 1, "chunk": 0}])
def test_refusals(wrong):
    """Nothing of something."""
    with pytest.raises(ValueError, match="expected whole numbers of at least 1"):
        top_k_fidelity(torch.zeros(1, 2), torch.zeros(1, 2), **wrong)
