"""Stores whose documents are codes: written, read, searched, damaged."""

from __future__ import annotations

import json
import math
import shutil

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj._util.seals import seal
from hybrid_qproj.codec import Codec
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError, exhaustive_search
from hybrid_qproj.index.coding import Coding, check_head, choose_codec, sample
from hybrid_qproj.index.first_stage import KINDS
from hybrid_qproj.index.manifest import MANIFEST, describe
from hybrid_qproj.index.renewal import adopt, pending, renew
from hybrid_qproj.retrieval.documents import Document

WIDTH, ROWS = 16, 300


def angles(rows, seed=0):
    return 1.5 + 0.2 * torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))


def names(start, stop):
    return [f"d{number}" for number in range(start, stop)]


QUERIES = angles(7, seed=9)


@pytest.fixture(scope="module", params=["bits", "signs", "pq", "itq", "rabitq", "int8"])
def codec(request):
    size = {"int8": WIDTH, "rabitq": 10}.get(request.param, 2)
    return Codec.fit(angles(400, seed=5), size, request.param)


@pytest.fixture
def store(codec, tmp_path):
    found = AngleStore.create(tmp_path / "codes", WIDTH, codec=codec)
    found.add(names(0, 200), angles(ROWS)[:200])
    found.add(names(200, ROWS), angles(ROWS)[200:])
    return found


def test_what_is_kept(store, codec):
    """A document takes the codec's bytes; what is read is what its codes decode to; the codec lies beside them."""
    again = AngleStore(store.folder)
    assert (again.precision, again.bytes_per_document, len(again)) == ("codes", codec.bytes, ROWS)
    assert again.codec.fingerprint == codec.fingerprint
    decoded = codec.decode(codec.encode(angles(ROWS)))
    assert torch.equal(torch.cat([part for _, part in again.chunks(64)]), decoded)
    places = torch.tensor([[0, 250], [7, 1]])
    # A matrix product of a few rows rounds otherwise.
    torch.testing.assert_close(again.gather(places), decoded[places])
    torch.testing.assert_close(again.gather(torch.tensor(3)), decoded[3])
    again.verify()


def test_exhaustive_search(store, codec):
    """By the codec's scores, of documents that are still there."""
    store.remove(["d5", "d250"])
    scores = codec.scores(QUERIES, codec.encode(angles(ROWS)))
    scores[:, [5, 250]] = -torch.inf
    expected = scores.sort(dim=1, descending=True, stable=True)
    found = exhaustive_search(AngleStore(store.folder), QUERIES, 12)
    torch.testing.assert_close(found.scores, expected.values[:, :12])
    # Equal scores may change places by rounding only.
    torch.testing.assert_close(scores.gather(1, found.positions), expected.values[:, :12])


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_stage_and_the_codecs_scores(store, kind):
    """With every document a candidate, what an exhaustive search finds; documents that come later are found too."""
    AngleIndex.build(store.folder, kind, candidates=ROWS)
    index = AngleIndex.load(store.folder)
    store = index.store
    index.add(names(ROWS, ROWS + 20), angles(20, seed=3))
    found, expected = (
        index.search(QUERIES, 10, effort=ROWS if kind != "flat" else None),
        exhaustive_search(store, QUERIES),
    )
    torch.testing.assert_close(found.scores, expected.scores)


def test_candidates_are_near_by_score(store):
    """A few candidates hold most of the best."""
    assert AngleIndex(store, "flat", candidates=8).recall(QUERIES, 10) >= 0.9


@pytest.mark.parametrize(("scheme", "size"), [("opq", 2), ("itq", 1), ("rabitq", 9)])
def test_angles_near_the_poles(tmp_path, scheme, size):
    """A rotation leads what codes stand for out of [0, pi]; it is indexed and found all the same."""
    near = math.pi * torch.rand(300, 8, generator=torch.Generator().manual_seed(3)).pow(4)
    codec = Codec.fit(near, size, scheme)
    assert float(codec.decode(codec.encode(near)).min()) < -0.1
    store = AngleStore.create(tmp_path, 8, codec=codec)
    store.add([f"d{number}" for number in range(300)], near)
    for kind in KINDS:
        found = AngleIndex(store, kind, candidates=60).search(near[:4], 5).scores
        torch.testing.assert_close(found, exhaustive_search(store, near[:4], 5).scores, atol=1e-4, rtol=1e-4)


def test_damage(store, codec):
    """A codec that is missing, damaged, another, or not named is an error that says so."""
    path = next(store.folder.glob("codec-*"))
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(StoreError, match=r"codec-[0-9a-f]{32}.safetensors is missing; put back"):
        AngleStore(store.folder)
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 64]) + content[-2:])
    with pytest.raises(StoreError, match="codec-"):
        AngleStore(store.folder)
    Codec.fit(angles(400, seed=8), codec.bytes, codec.scheme.name).save_file(path)
    with pytest.raises(StoreError, match="is another codec than the one that made the codes"):
        AngleStore(store.folder)
    path.write_bytes(content)
    manifest = json.loads((store.folder / MANIFEST).read_text())
    for edit in ({"codec": None}, {"precision": "uint8"}, {"codec": {"fingerprint": "../../etc/passwd"}}):
        edited = {key: value for key, value in (manifest | edit).items() if key != "digest"}
        (store.folder / MANIFEST).write_bytes(seal(edited))
        with pytest.raises(StoreError, match="damaged"):
            AngleStore(store.folder)


