"""Tensors in a safetensors file that somebody else may have written: sizes are compared before any is allocated."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj._util.strict_json import parse_json

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Names of dtypes in the files."""
FLOATING = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
HEADER = 1 << 20
"""Bytes that a file may have beside its numbers, and for each tensor's name and place `ENTRY` more."""
ENTRY = 1 << 10
SHOWN = 5
"""Names in a message at most."""


class Form(NamedTuple):
    """What a tensor must be.

    Attributes:
        shape: None for any.
        dtypes: None for any.
    """

    shape: tuple[int, ...] | None = None
    dtypes: tuple[torch.dtype, ...] | None = None


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors, whole or not at all.

    Args:
        path: the safetensors file.
        tensors: by name, of any device.
        metadata: plain values by name.

    Raises:
        OutputError: it could not be written.
    """
    texts = {name: json.dumps(value, sort_keys=True) for name, value in (metadata or {}).items()}
    plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(plain, metadata=texts or None))


def read_tensors(path: Path, forms: Mapping[str, Form]) -> dict[str, Tensor]:
    """Read tensors of known forms.

    Args:
        path: the safetensors file.
        forms: name -> what it must be; the file holds these tensors and no others.

    Returns:
        name -> tensor, on the CPU; all floating ones finite.

    Raises:
        ValueError: damaged, other names, shapes or dtypes, or numbers that are not finite; the message names file and
            tensor.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            _check_forms(path, file, forms)
            tensors = {name: file.get_tensor(name) for name in forms}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    _check_finite(path, tensors)
    return tensors


def read_bound_tensors(
    path: Path, forms: Mapping[str, Form], digest: str | None, optional: frozenset[str] = frozenset()
) -> dict[str, Tensor]:
    """Read tensors that another file binds by a digest: the bytes that were compared are those that are read.

    Args:
        path: the safetensors file.
        forms: name -> what it must be, each with a shape; the file holds these tensors and no others.
        digest: SHA-256 of the file, in hexadecimal; None where none was written.
        optional: names that may be missing.

    Returns:
        name -> tensor, on the CPU; all floating ones finite.

    Raises:
        ValueError: damaged, of another digest, other names, shapes or dtypes, or numbers that are not finite; the
            message names file and tensor.
        OSError: it cannot be read.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            _check_forms(path, file, {k: form for k, form in forms.items() if k not in optional or k in file.keys()})  # noqa: SIM118 - no mapping
        numbers = sum(math.prod(form.shape or ()) for form in forms.values())
        content = read_bounded(path, numbers * torch.float64.itemsize + HEADER + ENTRY * len(forms))
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{path} is damaged, or is not the file that was written with its config")
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    _check_finite(path, tensors)
    return tensors


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{path}: tensor {name!r} holds numbers that are not finite")


def read_metadata(path: Path) -> dict[str, Any]:
    """Plain values that `save_tensors` wrote beside the tensors.

    Args:
        path: the safetensors file.

    Returns:
        name -> value.

    Raises:
        ValueError: damaged; the message names the file.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    try:
        return {name: parse_json(text) for name, text in texts.items()}
    except ValueError as error:
        raise ValueError(f"{path}: its metadata is no JSON: {error}") from error


def _check_forms(path: Path, file: Any, forms: Mapping[str, Form]) -> None:
    there = set(file.keys())
    if there != set(forms):
        problems = [
            f"{what} {', '.join(sorted(names)[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
            for what, names in (("lacks", set(forms) - there), ("has besides", there - set(forms)))
            if names
        ]
        raise ValueError(f"{path} {' and '.join(problems)}")
    for name, form in forms.items():
        part = file.get_slice(name)
        shape, dtype = tuple(part.get_shape()), DTYPES.get(part.get_dtype())
        if form.shape is not None and shape != form.shape:
            raise ValueError(f"{path}: tensor {name!r} has the shape {shape}; expected {form.shape}")
        if form.dtypes is not None and dtype not in form.dtypes:
            expected = " or ".join(str(known).removeprefix("torch.") for known in form.dtypes)
            raise ValueError(f"{path}: tensor {name!r} is of type {part.get_dtype()}; expected {expected}")


def following(move: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """A tensor that belongs to a module, and is neither state nor anything to be averaged, where its module goes.

    Args:
        move: what the module does to its parameters: an argument of ``_apply``.
        tensor: an index, say.

    Returns:
        the same numbers on the torch device of the parameters; unmoved where that holds no numbers.
    """
    device = move(tensor.new_empty(0)).device
    return tensor if device.type == "meta" else tensor.to(device)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """A digest of names, dtypes, shapes and values.

    Args:
        tensors: by name, of any device.

    Returns:
        SHA-256, in hexadecimal; the same in whatever order the names stand.
    """
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().contiguous().cpu()
        found.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        found.update(values.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
