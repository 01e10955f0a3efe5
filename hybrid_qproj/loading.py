"""A saved encoder with its head, loaded without running code that came with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.folders import is_folder, settle
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import can_cost
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.checkpoint import CONFIG, TRIES, WEIGHTS, CheckpointError
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.heads.registry import load_head
from hybrid_qproj.models.checks import check_module, router_classes
from hybrid_qproj.models.folder import check_links, one_line, read_modules, read_settings
from hybrid_qproj.models.record import MODULES, check_model, read_files
from hybrid_qproj.text.encoders import PRESETS

if TYPE_CHECKING:
    from sentence_transformers.base.modules.module import Module

    from hybrid_qproj.sbert import Encoder


def load(
    path: str | Path,
    device: str | None = None,
    quantum_device: str | None = None,
    ansaetze: Sequence[str | Ansatz] = (),
    allow_paid: bool = False,
) -> Encoder:
    """Load an encoder with its head.

    Module by module through sentence-transformers' own loaders, after a check that nothing in the folder wants anything
    imported, called or fetched: whatever the folder says, only classes of a fixed list are used, and weights are read
    from safetensors alone.

    Args:
        path: a folder written by ``save_pretrained``, or a hub id.
        device: torch device; the best there is when None.
        quantum_device: device string that replaces the saved one.
        ansaetze: your own ones that the head may name: objects, or ``"package.module:name"``, which is imported.
            Registered ones need not be given.
        allow_paid: whether circuits may run on a device that can cost money, be it ``quantum_device`` or the saved one;
            else `hybrid_qproj.devices.PaidDeviceError` at the first circuit. Loading itself contacts no device.

    Returns:
        the encoder.

    Raises:
        ValueError: ``quantum_device`` is given but the head is classical.
        DeviceUnavailableError: nobody knows ``quantum_device``.
        CheckpointError: not such a folder, something in it that is not trusted, or damaged files.
        MissingExtraError: sentence-transformers is not installed.
    """
    require("sentence_transformers", "text", "an encoder with a head")
    folder = local_folder(path)
    encoder = _steady(folder, device, ansaetze)
    choose_device(encoder.head, quantum_device, allow_paid)
    return encoder


def _steady(folder: Path, device: str | None, ansaetze: Sequence[str | Ansatz]) -> Encoder:
    """Load what belongs together, anew if a writer replaced it meanwhile."""
    for _ in range(TRIES):
        files = read_files(folder)
        try:
            encoder = _load(folder, files, device, ansaetze)
        except CheckpointError:
            if read_files(folder) == files:
                raise
        else:
            if read_files(folder) == files:
                return encoder
    raise CheckpointError(f"{str(folder)!r} is written again and again; load it when that is done")


def _load(folder: Path, files: dict[str, str] | None, device: str | None, ansaetze: Sequence[str | Ansatz]) -> Encoder:
    from hybrid_qproj.sbert import Encoder, ProjectionHead  # noqa: PLC0415 - imports an extra

    check_links(folder)
    entries = read_modules(folder)
    classes = [cls for _, cls in entries]
    if not classes or classes[-1] is not ProjectionHead:
        raise CheckpointError(
            f"{str(folder)!r} is a sentence-transformers model without a projection head; load it with "
            "SentenceTransformer and add one with hybrid_qproj.sbert.with_head"
        )
    for entry, cls in entries:
        if cls is not ProjectionHead:
            check_module(folder / entry.path, cls.__name__)
    # A head binds its files by itself, and says more of them. A head may stand on another.
    heads = {
        entry.path: ProjectionHead(load_head(folder / entry.path, ansaetze))
        for entry, cls in entries
        if cls is ProjectionHead
    }
    check_model(folder, files)
    modules = [heads.get(entry.path) or _load_module(folder, entry.path, cls) for entry, cls in entries]
    settings = read_settings(folder)
    try:
        encoder = Encoder(modules=modules, device=device, **settings).eval()
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"the modules that {folder / MODULES} names make no encoder: {one_line(error)}"
        ) from error
    # Which of encode's keywords each module takes, beside those that its class says.
    encoder.module_kwargs = {str(place): entry.kwargs for place, (entry, _) in enumerate(entries) if entry.kwargs}
    return encoder


def _load_module(folder: Path, subfolder: str, cls: type[Module]) -> Module:
    home = folder / subfolder
    # So a router imports no class by the name that stands in its config.
    classes: dict[str, Any] = {"module_classes": router_classes(home)} if cls.__name__ == "Router" else {}
    try:
        module = cls.load(str(folder), subfolder=subfolder, local_files_only=True, trust_remote_code=False, **classes)
    except BaseException as error:
        # What tokenizers raises when its own code fails is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        names = ", ".join(sorted(path.name for path in home.glob("*") if path.is_file()))
        raise CheckpointError(
            f"module {cls.__name__} in {str(home)!r} could not be loaded from its files ({names}): {one_line(error)}"
        ) from error
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{home / WEIGHTS}: tensor {name!r} holds numbers that are not finite")
    return module


def load_quantum_head(path: str | Path, ansaetze: Sequence[str | Ansatz] = ()) -> QuantumProjection:
    """The quantum head of a saved encoder, or a saved head itself.

    Args:
        path: a folder written by ``head.save`` or ``save_pretrained``, or a hub id.
        ansaetze: your own ones that the head may name; see `load`.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: there is no head, it is classical, or files are damaged.
        MissingExtraError: it is an encoder, and sentence-transformers is not installed.
    """
    folder = Path(path)
    # A saved encoder has a config.json of its own.
    bare = (folder / CONFIG).exists() and not (folder / MODULES).exists()
    head: Any = load_head(folder, ansaetze) if bare else load(path, ansaetze=ansaetze).head
    if not isinstance(head, QuantumProjection):
        why = "is not drawn, calibrated or estimated" if head.has_circuits else "has no circuits"
        raise CheckpointError(f"{str(path)!r} holds a {head.kind}, which {why}: give a QuantumProjection")
    return head


def choose_device(head: Head, device: str | None, allow_paid: bool) -> None:
    """Move a saved head to another device, or allow its own.

    Args:
        head: the head.
        device: device string that replaces the saved one; None for that.
        allow_paid: whether circuits may run on a device that can cost money.

    Raises:
        CheckpointError: a device is given, and the head is classical.
        DeviceUnavailableError: nobody knows the device.
    """
    if isinstance(head, CircuitHead):
        if device is not None:
            head.to_device(device, allow_paid)
        elif allow_paid and can_cost(head.device):
            # It runs there or nowhere: the stand-in for a saved device is for those that cost nothing.
            head.to_device(head.device, allow_paid)
    elif device is not None:
        raise CheckpointError(f"quantum_device: the model's head is a {head.kind}, which has no circuits")


def local_folder(path: str | Path) -> Path:
    """The folder of a saved model, fetched from the hub if it is none here.

    Args:
        path: a folder, or a hub id.

    Raises:
        CheckpointError: neither.
        MissingExtraError: huggingface_hub is not installed.
    """
    folder = Path(path)
    if not is_folder(folder) and is_folder(folder.parent):
        # A writer may have died between its two steps, where a system cannot exchange two folders; where nothing can be
        # written, none was there.
        with suppress(OSError):
            settle(folder)
    if is_folder(folder):
        return folder
    if isinstance(path, Path) or folder.is_absolute() or str(path).startswith(".") or str(path).count("/") > 1:
        raise CheckpointError(f"there is no folder {str(path)!r}")
    if str(path) in PRESETS:
        raise CheckpointError(
            f"{str(path)!r} is an encoder, which has no head: fit one with hybrid-qproj fit {path} CORPUS --k K "
            "--out MODEL, and give MODEL"
        )
    hub = require("huggingface_hub", "text", "loading from a hub")
    try:
        return Path(hub.snapshot_download(str(path)))
    except Exception as error:
        raise CheckpointError(
            f"{str(path)!r} is no folder here, and could not be had from the hub: {one_line(error)}"
        ) from error
