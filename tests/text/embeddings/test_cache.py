"""Embeddings on disk: computed once, never mixed up, damage noticed."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.text.embeddings import cache as cache_module
from hybrid_qproj.text.embeddings.cache import CacheError, EmbeddingCache
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint, text_keys
from hybrid_qproj.text.encoders import load_encoder

WORDS = ["a", "quantum", "cat", "sat", "on", "the", "mat", "state"]
TEXTS = [f"{x} {y} {z}" for x in WORDS for y in WORDS for z in ("cat", "state")]


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    return load_encoder(tiny_bert, max_tokens=16, device="cpu")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def encoded(folder, encoder, texts, shard=32):
    """The table, and how many texts were encoded for it."""
    steps = []
    table = EmbeddingCache(folder).encode(encoder, texts, progress=lambda *s: steps.append(s), shard=shard)
    return table, steps


def test_rows_are_the_encoders(folder, encoder):
    """What comes out of the cache is what the encoder gives, across files."""
    table, steps = encoded(folder, encoder, TEXTS)
    assert steps == [(32, 128), (64, 128), (96, 128), (128, 128)]
    assert torch.allclose(table.lookup(TEXTS), encoder.encode(TEXTS, convert_to_tensor=True), atol=1e-6)


def test_nothing_is_encoded_twice(folder, encoder):
    """A second run reads; new texts alone are encoded, and a text given twice once."""
    encoded(folder, encoder, TEXTS[:100])
    assert encoded(folder, encoder, TEXTS[:100])[1] == []
    assert encoded(folder, encoder, [*TEXTS, *TEXTS])[1] == [(28, 28)]


def test_interrupted_run_goes_on(folder, encoder):
    """Files written before the interruption stay."""

    def stop(done, total):
        if done == 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EmbeddingCache(folder).encode(encoder, TEXTS, progress=stop, shard=32)
    table, steps = encoded(folder, encoder, TEXTS)
    assert steps[-1] == (64, 64)
    assert torch.allclose(table.lookup(TEXTS), encoder.encode(TEXTS, convert_to_tensor=True), atol=1e-6)


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_is_noticed(folder, encoder, damage):
    """A file that is cut off, or in which one bit changed, is named with what to do."""
    encoded(folder, encoder, TEXTS)
    (path, *_) = folder.rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CacheError, match=f"{path.name} is torn or was changed; delete it"):
        encoded(folder, encoder, TEXTS)
    path.unlink()
    assert encoded(folder, encoder, TEXTS)[1] == [(32, 32)]


def test_another_encoder_has_its_own(folder, encoder, tiny_bert):
    """Pooling, cut-off and weights each make another encoder; the folder it came from does not."""
    prints = {encoder_fingerprint(encoder)}
    prints.add(encoder_fingerprint(load_encoder(tiny_bert, "cls", 16, "cpu")))
    prints.add(encoder_fingerprint(load_encoder(tiny_bert, None, 12, "cpu")))
    changed = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    next(changed.parameters()).data[0, 0] += 1e-3
    prints.add(encoder_fingerprint(changed))
    assert len(prints) == 4
    encoded(folder, encoder, TEXTS[:3])
    assert encoded(folder, changed, TEXTS[:3])[1] == [(3, 3)]


def test_fingerprint_ignores_where_and_what_was_encoded(encoder, tmp_path):
    """A copy in another folder, and an encoder that was used, are the same."""
    before = encoder_fingerprint(encoder)
    encoder.encode(TEXTS[:2])
    encoder.save_pretrained(str(tmp_path), create_model_card=False)
    assert encoder_fingerprint(load_encoder(tmp_path, max_tokens=16, device="cpu")) == before
    assert encoder_fingerprint(encoder) == before


def test_full_disk(folder, encoder, monkeypatch):
    """The error says so; nothing half-written stays, and what was written before does."""
    encoded(folder, encoder, TEXTS[:32])
    before = sorted(folder.rglob("*"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, "write_atomically", full)
    with pytest.raises(CacheError, match=r"No space left on device \([\d,]+ bytes free\); make room and run again"):
        encoded(folder, encoder, TEXTS)
    assert sorted(folder.rglob("*")) == before


def test_unwritable_folder_shows_before_encoding(tmp_path, encoder):
    """A file stands where the folder should be."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(CacheError, match="cannot be made"):
        encoded(tmp_path / "cache", encoder, TEXTS)


def test_nan_is_refused(folder, tiny_bert):
    """Nothing of such an encoder is written."""
    broken = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    for parameter in broken.parameters():
        parameter.data.fill_(np.nan)
    with pytest.raises(CacheError, match="numbers that are not finite, first for"):
        encoded(folder, broken, TEXTS)
    assert not list(folder.rglob("*.safetensors"))


def test_rows_stay_on_disk(folder, encoder):
    """Embeddings are mapped, not read."""
    table, _ = encoded(folder, encoder, TEXTS)
    assert not any(part.flags.owndata or part.flags.writeable for part in table._parts)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system does not say which files are mapped")
    assert all(file.name in maps.read_text() for file in folder.rglob("*.safetensors"))


def planted(folder, encoder, content):
    """A file that is named by its content, as if the cache had written it."""
    encoded(folder, encoder, TEXTS[:3])
    (old,) = folder.rglob("*.safetensors")
    path = old.with_name(f"{hashlib.sha256(content).hexdigest()}.safetensors")
    path.write_bytes(content)
    return path


