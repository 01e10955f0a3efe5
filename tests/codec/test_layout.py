"""Numbers of a few bits in whole bytes."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.codec.layout import Layout


@st.composite
def bits_of_outputs(draw):
    """Bits that fill whole bytes."""
    bits = draw(st.lists(st.integers(0, 8), min_size=1, max_size=40))
    missing = -sum(bits) % 8
    return torch.tensor([*bits, missing or 8], dtype=torch.uint8)


@given(bits_of_outputs(), st.integers(0, 2**31))
def test_what_is_packed_is_read_back(bits, seed):
    """Whatever the bits, in exactly as many bytes."""
    layout = Layout.of(bits)
    numbers = torch.randint(0, 256, (5, len(bits)), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    numbers &= ((1 << bits.long()) - 1).to(torch.uint8)
    codes = layout.pack(numbers)
    assert codes.shape == (5, int(bits.sum(dtype=torch.long)) // 8)
    fields = layout.fields(codes)
    assert fields.shape == (5, len(layout.sizes))
    read = fields[:, layout.field] >> layout.shift.to(torch.uint8) & ((1 << layout.bits) - 1).to(torch.uint8)
    assert torch.equal(read, numbers)


@given(bits_of_outputs())
def test_fields_hold_a_byte_at_most(bits):
    layout = Layout.of(bits)
    for field, size in enumerate(layout.sizes.tolist()):
        assert size == int(layout.bits[(layout.field == field) & (layout.bits > 0)].sum()) <= 8


def test_small_outputs_fill_bytes():
    """So that a byte can be looked up as one."""
    layout = Layout.of(torch.tensor([1, 2, 3, 2] * 64))
    assert layout.full == len(layout.sizes) == 64
