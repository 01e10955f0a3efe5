"""The schemes that FAISS fits: their codes are its own, their numbers counted, and nothing of it is needed later."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")

import faiss

from hybrid_qproj import log_fidelity
from hybrid_qproj.codec import Codec, CodecError, registry
from hybrid_qproj.similarity.fidelity import pairwise_cosine

WIDTH = 48
STORED = {
    "pq": 256 * WIDTH,
    "pq4": 16 * WIDTH,
    "opq": 256 * WIDTH + WIDTH**2,
    "itq": 48 * WIDTH + WIDTH + 1,
    "rabitq": 32 * WIDTH + WIDTH,
}
FITTED = sorted(STORED)
SIZES = {"rabitq": 12}
"""Beside 6: two floats take 8."""


@pytest.fixture(scope="module")
def codecs(vectors):
    return {name: Codec.fit(vectors, SIZES.get(name, 6), name, similarity="cosine") for name in FITTED}


def directions(vectors):
    return torch.nn.functional.normalize(vectors, dim=1)


@pytest.mark.parametrize("name", FITTED)
def test_stored_numbers(codecs, name):
    assert codecs[name].stored_numbers == STORED[name]


@pytest.mark.parametrize("name", FITTED)
def test_scores_are_those_of_decoded_documents(codecs, vectors, name):
    codec = codecs[name]
    codes = codec.encode(vectors)
    assert codes.shape == (600, SIZES.get(name, 6))
    origin = codec.scheme.mean if codec.score == "centred" else torch.zeros(WIDTH)
    queries, documents = directions(vectors[:40]) - origin, codec.decode(codes) - origin
    expected = pairwise_cosine(queries, documents)
    if name == "rabitq":
        expected = directions(queries) @ documents.T
    torch.testing.assert_close(codec.scores(vectors[:40], codes), expected, atol=1e-5, rtol=1e-5)
    pairs = codec.pair_scores(vectors[:40], codes[:80].unflatten(0, (40, 2)))
    torch.testing.assert_close(pairs[3], expected[3, 6:8], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FITTED)
def test_fidelity_with_decoded_angles(angles, queries, name):
    """A rotation mixes outputs, so that documents are decoded: the same scores all the same."""
    codec = Codec.fit(angles, SIZES.get(name, 6), name, score="fidelity")
    codes = codec.encode(angles)
    expected = log_fidelity(queries[:, None], codec.decode(codes))
    torch.testing.assert_close(codec.scores(queries, codes), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FITTED)
def test_the_same_again_and_from_disk(codecs, vectors, name, tmp_path):
    codec = codecs[name]
    assert Codec.fit(vectors, SIZES.get(name, 6), name, similarity="cosine").fingerprint == codec.fingerprint
    codec.save(tmp_path)
    assert torch.equal(Codec.load(tmp_path).encode(vectors), codec.encode(vectors))


@pytest.mark.parametrize("name", ["itq", "opq", "rabitq"])
def test_a_rotation_that_is_none(codecs, vectors, name, tmp_path):
    tensors = codecs[name].scheme.tensors()
    tensors["rotation"] = tensors["rotation"] * 1.1
    with pytest.raises(CodecError, match="off from orthonormal"):
        registry.get(name).build(WIDTH, SIZES.get(name, 6), tensors)


def test_pq_is_faiss_own(codecs, vectors):
    """The centres are FAISS's, and so are the codes but for ties of rounding."""
    quantizer = faiss.ProductQuantizer(WIDTH, 6, 8)
    faiss.copy_array_to_vector(codecs["pq"].scheme.centres.numpy().ravel(), quantizer.centroids)
    expected = quantizer.compute_codes(directions(vectors).numpy())
    codes = codecs["pq"].encode(vectors)
    assert (codes.numpy() == expected).mean() > 0.999
    np.testing.assert_allclose(codecs["pq"].decode(codes).numpy(), quantizer.decode(codes.numpy()), atol=1e-6)


