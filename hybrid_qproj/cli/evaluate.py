"""The command evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import need_experiments, one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Device, Json, Yes
from hybrid_qproj.cli.quiet import without_bars


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Folder or hub id of an encoder; with --dataset also a preset, or a TREC run file.")
    ],
    config: Annotated[Path | None, typer.Argument(help="Experiment, a TOML file, whose tests are taken.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for TREC runs and measures.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="In place of an experiment: BEIR folder, id of ir_datasets, or lee.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of a BEIR folder.")] = "test",
    run: Annotated[Path | None, typer.Option(help="TREC run whose documents are ordered anew.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="What the model is compared with by a paired test; whatever MODEL can be.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="retrieve, judged, or rerank with --run.", show_default="rerank with --run")
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option("--measure", help="Repeatable.", show_default="NDCG@10, MAP, MRR@10, R@100"),
    ] = None,
    drop_self: Annotated[
        bool | None,
        typer.Option(
            "--drop-self/--keep-self",
            help="Whether a query's ranking leaves out the document of its own id.",
            show_default="as BEIR does",
        ),
    ] = None,
    relevant: Annotated[int, typer.Option(min=1, help="Least grade that binary measures count.")] = 1,
    depth: Annotated[int, typer.Option(min=1, help="Documents a query that retrieve ranks.")] = 1000,
    ansatz: Ansaetze = None,
    device: Device = None,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Evaluate a model on a collection (--dataset), or on the tests of an experiment."""
    with one_line_errors():
        from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast
        from hybrid_qproj.cli.run.engines import OptionError  # noqa: PLC0415 - keeps --help fast

        if (config is None) == (dataset is None):
            raise OptionError("give an experiment (a TOML file) or --dataset, one of the two")
        if config is not None:
            if run or baseline or protocol or measures or json:
                raise OptionError(
                    "run, baseline, protocol, measure and json go with --dataset; an experiment has its own"
                )
            if out is None:
                raise OptionError("an experiment's tests are written: say where with --out")
            need_experiments()
            from hybrid_qproj.cli.run.evaluate import run_evaluate  # noqa: PLC0415 - imports extras

            with without_bars():
                run_evaluate(model, config, out, ansaetze=ansatz or (), quantum_device=device, allow_paid=yes)
            return
        assert dataset is not None
        require("sentence_transformers", "text", "encoding text")
        require("pytrec_eval", "eval", "evaluation")
        from hybrid_qproj.cli.run.score import run_score  # noqa: PLC0415 - imports extras
        from hybrid_qproj.cli.scores import print_scores  # noqa: PLC0415 - imports extras
        from hybrid_qproj.cli.tables import to_json  # noqa: PLC0415 - keeps --help fast
        from hybrid_qproj.retrieval.measures import MEASURES  # noqa: PLC0415 - imports extras

        with without_bars():
            found = run_score(
                model,
                dataset,
                split,
                run,
                baseline,
                protocol,  # type: ignore[arg-type]  # checked there
                measures or MEASURES,
                relevant,
                depth,
                drop_self,
                out,
                quantum_device=device,
                allow_paid=yes,
                ansaetze=ansatz or (),
            )
        if json:
            typer.echo(to_json(found))
        else:
            print_scores(found, model, baseline)
