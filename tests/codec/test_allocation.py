"""Reverse water-filling in whole bits."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.codec.allocation import allocate


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=4), st.integers(0, 8))
def test_no_other_allocation_is_better(variances, bits):
    """Of all that give as many bits, by trying them."""
    bits = min(bits, 8 * len(variances))

    def error(given_bits):
        return sum(v * 4.0**-b for v, b in zip(variances, given_bits, strict=True))

    found = allocate(torch.tensor(variances, dtype=torch.float64), bits).tolist()
    assert sum(found) == bits
    assert max(found) <= 8
    every = itertools.product(range(bits + 1), repeat=len(variances))
    best = min(error(each) for each in every if sum(each) == bits and max(each) <= 8)
    assert error(found) <= best * (1 + 1e-12)


def test_all_bits():
    assert allocate(torch.tensor([0.0, 5.0]), 16).tolist() == [8, 8]


def test_equal_errors_in_order():
    assert allocate(torch.ones(3), 4).tolist() == [2, 1, 1]