def test_itq_is_faiss_own(codecs, vectors):
    transform = faiss.ITQTransform(WIDTH, 48, True)
    rows = directions(vectors).numpy()
    transform.train(rows)
    expected = np.packbits(transform.apply(rows) > 0, axis=1)
    own = faiss.ITQTransform(WIDTH, 48, True)
    own.itq.seed = 0
    own.train(rows)
    codes = Codec.fit(vectors, 6, "itq", similarity="cosine").encode(vectors).numpy()
    assert (codes == np.packbits(own.apply(rows) > 0, axis=1)).mean() > 0.999
    # Another start gives another rotation, as good.
    assert expected.shape == codes.shape


@pytest.mark.parametrize(("size", "bits"), [(14, 1), (20, 2), (32, 4)])
def test_rabitq_is_as_good_as_faiss_own(vectors, size, bits):
    """All numbers, without FAISS's further bytes: estimates as near to the truth as those of its index."""
    codec = Codec.fit(vectors, size, "rabitq", similarity="cosine")
    assert codec.scheme.shape(WIDTH, size) == (bits, WIDTH)
    rows = directions(vectors)
    truth = (rows[:40] @ rows.T).flatten()
    mine = codec.scores(vectors[:40], codec.encode(vectors)).flatten()
    index = faiss.IndexRaBitQ(WIDTH, faiss.METRIC_INNER_PRODUCT, bits)
    rotated = (rows @ codec.scheme.rotation.T).contiguous().numpy()
    index.train(rotated)
    index.add(rotated)
    scores, places = index.search(rotated[:40], 600)
    theirs = torch.empty(40, 600).scatter_(1, torch.from_numpy(places), torch.from_numpy(scores)).flatten()

    def off(estimates):
        return float((estimates - truth).square().mean())

    assert off(mine) <= 1.01 * off(theirs)


def test_floats_that_are_no_numbers(codecs, vectors):
    codes = codecs["rabitq"].encode(vectors[:3])
    codes[1, -4:] = 255
    with pytest.raises(CodecError, match="code 1 holds floats that are not finite"):
        codecs["rabitq"].scores(vectors[:1], codes)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("pq", 5, "1, 2, 3, 4, 6, 8, 12, 16, 24, 48 only"),
        ("pq4", 48, "1, 2, 3, 4, 6, 8, 12, 24 only"),
        ("itq", 7, "1 to 6 only"),
        ("rabitq", 8, "9, 10, 11, 12, 13, 14, 15, 16"),
        ("int8", 24, "no 24 bytes: 48 only"),
        ("sq4", 48, "no 48 bytes: 24 only"),
    ],
)
def test_bytes_that_cannot_be_given(vectors, name, size, message):
    with pytest.raises(CodecError, match=message):
        Codec.fit(vectors, size, name, similarity="cosine")


def test_too_few_outputs(vectors):
    with pytest.raises(CodecError, match="'pq' is fitted to 256 outputs at least; got 255"):
        Codec.fit(vectors[:255], 6, "pq", similarity="cosine")


def test_fewer_rows_than_numbers():
    """FAISS's OPQ writes beyond its buffers there; given the rows again it does not, and finds a rotation."""
    rows = torch.randn(260, 264, generator=torch.Generator().manual_seed(0))
    codec = Codec.fit(rows, 2, "opq", similarity="cosine")
    assert codec.encode(rows).shape == (260, 2)
    rotation = codec.scheme.rotation
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(264), atol=1e-3, rtol=0)


def test_fewer_rows_than_signs():
    """Deviations of n rows from their mean span n - 1 directions."""
    rows = torch.randn(40, WIDTH, generator=torch.Generator().manual_seed(0))
    assert Codec.fit(rows, 4, "itq", similarity="cosine").encode(rows).shape == (40, 4)
    with pytest.raises(CodecError, match="'itq' is fitted to 41 outputs at least; got 40"):
        Codec.fit(rows, 5, "itq", similarity="cosine")


@pytest.mark.parametrize("name", FITTED)
def test_columns_that_do_not_vary(name):
    """Constant numbers are no error, and nothing that is not finite comes of them."""
    varying = torch.randn(300, 24, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([varying, torch.ones(300, 24)], dim=1)
    codec = Codec.fit(rows, SIZES.get(name, 3), name, similarity="cosine")
    assert codec.scores(rows, codec.encode(rows)).isfinite().all()
