"""Documents kept as codes: stored, searched, changed and damaged like all others, and read by their codec alone."""

from __future__ import annotations

import json
import math
import shutil

import pytest
import torch

from hybrid_qproj._util.seals import seal
from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError, exhaustive_search
from hybrid_qproj.index.renewal import abandon, adopt, begun, renew

WIDTH = 32
SCHEMES = {"bits": 8, "signs": 4, "pq": 2, "pq4": 4, "itq": 2, "rabitq": 12, "sq4": 16}


def angles(rows, seed=0):
    """Of unequal variances, away from the poles."""
    noise = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))
    return (math.pi / 2 + 0.3 * torch.linspace(0.2, 1, WIDTH) * noise).clamp(0.1, 3.0)


def fitted(scheme="bits", similarity="fidelity", **options):
    return Codec.fit(angles(400, 9), SCHEMES[scheme], scheme, similarity=similarity, **options)


def names(first, count):
    return [f"d{number}" for number in range(first, first + count)]


def filled(folder, codec, removed=("d3",)):
    store = AngleStore.create(folder, WIDTH, codec, "a model", "0" * 32)
    for first in (0, 50):
        store.add(names(first, 50), angles(50, first))
    store.remove(list(removed))
    return store


@pytest.mark.parametrize("scheme", SCHEMES)
def test_round_trip(tmp_path, scheme):
    """What comes back is what the codec decodes, from bytes on disk that are the codes."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    codec = fitted(scheme)
    filled(tmp_path, codec)
    store = AngleStore(tmp_path)
    codes = torch.cat([codec.encode(angles(50)), codec.encode(angles(50, 50))])
    assert (store.precision, store.bytes_per_document, store.codec.fingerprint) == (
        "codes",
        SCHEMES[scheme],
        codec.fingerprint,
    )
    assert torch.equal(torch.cat([rows for _, rows in store.stored_chunks(7)]), codes)
    decoded = codec.decode(codes)
    # A rotation rounds by the number of rows.
    torch.testing.assert_close(torch.cat([rows for _, rows in store.chunks(7)]), decoded)
    places = torch.tensor([[99, 0], [5, 5]])
    torch.testing.assert_close(store.gather(places), decoded[places])
    assert torch.equal(store.gather_stored(places), codes[places])
    store.verify()


@pytest.mark.parametrize(
    ("scheme", "score"), [("bits", "fidelity"), ("bits", "cosine"), ("pq", None), ("rabitq", None)]
)
def test_exhaustive_search_is_that_of_decoded_documents(tmp_path, scheme, score):
    """In blocks, over shards, removed documents left out."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    codec = fitted(scheme, score=score)
    store = filled(tmp_path, codec)
    queries = angles(5, 77)
    expected = codec.pair_scores(queries, store.gather_stored(torch.arange(100)).expand(5, -1, -1))
    expected[:, 3] = -math.inf
    found = exhaustive_search(store, queries, 10)
    torch.testing.assert_close(found.scores, expected.topk(10).values, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(expected.gather(1, found.positions), found.scores, atol=1e-4, rtol=1e-4)
    assert not (found.positions == 3).any()
    assert (exhaustive_search(store, queries, 120).positions >= 0).sum() == 5 * 99


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
@pytest.mark.parametrize(("scheme", "score"), [("bits", None), ("bits", "fidelity"), ("pq", None)])
def test_index(tmp_path, kind, scheme, score):
    """Candidates near what codes stand for, ordered by the score of the codes; saved, grown and loaded."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    codec = fitted(scheme, score=score)
    store = filled(tmp_path, codec)
    AngleIndex(store, kind, candidates=6).save()
    index = AngleIndex.load(tmp_path)
    index.add(names(100, 20), angles(20, 100))
    index.remove(["d7"])
    queries = angles(5, 77)
    assert index.recall(queries, 10) > 0.9
    found, every = index.search(queries, 10), exhaustive_search(index.store, queries, 10)
    torch.testing.assert_close(found.scores[:, 0], every.scores[:, 0], atol=1e-4, rtol=1e-4)
    again = AngleIndex.load(tmp_path).search(queries, 10)
    assert torch.equal(again.positions, found.positions)


def test_an_index_is_bound_to_the_codec(tmp_path):
    """The same bytes stand for other documents under another codec."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    codes = filled(tmp_path / "a", fitted()).gather_stored(torch.arange(100))
    AngleIndex(AngleStore(tmp_path / "a")).save()
    other = Codec.fit(angles(400, 8), 8, "bits")
    store = AngleStore.create(tmp_path / "b", WIDTH, other)
    store.add(names(0, 50), other.decode(codes[:50]))
    for name in ("index.faiss", "index.json"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    with pytest.raises(StoreError, match="is of other documents"):
        AngleIndex.load(tmp_path / "b")


def test_vectors_compared_by_cosine(tmp_path):
    """Codes of a head whose outputs are no angles."""
    vectors = angles(300) - math.pi / 2
    codec = Codec.fit(vectors, 8, similarity="cosine")
    store = AngleStore.create(tmp_path, WIDTH, codec)
    store.add(names(0, 300), vectors)
    found = exhaustive_search(store, 3 * vectors[:5], 1)
    assert found.positions.flatten().tolist() == list(range(5))


def test_what_does_not_fit(tmp_path):
    """Widths, outputs that are no angles, queries that are none."""
    codec = fitted()
    with pytest.raises(StoreError, match="the codec is one of 32 numbers, the store of 31"):
        AngleStore.create(tmp_path / "a", 31, codec)
    with pytest.raises(StoreError, match="precision 'codes': expected one of float32, float16, uint8, or a codec"):
        AngleStore.create(tmp_path / "a", WIDTH, "codes")
    assert not (tmp_path / "a").exists()
    store = AngleStore.create(tmp_path / "b", WIDTH, codec)
    with pytest.raises(StoreError, match=r"expected \[0, pi\]"):
        store.add(["x"], angles(1) + 4)
    assert store.rows == 0
    with pytest.raises(StoreError, match=r"queries do not go with the codes of .*expected"):
        exhaustive_search(store, angles(1) + 4)
    assert not (exhaustive_search(store, angles(1), 2).positions >= 0).any()


def test_two_objects_lose_nothing(tmp_path):
    """Each takes in what the other wrote before it adds."""
    codec = fitted()
    AngleStore.create(tmp_path, WIDTH, codec)
    a, b = AngleStore(tmp_path), AngleStore(tmp_path)
    for number in range(4):
        (a if number % 2 else b).add([f"d{number}"], angles(1, number))
    b.add(["d1"], angles(1, 50), replace=True)
    found = AngleStore(tmp_path)
    assert (found.ids, found.removed) == ([*names(0, 4), "d1"], {1})
    assert torch.equal(found.gather_stored(torch.tensor([4])), codec.encode(angles(1, 50)))


def test_damage(tmp_path):
    """The codec's file missing, cut, edited, exchanged, a link; a manifest that says half of it."""
    whole = tmp_path / "whole"
    codec = fitted()
    filled(whole, codec)
    file = f"codec-{codec.fingerprint}.safetensors"
    content = (whole / file).read_bytes()
    other = Codec.fit(angles(400, 8), 8, "bits")
    other.save_file(tmp_path / "other.safetensors")
    flipped = bytearray(content)
    flipped[-3] ^= 64
    for wrong in (None, content[:-5], bytes(flipped), b"", (tmp_path / "other.safetensors").read_bytes()):
        (whole / file).unlink(missing_ok=True)
        if wrong is not None:
            (whole / file).write_bytes(wrong)
        with pytest.raises(StoreError, match=file) as caught:
            AngleStore(whole)
        assert "\n" not in str(caught.value)
    (whole / file).unlink(missing_ok=True)
    (whole / file).symlink_to(tmp_path / "other.safetensors")
    with pytest.raises(StoreError, match="leads outside"):
        AngleStore(whole)
    (whole / file).unlink()
    (whole / file).write_bytes(content)
    manifest = whole / "manifest.json"
    text = manifest.read_bytes()
    for change in ({"codec": None}, {"precision": "uint8"}, {"format": "hybrid-qproj angles 2"}, {"codec": "../x"}):
        value = {key: part for key, part in json.loads(text).items() if key != "digest"} | change
        manifest.write_bytes(seal(value))
        with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
            AngleStore(whole)
    manifest.write_bytes(text)
    shard = whole / "angles-00000.safetensors"
    codes = bytearray(shard.read_bytes())
    codes[-1] ^= 1
    shard.write_bytes(bytes(codes))
    with pytest.raises(StoreError, match="is not the file that was written"):
        exhaustive_search(AngleStore(whole), angles(1))


def test_a_store_that_takes_the_place_of_another(tmp_path):
    """Each manifest has its codec; the former one's file goes with its shards, and an interrupted run's too."""
    codec, other = fitted(), Codec.fit(angles(400, 8), 8, "bits")
    store = filled(tmp_path, codec)
    with store.writing():
        new = renew(store, WIDTH, other, "a model", "1" * 32)
        new.add(names(0, 5), angles(5))
    assert AngleStore(tmp_path).codec.fingerprint == codec.fingerprint
    store = AngleStore(tmp_path)
    with store.writing():
        assert begun(store).codec.fingerprint == other.fingerprint
        assert renew(store, WIDTH, other, "a model", "1" * 32).rows == 5
        adopt(store)
    assert (store.rows, store.codec.fingerprint) == (5, other.fingerprint)
    assert [path.name for path in tmp_path.glob("codec-*")] == [f"codec-{other.fingerprint}.safetensors"]
    with store.writing():
        renew(store, WIDTH, "uint8", "a model", "1" * 32)
        abandon(store)
        renew(store, WIDTH, codec, "a model", "1" * 32)
        abandon(store)
    assert len(list(tmp_path.glob("codec-*"))) == 1


def test_a_kill_before_the_first_manifest(tmp_path):
    """A codec's file alone is no store, and in nobody's way."""
    codec = fitted()
    Codec.fit(angles(400, 8), 8, "bits").save_file(tmp_path / f"codec-{'0' * 32}.safetensors")
    store = AngleStore.create(tmp_path, WIDTH, codec)
    store.add(names(0, 2), angles(2))
    assert [path.name for path in tmp_path.glob("codec-*")] == [f"codec-{codec.fingerprint}.safetensors"]


def test_plain_stores_are_written_as_before(tmp_path):
    """Without a word on codecs, so that versions that know none read them."""
    AngleStore.create(tmp_path, 6, "uint8")
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert "codec" not in written
    assert written["format"] == "hybrid-qproj angles 2"
