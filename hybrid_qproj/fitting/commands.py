"""The command fit."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from hybrid_qproj.console import make_console
from hybrid_qproj.encoders import MAX_TOKENS, load_encoder
from hybrid_qproj.fitting.fit import FitSettings
from hybrid_qproj.fitting.weights import check_corrections
from hybrid_qproj.retrieval.documents import open_source
from hybrid_qproj.sbert import Encoder, with_fitted_head


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
    allow_paid: bool = False,
) -> Encoder:
    """Fit a head to the embeddings of texts, and save the encoder with it.

    Args:
        encoder: preset, hub name or folder of an encoder.
        documents: a .tsv or .jsonl file (perhaps with .gz), or an id of ir_datasets; read as a stream.
        out_features: k.
        out: folder of the model.
        circuit: ansatz of the blocks.
        device: device string of the head.
        settings: how pairs are chosen.
        corrections: rounds in which the device corrects the head's weights.
        limit: texts that are used; None for all.
        batch_size: texts the encoder takes at once.
        max_tokens: texts are cut there.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        the encoder with its head.

    Raises:
        DataError: the texts cannot be read.
        ValueError: the encoder is not found, or sizes or settings are not sound.
        DeviceUnavailableError: nobody knows the device, or it cannot do what is asked; seen before any work.
        PaidDeviceError: there are to be corrections on a device that can cost money and is not allowed; likewise.
    """
    # Before the encoder is loaded.
    check_corrections(device, corrections, allow_paid)
    model = load_encoder(encoder, max_tokens=max_tokens)
    texts = (document.text for document in islice(open_source(documents), limit))
    columns = (TextColumn("{task.description} {task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=make_console()) as progress:
        task = progress.add_task("texts", total=None)
        fitted = with_fitted_head(
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
    fitted.save_pretrained(str(out))
    return fitted
