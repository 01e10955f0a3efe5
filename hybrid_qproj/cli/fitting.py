"""The command fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice, takewhile
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.outputs import LOCK, check_folder, held
from hybrid_qproj.circuits import get
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.fitting.fit import FitSettings
from hybrid_qproj.fitting.weights import check_corrections
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.retrieval.documents import Documents
from hybrid_qproj.retrieval.sources import open_source
from hybrid_qproj.sbert import Encoder, with_fitted_head
from hybrid_qproj.text.encoders import MAX_TOKENS, load_encoder


class FitError(HybridQprojError, ValueError):
    """A fit that is not begun."""


def run_fit(
    encoder: str,
    documents: str,
    out_features: int,
    out: Path,
    circuit: str = "rotor",
    device: str = "default.qubit",
    settings: FitSettings | None = None,
    corrections: int = 0,
    limit: int | None = None,
    batch_size: int = 64,
    max_tokens: int = MAX_TOKENS,
    force: bool = False,
    allow_paid: bool = False,
) -> Encoder:
    """Fit a head to the embeddings of texts, and save the encoder with it.

    Args:
        encoder: preset, hub name or folder of an encoder.
        documents: a .tsv or .jsonl file (perhaps with .gz), a BEIR folder, "lee", "lee-background", or an id of
            ir_datasets; read as a stream.
        out_features: k.
        out: folder of the model.
        circuit: ansatz of the blocks.
        device: device string of the head.
        settings: how pairs are chosen.
        corrections: rounds in which the device corrects the head's weights.
        limit: texts that are used; None for all.
        batch_size: texts the encoder takes at once.
        max_tokens: texts are cut there.
        force: whether a model that is at ``out`` is replaced.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        the encoder with its head.

    Raises:
        FitError: there is something at ``out`` already.
        OutputError: ``out`` cannot be written.
        LockedError: another process fits a model for it.
        DeviceUnavailableError: the device is unknown, not installed, or cannot do what its string asks for.
        DataError: the texts cannot be read.
        ValueError: the encoder is not found, or sizes or settings are not sound.
        DeviceUnavailableError: nobody knows the device, or it cannot do what is asked; seen before any work.
        PaidDeviceError: there are to be corrections on a device that can cost money and is not allowed; likewise.
    """
    get(circuit)
    spec = DeviceSpec.parse(device)
    check_corrections(spec, corrections, allow_paid)
    source = open_source(documents)
    check_folder(out, "a saved model")
    if out.exists() and any(out.iterdir()) and not force:
        raise FitError(f"{out} is there already: it was not changed. Choose another folder, or replace it with --force")
    # Not the lock under which the folder is replaced at the end.
    with _parents(out), held(out.absolute().parent / f".{out.name}.fit{LOCK}", out):
        fitted = _fit(
            encoder,
            source,
            out_features,
            circuit,
            spec,
            settings,
            corrections,
            limit,
            batch_size,
            max_tokens,
            allow_paid,
        )
        with writing(out):
            fitted.save_pretrained(str(out))
    return fitted


def one_line(head: Head) -> str:
    """A fitted head in a line.

    Examples:
        >>> from hybrid_qproj import QuantumProjection
        >>> one_line(QuantumProjection(16, 4, "rotor", plan="tree"))
        'QuantumProjection 16 -> 4, 12 rotor blocks in 2 stages'
    """
    said = f"{type(head).__name__} {head.in_features} -> {head.out_features}"
    if isinstance(head, CircuitHead):
        said += f", {head.plan.blocks:,} {head.circuit} blocks in {len(head.plan.stages)} stages"
    return said


@contextmanager
def _parents(out: Path) -> Iterator[None]:
    """Make the folders that the model's folder, which appears whole, will lie in; removed where nothing came of it."""
    parents = out.absolute().parents
    made = list(takewhile(lambda folder: not folder.exists(), parents))
    with writing(out):
        parents[0].mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        # Only what is empty.
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _fit(
    encoder: str,
    source: Documents,
    out_features: int,
    circuit: str,
    device: DeviceSpec,
    settings: FitSettings | None,
    corrections: int,
    limit: int | None,
    batch_size: int,
    max_tokens: int,
    allow_paid: bool,
) -> Encoder:
    model = load_encoder(encoder, max_tokens=max_tokens)
    # Reading is nothing beside encoding, and what is malformed far down is seen before it.
    total = sum(1 for _ in islice(source, limit))
    texts = (document.text for document in islice(source, limit))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = make_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("texts", total=total)
        return with_fitted_head(
            model,
            texts,
            out_features,
            circuit,
            device,
            settings,
            corrections,
            batch_size,
            lambda done: progress.update(task, completed=done),
            allow_paid,
        )
