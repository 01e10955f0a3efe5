"""Heads as plain modules, and as ONNX files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from hybrid_qproj import ClassicalProjection, CoherentProjection, PCAProjection, QuantumProjection
from hybrid_qproj._util.files import OutputError
from hybrid_qproj.cli import app
from hybrid_qproj.heads.frozen import ExportError
from hybrid_qproj.heads.linear import Truncation

ROWS = torch.randn(7, 12, generator=torch.Generator().manual_seed(1))


def generator():
    return torch.Generator().manual_seed(0)


HEADS = {
    "u_cu chain": lambda: QuantumProjection(12, 3, init="random", generator=generator()),
    "tree": lambda: QuantumProjection(12, 5, "rotor", plan="tree", init="random", scale=2.0, generator=generator()),
    "fitted": lambda: QuantumProjection.fit(torch.randn(40, 12, generator=generator()), 4),
    "noisy": lambda: QuantumProjection(12, 3, "rotor", "default.mixed?noise=depolarizing:0.05", scale=1.0),
    "direct": lambda: QuantumProjection(12, 6, "rotor", "default.qubit?mode=direct", scale=1.0),
    "coherent": lambda: CoherentProjection(12, 3, "rotor", plan="tree", init="random", generator=generator()),
    "linear": lambda: ClassicalProjection(12, 3, generator=generator()),
    "PCA": lambda: PCAProjection.fit(torch.randn(40, 12, generator=generator()), 4),
    "truncation": lambda: Truncation(12, 4),
}


@pytest.fixture(params=HEADS, ids=str)
def head(request):
    return HEADS[request.param]().eval()


def test_the_same_numbers(head):
    """In each dtype, for any leading axes, and for embeddings of zeros."""
    frozen = head.frozen()
    for embeddings in (ROWS, ROWS.view(7, 1, 12), ROWS[0], torch.zeros(2, 12), ROWS.bfloat16()):
        expected = head(embeddings).detach()
        torch.testing.assert_close(
            frozen(embeddings), expected, atol=2e-6 if expected.dtype == torch.float32 else 0.02, rtol=0
        )
    torch.testing.assert_close(frozen.double()(ROWS.double()), head.double()(ROWS.double()).detach(), atol=2e-6, rtol=0)


def test_it_stays_as_it_was(head):
    """Whatever becomes of the head; nothing of it trains, and no circuit is kept."""
    before = head(ROWS).detach().clone()
    frozen = head.frozen()
    for parameter in head.parameters():
        parameter.data.add_(0.5)
    torch.testing.assert_close(frozen(ROWS), before, atol=2e-6, rtol=0)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not frozen.training


def test_torch_takes_it_as_any_module(head):
    """torch.vmap, also of the head itself, and tensors without numbers."""
    expected = head(ROWS).detach()
    # In direct mode, PennyLane runs a circuit for each row; what it does to them, it does not do under vmap.
    for module in (head.frozen(), *([head] if getattr(head, "mode", "") != "direct" else [])):
        torch.testing.assert_close(torch.vmap(module)(ROWS).detach(), expected, atol=2e-6, rtol=0)
        with torch.no_grad():
            torch.testing.assert_close(torch.vmap(module)(ROWS), expected, atol=2e-6, rtol=0)
        on_meta = module.to("meta")(ROWS.to("meta"))
        assert (on_meta.shape, on_meta.dtype, on_meta.device.type) == (expected.shape, expected.dtype, "meta")


@pytest.mark.parametrize("name", ["tree", "fitted", "coherent", "linear"])
def test_torch_export(name):
    """A program for any number of rows."""
    head = HEADS[name]().eval()
    program = torch.export.export(head.frozen(), (ROWS,), dynamic_shapes=({0: torch.export.Dim("rows")},))
    for rows in (2, 5):
        torch.testing.assert_close(program.module()(ROWS[:rows]), head(ROWS[:rows]).detach(), atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", ["tree", "coherent"])
def test_circuits_are_not_exported(name):
    """The head itself says what to export in its place."""
    with pytest.raises(Exception, match=r"head\.frozen\(\)") as found:
        torch.export.export(HEADS[name]().eval(), (ROWS,))
    assert isinstance(found.value, ExportError) or "ExportError" in repr(found.value) + str(found.value)


@pytest.fixture
def run_file():
    """Run a file by onnxruntime; its metadata."""
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")

    def run(path, embeddings):
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (outputs,) = session.run(["outputs"], {"embeddings": embeddings.numpy()})
        return outputs, json.loads(session.get_modelmeta().custom_metadata_map["hybrid_qproj"])

    return run


@pytest.mark.slow
def test_onnx(head, tmp_path, run_file):
    """Within 1e-5 of torch for any number of rows, one too, in one file that says what it is."""
    head.export(tmp_path / "head.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["head.onnx"]
    for rows in (1, 2, 7):
        outputs, about = run_file(tmp_path / "head.onnx", ROWS[:rows])
        np.testing.assert_allclose(outputs, head(ROWS[:rows]).detach().numpy(), atol=1e-5, rtol=0)
    assert (about["kind"], about["similarity"]) == (head.kind, head.similarity)
    assert about["config"] == json.loads(json.dumps(head.config()))


def test_onnx_of_a_small_head(tmp_path, run_file):
    """The command writes the same, and compares."""
    head = QuantumProjection(4, 2, "rotor", init="random", generator=generator()).eval()
    head.save(tmp_path / "head")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "head"), "--out", str(tmp_path / "head.onnx")])
    assert result.exit_code == 0, result.output
    assert "QuantumProjection 4 -> 2" in result.output
    outputs, _ = run_file(tmp_path / "head.onnx", ROWS[:3, :4].contiguous())
    np.testing.assert_allclose(outputs, head(ROWS[:3, :4]).detach().numpy(), atol=1e-5, rtol=0)


def test_refusals(tmp_path):
    """Before anything is traced, and without leaving anything behind."""
    head = Truncation(4, 2)
    with pytest.raises(ExportError, match="expected 'onnx'"):
        head.export(tmp_path / "head.onnx", format="torchscript")
    with pytest.raises(ExportError, match=r"ends in \.onnx"):
        head.export(tmp_path / "head.bin")
    with pytest.raises(OutputError, match="there is no folder"):
        head.export(tmp_path / "no" / "head.onnx")
    assert not list(tmp_path.iterdir())
