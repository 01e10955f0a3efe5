"""An encoder and its head in one ONNX file: what torch gives, without torch."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
pytest.importorskip("onnx", reason="needs the extra 'onnx'")
pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

import onnx
import onnxruntime as ort
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection
from hybrid_qproj.cli import app
from hybrid_qproj.heads.frozen import ExportError
from hybrid_qproj.models.onnx import export_encoder
from hybrid_qproj.sbert import with_head

TEXTS = ["cat", "dog rain bank river money law sun " * 3, "cat law"]


@pytest.fixture(scope="module")
def model(tiny_bert):
    torch.manual_seed(0)
    return with_head(str(tiny_bert), QuantumProjection(24, 8, "rotor", plan="tree", init="random")).eval()


def test_texts_to_angles_without_torch(model, tmp_path):
    """By the file and its tokenizer, for any number of texts of any length; the model stays as it is."""
    model.train()
    written = export_encoder(model, tmp_path / "model.onnx")
    assert model.training
    assert all(p.requires_grad for p in model.head.parameters())
    model.eval()
    assert written.difference < 1e-5
    tokenizer = Tokenizer.from_file(str(written.tokenizer))
    tokenizer.enable_padding()
    session = ort.InferenceSession(str(written.model))
    for texts in (TEXTS, TEXTS[1:2]):
        found = tokenizer.encode_batch(texts)
        columns = {
            "input_ids": [text.ids for text in found],
            "attention_mask": [text.attention_mask for text in found],
            "token_type_ids": [text.type_ids for text in found],
        }
        given = {name: torch.tensor(columns[name]).numpy() for name in written.inputs}
        (outputs,) = session.run(None, given)
        expected = model.encode(texts, convert_to_tensor=True).cpu()
        torch.testing.assert_close(torch.from_numpy(outputs), expected, atol=1e-5, rtol=0)
    about = {entry.key: entry.value for entry in onnx.load(str(written.model)).metadata_props}["hybrid_qproj"]
    assert json.loads(about)["similarity"] == "fidelity"


def test_the_command(model, tmp_path):
    """Says what goes in, and how far the outputs are from torch's."""
    model.save(str(tmp_path / "model"))
    out = tmp_path / "m.onnx"
    result = CliRunner().invoke(app, ["export", str(tmp_path / "model"), "--encoder", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "input_ids, token_type_ids, attention_mask -> 8" in result.stdout
    assert "m.tokenizer.json" in result.stdout
    assert out.exists()


def test_refused(model, tmp_path):
    """What has no token numbers, and another format."""
    static = SentenceTransformer(modules=[StaticEmbedding(model.tokenizer.backend_tokenizer, embedding_dim=24)])
    with pytest.raises(ExportError, match="a StaticEmbedding reads no token numbers"):
        export_encoder(with_head(static, QuantumProjection(24, 8)), tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"expected a name that ends in .onnx"):
        export_encoder(model, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []
