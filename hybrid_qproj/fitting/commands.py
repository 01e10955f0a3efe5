"""The command fit."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from hybrid_qproj.console import make_console
from hybrid_qproj.encoders import MAX_TOKENS, load_encoder
from hybrid_qproj.fitting.fit import FitSettings
from hybrid_qproj.fitting.moments import Moments
from hybrid_qproj.projection import QuantumProjection
from hybrid_qproj.retrieval.documents import open_source
from hybrid_qproj.sbert import Encoder, with_head

CHUNK = 4096
"""Texts embedded at once; only their covariance is kept."""


def run_fit(
    encoder: str,
    documents: str,
    out_features: int,
    out: Path,
    circuit: str = "rotor",
    settings: FitSettings | None = None,
    limit: int | None = None,
    batch_size: int = 64,
    max_tokens: int = MAX_TOKENS,
) -> Encoder:
    """Fit a head to the embeddings of texts, and save the encoder with it.

    Args:
        encoder: preset, hub name or folder of an encoder.
        documents: a .tsv or .jsonl file (perhaps with .gz), or an id of ir_datasets; read as a stream.
        out_features: k.
        out: folder of the model.
        circuit: ansatz of the blocks.
        settings: how pairs are chosen.
        limit: texts that are used; None for all.
        batch_size: texts the encoder takes at once.
        max_tokens: texts are cut there.

    Returns:
        the encoder with its head.

    Raises:
        DataError: the texts cannot be read.
        ValueError: the encoder is not found, or sizes or settings are not sound.
    """
    model = load_encoder(encoder, max_tokens=max_tokens)
    moments = Moments(int(model.get_embedding_dimension() or 0))
    # Not after hours of encoding.
    (settings or FitSettings()).check(moments.width, out_features)
    texts = (document.text for document in islice(open_source(documents), limit))
    columns = (TextColumn("{task.description} {task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=make_console()) as progress:
        task = progress.add_task("texts", total=None)
        while part := list(islice(texts, CHUNK)):
            moments.add(
                model.encode(part, batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False).float()
            )
            progress.update(task, completed=moments.rows)
    fitted = with_head(model, QuantumProjection.fit(moments, out_features, circuit, settings=settings))
    fitted.save_pretrained(str(out))
    return fitted
