"""Modules as ONNX files, which run without torch, PennyLane and this package."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.files import replace_file
from hybrid_qproj._util.outputs import check_file
from hybrid_qproj.errors import on_one_line
from hybrid_qproj.heads.frozen import ExportError

SUFFIX = ".onnx"
OPSET = 20
"""Operators of 2023, which every runtime of today has."""
ROWS = 2
"""Of the example that is traced: more than one, or a size would be taken for a constant."""


def check_format(path: Path, wanted: str) -> None:
    """Refuse a file that could not be written, or a format that there is not.

    Args:
        path: the file.
        wanted: the format.

    Raises:
        ExportError: another format, or another suffix than the format's.
        OutputError: the file cannot be written.
        MissingExtraError: packages that write the format are not installed.
    """
    if wanted != "onnx":
        raise ExportError(f"format {wanted!r}: expected 'onnx'; torch.export.export takes head.frozen() itself")
    if path.suffix != SUFFIX:
        raise ExportError(f"{path}: expected a name that ends in {SUFFIX}")
    check_file(path)
    for module in ("onnx", "onnxscript"):
        require(module, "onnx", "an ONNX file")


def write_onnx(
    module: nn.Module,
    path: Path,
    inputs: Mapping[str, Tensor],
    output: str,
    dynamic: Mapping[str, Mapping[int, str]],
    about: Mapping[str, Any],
) -> None:
    """Write a module as one ONNX file, whole or not at all.

    Args:
        module: in eval mode, on the CPU, without anything that looks at its data.
        path: the file.
        inputs: name -> an example, in the order of the arguments.
        output: name of the output.
        dynamic: input -> axis -> name of a size that may vary.
        about: what a reader should know; stands in the file's metadata as JSON, under ``"hybrid_qproj"``.

    Raises:
        ExportError: torch cannot write it.
        OutputError: the file cannot be written; an older one is unchanged.
    """
    names = sorted({name for axes in dynamic.values() for name in axes.values()})
    sizes = {name: torch.export.Dim(name) for name in names}
    shapes = tuple({axis: sizes[name] for axis, name in dynamic.get(key, {}).items()} for key in inputs)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Of its own changes from version to version.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=[output],
                dynamic_shapes=shapes,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                optimize=True,
            )
    except Exception as error:
        raise ExportError(f"torch cannot write this as ONNX: {type(error).__name__}: {on_one_line(error)}") from error
    assert program is not None
    program.model.metadata_props["hybrid_qproj"] = json.dumps(about, sort_keys=True)
    with replace_file(path) as temporary:
        program.save(str(temporary), external_data=False)


def largest_difference(module: nn.Module, path: Path, width: int, rows: int = 64) -> float:
    """How far a file's outputs are from those of the module that it was written from, on random embeddings.

    Args:
        module: in eval mode, on the CPU.
        path: the file, of one input and one output.
        width: d.
        rows: embeddings that are compared.

    Returns:
        the largest difference of an output.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    runtime = require("onnxruntime", "onnx", "checking an ONNX file")
    embeddings = torch.randn(rows, width, generator=torch.Generator().manual_seed(0))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: embeddings.numpy()})
    with torch.no_grad():
        return float((torch.from_numpy(found) - module(embeddings)).abs().max())
