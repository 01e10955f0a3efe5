"""An encoder and its head as one ONNX file: token numbers in, angles out, with the tokenizer beside it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sentence_transformers.base.modules import Router, Transformer
from torch import Tensor, nn

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.heads.frozen import ExportError
from hybrid_qproj.heads.onnx import check_format, write_onnx
from hybrid_qproj.models.encoder import Encoder

EXAMPLES = ("a", "a text of several words, longer than the other", "two, more or less")
"""What is traced, and compared afterwards: more than one text, and lengths that differ."""
MOST_INPUTS = 3
"""Token numbers, the mask, and the kinds of tokens that BERT has."""
TOKENIZER = ".tokenizer.json"
"""What the name of the tokenizer's file ends in."""


class Exported(NamedTuple):
    """What was written.

    Attributes:
        model: the ONNX file.
        tokenizer: file of the tokenizer, as the package tokenizers reads it; None where the model's is no fast one.
        inputs: names of the inputs, (texts, tokens) each, int64.
        difference: of onnxruntime's outputs from torch's, the largest on a few texts.
    """

    model: Path
    tokenizer: Path | None
    inputs: tuple[str, ...]
    difference: float


class _Whole(nn.Module):
    """The modules of a model in a row, the head's blocks as constants."""

    def __init__(self, modules: Sequence[nn.Module], head: nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self.parts, self.head, self.inputs = nn.ModuleList(modules), head, tuple(inputs)

    def forward(self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Tensor:
        """Token numbers and masks (n, tokens) to outputs of the head, (n, width)."""
        # Named one by one: the exporter takes several of one name for a single input.
        tensors = (first, second, third)[: len(self.inputs)]
        features: dict[str, Any] = dict(zip(self.inputs, tensors, strict=True))
        for module in self.parts:
            features = module(features)
        found: Tensor = self.head(features["sentence_embedding"])
        return found


def export_encoder(model: Encoder, path: str | Path, format: str = "onnx") -> Exported:  # noqa: A002 - as of heads
    """Write an encoder with its head as one file that runs without torch, transformers and PennyLane.

    Queries and documents of a model with prompts differ by the text before them, which is the caller's to add.

    Args:
        model: an encoder with a head; it is not changed.
        path: the file, ending in .onnx; the tokenizer is written beside it, under the same name with
            ``.tokenizer.json``.
        format: ``"onnx"``.

    Returns:
        what was written, and how far its outputs are from torch's.

    Raises:
        ExportError: not an encoder of tokens, one that has a way of its own for queries, or one that torch cannot
            write.
        OutputError: a file cannot be written; older ones are unchanged.
        MissingExtraError: the extra 'onnx' is not installed.
    """
    path = Path(path)
    check_format(path, format)
    runtime = require("onnxruntime", "onnx", "checking an ONNX file")
    modules = list(model)
    if any(isinstance(module, Router) for module in model.modules()):
        raise ExportError("queries and documents go different ways in this model, and a file has one; export the head")
    if not isinstance(modules[0], Transformer):
        raise ExportError(f"a {type(modules[0]).__name__} reads no token numbers; expected a transformer to begin with")
    if any(getattr(module, "include_prompt", True) is False for module in modules):
        raise ExportError("the pooling leaves the prompt's tokens out, which a file of one way cannot; export the head")
    # A copy: the model itself may be on a GPU, or in use by others.
    copied = copy.deepcopy(model).eval().cpu()
    features = _tokens(copied, EXAMPLES)
    if len(features) > MOST_INPUTS:
        raise ExportError(f"the tokenizer gives {', '.join(features)}; expected {MOST_INPUTS} inputs at most")
    whole = _Whole(list(copied)[:-1], copied.head.frozen(), list(features)).eval()
    about = {
        "head": model.head.kind,
        "similarity": model.head.similarity,
        "width": model.head.output_width,
        "max_tokens": model.max_seq_length,
        "prompts": dict(model.prompts),
    }
    write_onnx(whole, path, features, "outputs", {name: {0: "texts", 1: "tokens"} for name in features}, about)
    tokenizer = _write_tokenizer(model, path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kept = tuple(given.name for given in session.get_inputs())
    difference = 0.0
    for texts in (EXAMPLES, EXAMPLES[:1]):
        given = _tokens(copied, texts)
        (found,) = session.run(None, {name: given[name].numpy() for name in kept})
        with torch.no_grad():
            expected = whole(*given.values())
        difference = max(difference, float((torch.from_numpy(found) - expected).abs().max()))
    return Exported(path, tokenizer, kept, difference)


def _tokens(model: Encoder, texts: Sequence[str]) -> dict[str, Tensor]:
    """What the model's tokenizer makes of texts: the tensors, (n, tokens) each."""
    found = model.preprocess(list(texts))
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _write_tokenizer(model: Encoder, path: Path) -> Path | None:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    out = path.with_suffix(TOKENIZER)
    write_atomically(out, backend.to_str(pretty=True).encode())
    return out
