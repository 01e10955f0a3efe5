"""A saved head or model is the old one or the new one, whatever happens while it is written, and damage is noticed."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import hybrid_qproj
from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj._util import files
from hybrid_qproj._util.files import OutputError
from hybrid_qproj._util.locks import LockedError, exclusive
from hybrid_qproj.heads import checkpoint
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.registry import load_head

X = torch.linspace(-1, 1, 24).reshape(3, 8)


def head(**changes):
    return QuantumProjection(8, 3, **{"circuit": "rotor", "init": "random", "scale": 2.0, **changes})


def killed(what, folder, bert):
    script = Path(__file__).parents[1] / "helpers" / "killed.py"
    run = subprocess.run([sys.executable, script, what, folder, bert], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("what", "least"), [("head", 12), ("model", 30)])
def test_killed_at_each_step(tmp_path, tiny_bert, what, least):
    """Old or new, never a mixture, never nothing; the next save leaves no trace of it."""
    steps = killed(what, tmp_path, tiny_bert)
    assert len(steps) > least
    assert all(step["is"] in (["old"], ["new"]) for step in steps.values()), steps
    assert {tuple(step["is"]) for step in steps.values()} == {("old",), ("new",)}
    assert all(step["again"] and not step["left"] for step in steps.values()), steps


def test_killed_after_the_config(tmp_path, monkeypatch):
    """The new weights had not got their usual name: they are found, and the next save removes them."""
    head().save(tmp_path)
    new = head(plan="tree")
    monkeypatch.setattr(Path, "replace", lambda self, target: pytest.fail("killed") if not is_written(self) else None)

    def is_written(path):
        if path.name.endswith(".model.safetensors") and ".tmp" not in path.name:
            return False
        path.rename(target_of(path))
        return True

    def target_of(path):
        # `.NAME.random.tmp.suffix` becomes NAME.
        return path.with_name(path.name[1:].rsplit(".", 3)[0])

    with pytest.raises(pytest.fail.Exception):
        new.save(tmp_path)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 3
    assert torch.equal(load_head(tmp_path)(X), new.eval()(X))
    head().save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("call", [1, 2])
def test_full_disk(tmp_path, monkeypatch, call):
    """One line, and the old head."""
    old = head()
    old.save(tmp_path)
    calls = []

    def full(*args):
        calls.append(1)
        if len(calls) >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    real = files._sync
    monkeypatch.setattr(files, "_sync", full)
    with pytest.raises(OutputError, match="No space left on device; what was there before is unchanged; make room"):
        head(plan="tree").save(tmp_path)
    monkeypatch.undo()
    assert torch.equal(load_head(tmp_path)(X), old.eval()(X))


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_flipped_bits(tmp_path, file):
    """Any bit of either file: the documented error, or, where it was space between keys, the same output."""
    saved = head(normalize_output=True)
    saved.save(tmp_path)
    expected = saved.eval()(X)
    path = tmp_path / file
    content = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(8 * len(content), (100,), generator=generator).tolist()
    refused = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert torch.equal(load_head(tmp_path)(X), expected)
        except CheckpointError as error:
            assert file in str(error)  # noqa: PT017 - either is right
            refused += 1
    assert refused > 60


def test_parts_of_two_heads(tmp_path):
    """Weights of another head of the same shapes are not taken."""
    first, second = head(), head()
    first.save(tmp_path / "a")
    second.save(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged, or is not the file that was written"):
        load_head(tmp_path / "a")


def test_second_writer(tmp_path):
    """It is refused by name, and the first one's head stays."""
    head().save(tmp_path)
    with (
        exclusive(tmp_path / ".saving.lock", "it"),
        pytest.raises(LockedError, match=r"is being written by process \d+"),
    ):
        head(plan="tree").save(tmp_path)
    head(plan="tree").save(tmp_path)


