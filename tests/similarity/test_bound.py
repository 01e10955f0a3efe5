"""The best by a bound are the best: nothing that it leaves out could be among them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj import log_fidelity, pairwise_log_fidelity, top_k_fidelity
from hybrid_qproj.similarity.bound import BEYOND, BestByBound, is_sound

DOCUMENTS, WIDTH = 2000, 24


def angles(rows, spread, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    found = math.pi / 2 + spread * torch.randn(rows, WIDTH, generator=generator, dtype=dtype)
    return found.clamp(0, math.pi)


@given(st.lists(st.tuples(st.floats(-BEYOND, math.pi + BEYOND), st.floats(-BEYOND, math.pi + BEYOND)), min_size=1))
def test_the_bound_holds(pairs):
    """A quarter of the squared distance is at least what the fidelity loses, also where rounding left [0, pi]."""
    a, b = torch.tensor(pairs, dtype=torch.float64).T
    assert log_fidelity(a[None], b[None]).item() <= -(a - b).square().sum().item() / 4 + 1e-9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.02, 0.2, 0.5])
@pytest.mark.parametrize("chunk", [300, 1 << 14])
def test_nothing_is_lost(dtype, spread, chunk):
    """The scores are those of comparing all pairs, whatever the chunk."""
    queries, documents = angles(9, spread, 1, dtype), angles(DOCUMENTS, spread, 2, dtype)
    scores, positions = top_k_fidelity(queries, documents, 20, chunk)
    everything = pairwise_log_fidelity(queries, documents)
    torch.testing.assert_close(scores, everything.topk(20, dim=1).values, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(scores, everything.gather(1, positions), atol=2e-5, rtol=1e-5)


def test_far_states_are_left_to_others():
    """Where the bound says little, it says so before it costs."""
    generator = torch.Generator().manual_seed(0)
    queries, documents = math.pi * torch.rand(2, DOCUMENTS, 100, generator=generator)
    assert not BestByBound(queries, 10).add(documents)
    scores, positions = top_k_fidelity(queries[:50], documents, 10, 500)
    expected = pairwise_log_fidelity(queries[:50], documents)
    assert torch.equal(scores, expected.topk(10, dim=1).values)
    assert torch.equal(expected.gather(1, positions), scores)


def test_no_queries():
    """Of none there is nothing to find."""
    scores, positions = top_k_fidelity(angles(0, 0.2, 1), angles(DOCUMENTS, 0.2, 2), 3)
    assert scores.shape == positions.shape == (0, 3)


def test_ties_keep_the_order_of_the_documents():
    """As a stable sort does."""
    documents = angles(40, 0.2, 3).repeat(50, 1)
    _, positions = top_k_fidelity(documents[:40], documents, 3, 700)
    assert torch.equal(positions, torch.arange(40)[:, None] + 40 * torch.arange(3))


def test_rows_that_do_not_count():
    """Are never found; fewer documents than are wanted leave places empty."""
    documents = angles(DOCUMENTS, 0.2, 4)
    best = BestByBound(documents[:5], 2)
    assert best.add(documents, torch.arange(10))
    assert (best.positions >= 10).all()
    few = BestByBound(documents[:5], 4)
    assert few.add(documents[:3], torch.tensor([1]))
    assert few.positions[:, :2].sort(dim=1).values.tolist() == [[0, 2]] * 5
    assert (few.positions[:, 2:] == -1).all()
    assert few.scores[:, 2:].isinf().all()


def test_which_angles(tmp_path):
    """Others than angles in [0, pi] are compared otherwise."""
    assert is_sound(torch.tensor([[0.0, math.pi]]))
    for wrong in (math.nan, math.inf, -0.1, 3.3):
        assert not is_sound(torch.tensor([[wrong, 1.0]]))
    documents = angles(DOCUMENTS, 0.2, 5)
    turned = top_k_fidelity(documents[:3] + 2 * math.pi, documents, 5)
    torch.testing.assert_close(turned[0], top_k_fidelity(documents[:3], documents, 5)[0], atol=1e-4, rtol=0)