def test_verify_reads_the_codec(store):
    """As every other file."""
    next(store.folder.glob("codec-*")).write_bytes(b"x")
    with pytest.raises(StoreError, match="codec-"):
        store.verify()


def test_queries_that_are_none(store):
    """Outputs of no such head are the store's error, in whatever way one searches."""
    for search in (lambda queries: exhaustive_search(store, queries), AngleIndex(store).search):
        with pytest.raises(StoreError, match=r"angles from .* expected \[0, pi\]"):
            search(QUERIES + 4)


def test_codes_with_floats_that_are_none(tmp_path):
    """RaBitQ's, by a hand that writes digests too."""
    codec = Codec.fit(angles(50), 10, "rabitq")
    store = AngleStore.create(tmp_path / "codes", WIDTH, codec=codec)
    store.form.pack = lambda outputs: torch.full((len(outputs), 10), 255, dtype=torch.uint8)
    store.add(names(0, 3), angles(3))
    with pytest.raises(StoreError, match=r"angles-00000\.safetensors: row 0 is no code: a number in it is not finite"):
        exhaustive_search(AngleStore(tmp_path / "codes"), QUERIES)


def test_an_index_belongs_to_a_codec(tmp_path):
    """The same bytes stand for other angles by another codec."""
    for name, seed in (("a", 1), ("b", 2)):
        store = AngleStore.create(tmp_path / name, WIDTH, codec=Codec.fit(angles(50, seed), 2))
        store.form.pack = lambda outputs: torch.zeros(len(outputs), 2, dtype=torch.uint8)
        store.add(names(0, 3), angles(3))
    AngleIndex(AngleStore(tmp_path / "a")).save()
    for name in ("index.faiss", "index.json"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    assert AngleIndex.load(tmp_path / "a")
    with pytest.raises(StoreError, match="is of other documents; build it again"):
        AngleIndex.load(tmp_path / "b")


def test_a_renewal_whose_codec_is_damaged_goes_on(codec, tmp_path):
    """The codec is written again."""
    store = AngleStore.create(tmp_path, WIDTH)
    store.add(names(0, 3), angles(3))
    wanted = describe(WIDTH, "float32", "", None, codec.fingerprint)
    with store.writing():
        renew(store, wanted, codec)
    for content in (b"x", None):
        path = next(tmp_path.glob("codec-*"))
        path.unlink() if content is None else path.write_bytes(content)
        with store.writing():
            assert pending(store, "0" * 32) is None
            new = renew(store, wanted, codec)
            new.add(names(0, 3), angles(3), replace=True)
    with store.writing():
        adopt(store)
    assert AngleStore(tmp_path).codec.fingerprint == codec.fingerprint


def test_a_link_out_of_the_folder(store, tmp_path):
    """Nothing outside is opened."""
    path = next(store.folder.glob("codec-*"))
    shutil.move(path, tmp_path / "elsewhere.safetensors")
    path.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(StoreError, match="link out of its folder"):
        AngleStore(store.folder)


def test_a_flipped_bit_of_a_shard(store):
    """Is noticed before its rows are used."""
    path = store.folder / store.shards[0].file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not the file that was written"):
        exhaustive_search(AngleStore(store.folder), QUERIES)


def test_what_a_killed_writer_left_is_removed(store):
    """A codec that no manifest names, and half of one."""
    stray = store.folder / f"codec-{'0' * 32}.safetensors"
    half = store.folder / f".codec-{'0' * 32}.safetensors.abc.tmp"
    own = next(store.folder.glob("codec-*"))
    stray.write_bytes(b"x")
    half.write_bytes(b"x")
    store.remove(["d1"])
    assert own.exists()
    assert not stray.exists()


def test_refused(codec, tmp_path):
    """A codec of other outputs, and one of another head."""
    with pytest.raises(StoreError, match=r"a codec of 16 numbers.* expected one of 8 angles"):
        AngleStore.create(tmp_path / "a", 8, codec=codec)
    vectors = Codec.fit(torch.randn(50, WIDTH), 2, similarity="cosine")
    with pytest.raises(StoreError, match=r"expected one of 16 angles, which are compared by fidelity"):
        AngleStore.create(tmp_path / "a", WIDTH, codec=vectors)
    assert not (tmp_path / "a").exists()
    mine = Codec.fit(angles(50), 2, head="a" * 32)
    check_head(mine, "a" * 32)
    check_head(codec, "b" * 32)
    with pytest.raises(StoreError, match="another head"):
        check_head(mine, "b" * 32)


def test_which_codec(codec):
    """What is there goes on if it does what is wanted."""
    assert choose_codec(None, codec, None) is None
    assert choose_codec(codec, None, None) is codec
    assert choose_codec(Coding.of(codec), codec, None) is codec
    assert choose_codec(Coding(3, "signs"), codec, lambda wanted: wanted) == Coding(3, "signs")


def test_a_sample_is_the_same_again():
    """Of documents that are equally likely, in one pass."""
    corpus = [Document(str(number), "x") for number in range(50)]
    chosen = sample(iter(corpus), 10)
    assert chosen == sample(iter(corpus), 10)
    assert len({document.id for document in chosen}) == 10
    assert sample(corpus, 99) == corpus
    counts = torch.zeros(50)
    for seed in range(400):
        for document in sample(corpus, 10, seed):
            counts[int(document.id)] += 1
    assert counts.min() > 50
    assert counts.max() < 110
