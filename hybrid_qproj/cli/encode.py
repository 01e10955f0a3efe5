"""The command encode."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Device, Yes
from hybrid_qproj.cli.quiet import without_bars


def encode(
    model: Annotated[str, typer.Argument(help="Folder or hub id of an encoder with a quantum head.")],
    documents: Annotated[
        str, typer.Argument(help=".tsv or .jsonl, perhaps .gz; a BEIR folder; lee; or an id of ir_datasets.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the angles.")],
    precision: Annotated[
        str | None, typer.Option(help="float32, float16 or uint8; that of the store, or float32 for a new one.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts the encoder takes at once.")] = 64,
    shard: Annotated[int, typer.Option(min=1, help="Documents of a file; what an interruption loses at most.")] = 65536,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of the cluster; one a GPU or core.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Encode again what changed: texts, documents, or all for another model.")
    ] = False,
    size: Annotated[
        int | None, typer.Option("--bytes", min=1, help="Code documents in so many bytes, by a codec fitted to some.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Of the codec: bits (the default), signs, pq, pq4, opq, itq, rabitq, int8, sq4.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=2, help="Documents that the codec is fitted to; 10,000 by default.")
    ] = None,
    codec: Annotated[Path | None, typer.Option(help="Folder of a saved codec, instead of a fitted one.")] = None,
    device: Device = None,
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Encode a corpus to angles on disk. Run again after an interruption, it goes on."""
    with one_line_errors():
        from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.cli.run.encode import run_encode  # noqa: PLC0415 - imports extras

        with without_bars():
            store = run_encode(
                model,
                documents,
                out,
                precision,  # type: ignore[arg-type]  # checked there
                batch_size,
                shard,
                engine,
                workers,
                update,
                quantum_device=device,
                allow_paid=yes,
                ansaetze=ansatz or (),
                size=size,
                scheme=scheme,
                sampled=sample,
                codec=codec,
            )
            typer.echo(f"{len(store):,} documents of {store.bytes_per_document} bytes: {out}")