def test_reader_beside_a_writer(tmp_path):
    """A head that is replaced again and again is always one of the two."""
    heads = [head(), head(plan="tree")]
    outputs = [h.eval()(X) for h in heads]
    heads[0].save(tmp_path)
    stop = threading.Event()

    def write():
        turn = 0
        while not stop.is_set():
            turn += 1
            heads[turn % 2].save(tmp_path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            given = load_head(tmp_path)(X)
            assert any(torch.equal(given, output) for output in outputs)
    finally:
        stop.set()
        writer.join()


def test_weights_that_get_their_name_meanwhile(tmp_path, monkeypatch):
    """A reader that saw them wait finds them where their writer put them."""
    saved = head()
    saved.save(tmp_path)
    read = checkpoint.read_bound_tensors
    waiting = []

    def late(path, *arguments):
        if not waiting:
            waiting.append(path)
            path.rename(tmp_path / "model.safetensors")
        return read(path, *arguments)

    digest = json.loads((tmp_path / "config.json").read_text())[checkpoint.BINDING]["weights"]
    (tmp_path / "model.safetensors").rename(tmp_path / f".{digest}.model.safetensors")
    monkeypatch.setattr(checkpoint, "read_bound_tensors", late)
    assert torch.equal(load_head(tmp_path)(X), saved.eval()(X))
    assert waiting[0].name.startswith(".")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite(tmp_path, value):
    """Such weights are neither saved nor, if somebody wrote them, loaded; the tensor is named."""
    wrong = head()
    wrong.save(tmp_path)
    with torch.no_grad():
        wrong.stages[1].weights[0] = value
    with pytest.raises(CheckpointError, match=r"'stages\.1\.weights' of the head holds numbers that are not finite"):
        wrong.save(tmp_path)
    load_head(tmp_path)
    old = Path(__file__).parents[1] / "data" / "667a48f" / "heads" / "pca"
    state = hybrid_qproj.heads.registry.load_head(old).state_dict()
    state["mean"][3] = value
    write_old(tmp_path / "pca", json.loads((old / "config.json").read_text()), state)
    with pytest.raises(CheckpointError, match=r"tensor 'mean' holds numbers that are not finite"):
        load_head(tmp_path / "pca")


def write_old(folder, config, state):
    """A head as it was saved before digests."""
    import safetensors.torch  # noqa: PLC0415

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize("size", [10**12, 10**6])
def test_sizes_are_compared_before_memory_is_taken(tmp_path, size):
    """A config that asks for a terabyte beside a file of a few bytes."""
    config = {"class": "ClassicalProjection", "in_features": size, "out_features": size // 2}
    write_old(tmp_path / "head", config, {"linear.weight": torch.zeros(1, 1), "linear.bias": torch.zeros(1)})
    with pytest.raises(
        CheckpointError, match=r"in_features: Input should be less|'linear\.weight' has the shape \(1, 1\)"
    ):
        load_head(tmp_path / "head")


class TestModels:
    """Folders of encoders."""

    @pytest.fixture
    def encoder(self, tiny_bert):
        sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
        return sbert.with_head(str(tiny_bert), QuantumProjection(24, 8), device="cpu")

    @pytest.fixture
    def saved(self, encoder, tmp_path):
        encoder.save_pretrained(str(tmp_path / "model"))
        return tmp_path / "model"

    def test_replaced_whole(self, saved, tiny_bert):
        """What belonged to the old model is gone; what did not is still there."""
        (saved / "notes.txt").write_text("mine")
        (saved / "runs").mkdir()
        (saved / "runs" / "log").write_text("mine")
        sbert = pytest.importorskip("hybrid_qproj.sbert")
        other = sbert.with_head(str(tiny_bert), ClassicalProjection(24, 4), device="cpu")
        del other[1:2]  # its head is module 1 now, not 2
        other.save_pretrained(str(saved), create_model_card=False)
        assert not (saved / "2_ProjectionHead").exists()
        assert not (saved / "1_Pooling").exists()
        assert (saved / "notes.txt").read_text() == (saved / "runs" / "log").read_text() == "mine"
        assert (saved / "README.md").exists()
        assert [path.name for path in saved.parent.iterdir()] == ["model"]

    def test_every_file_is_bound(self, saved):
        """A changed byte of any file is said by the file's name; the card and notes are anybody's."""
        hybrid_qproj.load(saved, device="cpu")
        for path in sorted(path for path in saved.rglob("*") if path.is_file()):
            content = path.read_bytes()
            path.write_bytes(content[:-2] + b"  ")
            if path.name == "README.md":
                hybrid_qproj.load(saved, device="cpu")
            else:
                with pytest.raises(CheckpointError, match=path.name.replace(".", r"\.")):
                    hybrid_qproj.load(saved, device="cpu")
            path.write_bytes(content)
        hybrid_qproj.load(saved, device="cpu")

    def test_lost_file(self, saved):
        """A file of the model that is missing is named, one that is not part of it is no matter."""
        (saved / "more.json").write_text("[1")
        hybrid_qproj.load(saved, device="cpu")
        (saved / "tokenizer_config.json").unlink()
        with pytest.raises(CheckpointError, match=r"tokenizer_config\.json is missing"):
            hybrid_qproj.load(saved, device="cpu")

    def test_full_disk(self, encoder, saved, monkeypatch):
        """One line, the old model, and nothing else."""
        before = {path.name for path in saved.rglob("*")}

        def full(*args, **kwargs):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(type(encoder[1]), "save", full)
        with pytest.raises(OutputError, match="make room"):
            encoder.save_pretrained(str(saved))
        assert {path.name for path in saved.rglob("*")} == before
        assert [path.name for path in saved.parent.iterdir()] == ["model"]
        hybrid_qproj.load(saved, device="cpu")

    def test_own_folder(self, encoder, saved, monkeypatch):
        """The folder that the process works in cannot be exchanged under it; a folder in it can be made."""
        monkeypatch.chdir(saved)
        with pytest.raises(OutputError, match="save to a folder in it, such as model"):
            encoder.save_pretrained(".")
        encoder.save_pretrained("inner")
        hybrid_qproj.load(saved, device="cpu")
        hybrid_qproj.load("inner", device="cpu")

    def test_not_finite(self, encoder, tmp_path):
        """Weights of the encoder that are no numbers are refused by name."""
        encoder[0].model.embeddings.word_embeddings.weight.data[3] = float("nan")
        encoder.save_pretrained(str(tmp_path / "model"))
        with pytest.raises(CheckpointError, match=r"word_embeddings\.weight' holds numbers that are not finite"):
            hybrid_qproj.load(tmp_path / "model", device="cpu")

    def test_saved_by_the_library(self, encoder, tmp_path):
        """A folder without a record, as plain sentence-transformers writes it, loads as before."""
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra

        SentenceTransformer(modules=list(encoder), device="cpu").save_pretrained(str(tmp_path / "model"))
        (tmp_path / "model" / "hybrid_qproj.json").unlink(missing_ok=True)
        again = hybrid_qproj.load(tmp_path / "model", device="cpu")
        assert (again.encode("a cat") == encoder.encode("a cat")).all()
        encoder.save_pretrained(str(tmp_path / "model"))
        assert (tmp_path / "model" / "hybrid_qproj.json").exists()
