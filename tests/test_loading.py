"""hybrid_qproj.load: what it trusts, and what it says of damaged folders."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer

import hybrid_qproj
from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.sbert import with_head


@pytest.fixture
def saved(tiny_bert, tmp_path):
    with_head(str(tiny_bert), QuantumProjection(24, 8), device="cpu").save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


def _edit(folder, change):
    entries = json.loads((folder / "modules.json").read_text())
    change(entries)
    (folder / "modules.json").write_text(json.dumps(entries))


def test_refuses_foreign_modules(saved, tmp_path, monkeypatch):
    """A module class of anybody else is refused before it is imported."""
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    _edit(saved, lambda entries: entries[-1].update(type="evil.Head"))
    with pytest.raises(CheckpointError, match=r"wants a module 'evil\.Head'"):
        hybrid_qproj.load(saved)


def test_never_runs_code_of_the_folder(saved):
    """A config that maps the transformer to code in the folder is not followed."""
    config = json.loads((saved / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"}
    config["model_type"] = "evil"
    (saved / "config.json").write_text(json.dumps(config))
    (saved / "evil.py").write_text("raise SystemExit('executed')")
    with pytest.raises(CheckpointError, match="could not be loaded"):
        hybrid_qproj.load(saved)


def test_refuses_paths_outside(saved):
    """A module's path may not leave the folder."""
    _edit(saved, lambda entries: entries[-1].update(path="../elsewhere"))
    with pytest.raises(CheckpointError, match="points outside"):
        hybrid_qproj.load(saved)


@pytest.mark.parametrize(
    "name",
    [
        "sentence_transformers.nothing.Here",
        "sentence_transformers.SentenceTransformer",
        "sentence_transformers.models.CLIPModel",
        "sentence_transformers.models.WordEmbeddings",
        "sentence_transformers.models.Transformer.x",
        "hybrid_qproj.sbert.Encoder",
        "hybrid_qproj.sbert.os.system",
    ],
)
def test_unknown_trusted_names(saved, name):
    """A trusted package is not enough: it has to be a class that loads numbers and nothing else."""
    _edit(saved, lambda entries: entries[0].update(type=name))
    with pytest.raises(CheckpointError, match=f"wants a module {name!r}"):
        hybrid_qproj.load(saved)


def test_no_model_there(tmp_path):
    """An empty folder, a missing one and a bare head are told apart."""
    with pytest.raises(CheckpointError, match=r"modules\.json is missing"):
        hybrid_qproj.load(tmp_path)
    with pytest.raises(CheckpointError, match="there is no folder"):
        hybrid_qproj.load(tmp_path / "nothing")
    QuantumProjection(8, 2).save(tmp_path / "head")
    with pytest.raises(CheckpointError, match="bare head"):
        hybrid_qproj.load(tmp_path / "head")


def test_model_without_head(tiny_bert, tmp_path):
    """A model of the library itself is pointed to with_head."""
    SentenceTransformer(str(tiny_bert), device="cpu").save_pretrained(str(tmp_path / "plain"))
    with pytest.raises(CheckpointError, match="without a projection head"):
        hybrid_qproj.load(tmp_path / "plain")


@pytest.mark.parametrize("keep", [0, 5, 200])
def test_truncated_head(saved, keep):
    """A cut-off weights file is one clear error that names the file."""
    path = saved / "2_ProjectionHead" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        hybrid_qproj.load(saved)


def test_truncated_encoder(saved):
    """So is a cut-off encoder, which the library reads."""
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="could not be loaded"):
        hybrid_qproj.load(saved)


def test_damaged_modules_list(saved):
    """modules.json of another shape, or no JSON at all."""
    (saved / "modules.json").write_text('{"a": 1}')
    with pytest.raises(CheckpointError, match="expected a list of modules"):
        hybrid_qproj.load(saved)
    (saved / "modules.json").write_text("[{")
    with pytest.raises(CheckpointError, match="no JSON"):
        hybrid_qproj.load(saved)


def test_other_quantum_device(saved):
    """The saved device can be replaced while loading; it is not built before circuits run."""
    encoder = hybrid_qproj.load(saved, quantum_device="lightning.gpu?shots=10")
    assert str(encoder.head.device) == "lightning.gpu?shots=10"


def test_missing_extra_names_the_command():
    """Without sentence-transformers the error says what to install."""
    code = textwrap.dedent("""
        import sys
        sys.modules["sentence_transformers"] = None
        import hybrid_qproj
        try:
            hybrid_qproj.load("anything")
        except ImportError as error:
            print(error)
    """)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'hybrid-qproj[text]'" in printed


def test_an_encoder_without_a_head_is_named():
    """By the command that makes one, and no hub is asked."""
    with pytest.raises(CheckpointError, match=r"is an encoder, which has no head: fit one .* fit minilm CORPUS"):
        hybrid_qproj.load("minilm")