def tensors(**changed):
    whole = {"digests": np.arange(2, dtype=np.int64), "embeddings": np.ones((2, 24), np.float32)}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def twice():
    """A header that says two things of one tensor, which ends where the file does by the second."""
    content = safetensors.numpy.save(tensors())
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip().replace(b'{"digests"', b'{"embeddings":{"dtype":"F32","shape":[2,24],')
    header = header.replace(b"[2,24],:", b'[2,24],"data_offsets":[999999,1000191]},"digests":')
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def padded(spaces):
    """A header with more in it than a cache writes."""
    content = safetensors.numpy.save(tensors())
    length = int.from_bytes(content[:8], "little")
    return (length + spaces).to_bytes(8, "little") + content[8 : 8 + length] + b" " * spaces + content[8 + length :]


def huge():
    """A header that promises terabytes."""
    header = json.dumps(
        {
            "digests": {"dtype": "I64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]},
            "embeddings": {"dtype": "F32", "shape": [10**12, 24], "data_offsets": [8 * 10**12, 104 * 10**12]},
        }
    ).encode()
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: safetensors.numpy.save(tensors(embeddings=None)), "expected digests and a float32 matrix"),
        (lambda: safetensors.numpy.save(tensors(embeddings=np.ones((2, 24)))), "expected digests and a float32 matrix"),
        (lambda: safetensors.numpy.save(tensors(embeddings=np.ones(48, np.float32))), "expected digests and a float32"),
        (lambda: safetensors.numpy.save(tensors(digests=np.arange(3))), "for 2 embeddings"),
        (lambda: safetensors.numpy.save(tensors(embeddings=np.ones((2, 5), np.float32))), "embeddings of 5 numbers"),
        (
            lambda: safetensors.numpy.save(tensors(embeddings=np.array([[1.0] * 24, [np.nan] * 24], np.float32))),
            "row 1 holds numbers that are not finite",
        ),
        (lambda: (1 << 60).to_bytes(8, "little"), "is damaged"),
        (lambda: padded(5000), r"header of 5,\d\d\d bytes, at most 4,096 are taken"),
        (lambda: (4000).to_bytes(8, "little") + b"[" * 4000, "is damaged"),
        (lambda: b"", "is damaged"),
        (huge, "is damaged"),
    ],
)
def test_files_that_others_made(folder, encoder, content, message):
    """Their names fit their content, so that only what is in them tells: the file is named, nothing large is read."""
    path = planted(folder, encoder, content())
    with pytest.raises(CacheError, match=rf"{path.name}.*{message}"):
        encoded(folder, encoder, TEXTS[:3])


def test_a_name_that_is_there_twice(folder, encoder):
    """One reader, so one meaning: rows are where the library says, which checked that they are in the file."""
    path = planted(folder, encoder, twice())
    _, rows = cache_module._read(path)
    assert np.array_equal(rows, safetensors.numpy.load(path.read_bytes())["embeddings"])


@settings(max_examples=60)
@given(st.data())
def test_any_content_gives_the_documented_error(tmp_path_factory, data):
    """A whole file with other bytes in its header, or cut, under the name of its content."""
    content = bytearray(safetensors.numpy.save(tensors()))
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.getbasetemp() / f"{hashlib.sha256(content).hexdigest()}.safetensors"
    path.write_bytes(content)
    try:
        digests, rows = cache_module._read(path)
    except CacheError as error:
        assert path.name in str(error)  # noqa: PT017 - or none is raised
    else:
        assert len(digests) == len(rows)
        assert np.isfinite(rows).all()
    path.unlink()


def write_here(home, start, kill):
    """A process that writes to a cache; it dies before the file has its name if it is to."""
    if kill:
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    for number in range(start, start + 16):
        # Not encoded: a forked process must not use torch.
        EmbeddingCache(home.parent)._write(home, text_keys([f"text {number}"]), np.full((1, 24), number, np.float32))


def run_writers(home, starts, kill=False):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_here, args=(home, start, kill)) for start in starts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_killed_writer_leaves_nothing(folder, encoder):
    """The next one that writes removes the half-written file; a third has nothing to do."""
    encoded(folder, encoder, TEXTS[:3])
    (home,) = folder.iterdir()
    assert run_writers(home, [0], kill=True) == [-signal.SIGKILL]
    assert len([path for path in home.glob(".*") if path.name != ".lock"]) == 1
    encoded(folder, encoder, TEXTS[3:6])
    assert [path.name for path in home.glob(".*")] == [".lock"]
    assert encoded(folder, encoder, TEXTS[:6])[1] == []


def test_writers_at_the_same_time_lose_nothing(folder, encoder):
    """Each writes what it has, some of it the same."""
    encoded(folder, encoder, TEXTS[:3])
    (home,) = folder.iterdir()
    assert run_writers(home, [0, 8, 16]) == [0, 0, 0]
    table, steps = encoded(folder, encoder, TEXTS[:3])
    assert steps == []
    assert table.lookup([f"text {number}" for number in range(32)])[:, 0].tolist() == list(range(32))


def test_autocast_has_embeddings_of_its_own(folder, encoder):
    """Near those of single precision, not equal, and never taken for them."""
    plain = EmbeddingCache(folder).encode(encoder, TEXTS)
    half = EmbeddingCache(folder).encode(encoder, TEXTS, autocast="bfloat16")
    again = EmbeddingCache(folder).encode(encoder, TEXTS)
    a, b = plain.lookup(TEXTS), half.lookup(TEXTS)
    assert b.dtype == torch.float32
    assert torch.equal(again.lookup(TEXTS), a)
    assert not torch.equal(a, b)
    assert torch.nn.functional.cosine_similarity(a, b).min() > 0.999
