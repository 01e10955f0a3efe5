"""Scores of codes are those of what the codes decode to."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj.codec import Codec
from hybrid_qproj.codec.scoring import COLUMNS, ROWS
from hybrid_qproj.similarity.fidelity import log_fidelity, pairwise_cosine

SCORES = ["fidelity", "cosine", "centred"]


def expected(codec, queries, documents, score):
    if score == "fidelity":
        return log_fidelity(queries.double()[:, None], documents.double())
    origin = codec.scheme.mean if score == "centred" else torch.tensor(math.pi / 2)
    return pairwise_cosine(queries.double() - origin, documents.double() - origin)


@pytest.mark.parametrize(
    ("scheme", "size"), [("bits", 1), ("bits", 5), ("bits", 13), ("bits", 40), ("signs", 1), ("signs", 6)]
)
@pytest.mark.parametrize("score", SCORES)
def test_exact_to_the_decoded_angles(angles, queries, scheme, size, score):
    """More queries than one table has columns, and codes whose fields are no bytes."""
    assert len(queries) > COLUMNS
    codec = Codec.fit(angles, size, scheme, score=score)
    codes = codec.encode(angles)
    found = codec.scores(queries, codes)
    assert found.shape == (37, 600)
    torch.testing.assert_close(
        found.double(), expected(codec, queries, codec.decode(codes), score), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("score", SCORES)
def test_large_angles(score):
    """Of a head whose outputs are not scaled: some qubits are nearly orthogonal."""
    angles = math.pi * torch.rand(300, 16, generator=torch.Generator().manual_seed(3))
    codec = Codec.fit(angles, 8, score=score)
    codes = codec.encode(angles)
    found = codec.scores(angles[:20], codes).double()
    torch.testing.assert_close(found, expected(codec, angles[:20], codec.decode(codes), score), atol=2e-5, rtol=1e-5)


def test_more_codes_than_are_looked_up_at_once(angles):
    codec = Codec.fit(angles, 12)
    codes = codec.encode(angles).repeat(5, 1)
    assert len(codes) > ROWS
    found = codec.scores(angles[:3], codes)
    torch.testing.assert_close(found, found[:, :600].repeat(1, 5))


@pytest.mark.parametrize("score", SCORES)
def test_pairs(angles, queries, score):
    """The same numbers for candidates of each query."""
    codec = Codec.fit(angles, 12, score=score)
    codes = codec.encode(angles)
    places = torch.randint(600, (37, 9), generator=torch.Generator().manual_seed(4))
    found = codec.pair_scores(queries, codes[places])
    torch.testing.assert_close(found, codec.scores(queries, codes).gather(1, places), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_points(angles, queries, score):
    """Nearest by L2 are those of the highest score: for cosines exactly, for close states nearly."""
    codec = Codec.fit(angles, 24, score=score)
    codes = codec.encode(angles)
    distances = torch.cdist(codec.points(queries), codec.points(codec.decode(codes)))
    best = codec.scores(queries, codes).topk(10).indices
    nearest = distances.topk(10, largest=False).indices
    shared = sum(len(set(a) & set(b)) for a, b in zip(best.tolist(), nearest.tolist(), strict=True))
    assert shared >= (370 if score != "fidelity" else 360)


def test_a_document_without_deviation(angles):
    """Has no direction: its cosine is 0, not NaN."""
    flat = torch.full((4, 48), math.pi / 2)
    codec = Codec.fit(torch.cat([flat, flat]), 6)
    assert codec.scores(angles[:3], codec.encode(flat)).tolist() == [[0.0] * 4] * 3
