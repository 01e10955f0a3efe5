"""The codec's own interface: what it takes, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hybrid_qproj import HybridQprojError
from hybrid_qproj.codec import Codec, CodecError


def test_the_same_for_numpy(angles):
    codec = Codec.fit(angles.numpy(), bytes=12)
    assert codec.fingerprint == Codec.fit(angles, bytes=12).fingerprint
    codes = codec.encode(angles.numpy())
    assert torch.equal(codes, codec.encode(angles))
    assert torch.equal(codec.decode(codes.numpy()), codec.decode(codes))
    assert torch.equal(codec.scores(angles[:3].numpy(), codes.numpy()), codec.scores(angles[:3], codes))


def test_half_precision(angles):
    """As a model in half precision gives them."""
    codec = Codec.fit(angles, bytes=12)
    assert (codec.encode(angles.half()) == codec.encode(angles)).float().mean() > 0.9


def test_nothing_to_code(angles):
    codec = Codec.fit(angles, bytes=12)
    empty = codec.encode(angles[:0])
    assert empty.shape == (0, 12)
    assert codec.decode(empty).shape == (0, 48)
    assert codec.scores(angles[:3], empty).shape == (3, 0)
    assert codec.scores(angles[:0], codec.encode(angles)).shape == (0, 600)


def test_vectors_are_coded_as_directions(vectors):
    """A cosine knows no lengths, so no bits are spent on them."""
    codec = Codec.fit(vectors, bytes=12, similarity="cosine")
    assert torch.equal(codec.encode(vectors), codec.encode(vectors * 4))
    assert Codec.fit(vectors * 4, 12, similarity="cosine").fingerprint == codec.fingerprint


def test_decoded_angles_are_angles(angles):
    """Levels far out lie beyond the poles, where there are no angles."""
    wide = math.pi / 2 + (angles - math.pi / 2) * 12
    wide = wide.clamp(0, math.pi)
    decoded = Codec.fit(wide, bytes=48).decode(Codec.fit(wide, bytes=48).encode(wide))
    assert float(decoded.min()) >= 0
    assert float(decoded.max()) <= torch.tensor(math.pi)


def test_fingerprints(angles):
    codec = Codec.fit(angles, bytes=12)
    others = [
        Codec.fit(angles, bytes=13),
        Codec.fit(angles[1:], bytes=12),
        Codec.fit(angles, bytes=12, score="fidelity"),
        Codec.fit(angles, bytes=12, head="0" * 32),
        Codec.fit(angles, bytes=6, scheme="signs"),
    ]
    assert len({codec.fingerprint, *(other.fingerprint for other in others)}) == 6


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"bytes": 0}, "'bits' gives outputs of 48 numbers no 0 bytes: 1 to 48 only"),
        ({"bytes": 49}, "1 to 48 only"),
        ({"bytes": True}, "no True bytes"),
        ({"scheme": "signs", "bytes": 7}, "1 to 6 only"),
        ({"scheme": "bitz"}, "no codec 'bitz'; did you mean 'bits'"),
        ({"similarity": "bloch_fidelity"}, "'bloch_fidelity' have no codec"),
        ({"score": "dot"}, "expected one of fidelity, cosine, centred"),
        ({"similarity": "cosine", "score": "fidelity"}, "compares angles"),
    ],
)
def test_what_cannot_be_meant(angles, keywords, message):
    with pytest.raises(CodecError, match=message):
        Codec.fit(angles, **{"bytes": 12, **keywords})


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (torch.ones(5), r"shape \(5,\)"),
        (torch.ones(5, 0), r"shape \(5, 0\)"),
        (torch.ones(5, 4, dtype=torch.long), "floating-point"),
        ([[1.0, 2.0]], "got outputs of type list"),
        (torch.tensor([[1.0, math.nan]] * 5), "output 0 holds numbers that are not finite"),
        (torch.full((5, 4), 4.0), r"expected \[0, pi\]"),
        (torch.ones(1, 4), "fitted to 2 outputs at least; got 1"),
    ],
)
def test_what_is_no_output(outputs, message):
    with pytest.raises(CodecError, match=message):
        Codec.fit(outputs, bytes=1)


def test_what_is_no_code(angles):
    codec = Codec.fit(angles, bytes=12)
    for wrong in (torch.zeros(3, 11, dtype=torch.uint8), torch.zeros(3, 12), np.zeros(12, dtype=np.uint8), [[0] * 12]):
        with pytest.raises(CodecError, match="got codes"):
            codec.decode(wrong)
    with pytest.raises(CodecError, match="expected codes for each query"):
        codec.pair_scores(angles[:2], torch.zeros(3, 5, 12, dtype=torch.uint8))
    with pytest.raises(CodecError, match=r"expected \(n, 48\)"):
        codec.scores(angles[:, :40], torch.zeros(3, 12, dtype=torch.uint8))


def test_errors_have_the_root():
    assert issubclass(CodecError, HybridQprojError)
