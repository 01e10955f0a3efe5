"""The command ``hybrid-qproj``: each command is thin, and an expected error is one line and exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Quantum projection heads for text embeddings.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

Config = Annotated[Path, typer.Argument(help="Experiment, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a command's input or surroundings explain into one red line and exit code 1."""
    from hybrid_qproj.devices import DeviceRunError, DeviceUnavailableError  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.errors import ExpectedError  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.extras import MissingExtraError  # noqa: PLC0415 - keeps --help fast

    try:
        yield
    except (DeviceRunError, DeviceUnavailableError, ExpectedError, MissingExtraError, ValueError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def need_experiments() -> None:
    """Name the pip command for packages that experiments need, before an import of them fails."""
    from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

    for module in ("pydantic", "sentence_transformers", "datasets", "accelerate", "pytrec_eval", "scipy", "matplotlib"):
        require(module, "train", "this command")


@app.callback()
def _root() -> None:
    """Quantum projection heads for text embeddings."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("demo-report"),
    sizes: Annotated[list[int], typer.Option(help="Numbers a document is compressed to; repeatable.")] = [  # noqa: B006 - only read
        128,
        64,
        32,
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each trained or random head.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")] = None,
) -> None:
    """Compare every head on the Lee corpus and write a report with the trained quantum model."""
    with one_line_errors():
        from hybrid_qproj.demo.command import run_demo  # noqa: PLC0415 - imports extras

        run_demo(out, sizes, seeds, workers)


@app.command()
def devices(json: Json = False) -> None:
    """List known devices: installed, usable now, exact or sampled, seeds, how to install. Runs nothing."""
    from hybrid_qproj import console  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.devices.listing import list_devices, other_devices  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        rows = list_devices()
        if json:
            typer.echo(console.to_json(rows))
            return
        printer = console.make_console()
        printer.print(console.device_table(rows))
        notes = console.device_notes(rows)
        if others := other_devices():
            notes.append(f"Also installed, run with safe settings: {', '.join(others)}")
        for note in notes:
            printer.print(note, highlight=False, markup=False)


@app.command()
def estimate(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    device: Annotated[str, typer.Option(help="Device string, such as 'qiskit.remote?backend=fake_torino&shots=4000'.")],
    documents: Annotated[int, typer.Option(min=1, help="Documents to project.")] = 1,
    price_per_shot: Annotated[float | None, typer.Option(min=0, help="The vendor's price of a shot.")] = None,
    price_per_task: Annotated[float | None, typer.Option(min=0, help="The vendor's price of a circuit.")] = None,
    json: Json = False,
) -> None:
    """Count circuits, shots, gates, memory and price of a head on a device. Sends nothing."""
    from hybrid_qproj import console  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.estimate import estimate as count  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import load_quantum_head  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        result = count(load_quantum_head(model), device, documents, price_per_shot, price_per_task)
        if json:
            typer.echo(console.to_json(result))
            return
        printer = console.make_console()
        printer.print(console.estimate_table(result))
        for note in result.notes:
            printer.print(note, highlight=False, markup=False)


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    device: Annotated[str, typer.Option(help="Device string, such as 'qiskit.remote?backend=fake_torino&shots=4000'.")],
    out: Annotated[Path, typer.Option(help="Calibration file to write (safetensors).")],
    yes: Annotated[bool, typer.Option("--yes", help="Run on a device that can cost money.")] = False,
) -> None:
    """Measure a head's blocks on a device, once. Run again after an interruption, it goes on where it was."""
    from hybrid_qproj import calibration, console  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.devices import DeviceSpec, can_cost  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.estimate import estimate as count  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import load_quantum_head  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        head = load_quantum_head(model)
        if can_cost(DeviceSpec.parse(device)) and not yes:
            console.make_console().print(console.estimate_table(count(head, device)))
            raise ValueError(f"runs on {device!r} can cost money: nothing was sent. Add --yes to run them")
        with console.block_progress(f"measuring on {device}") as progress:
            measured = calibration.calibrate(head, device, out, progress)
        typer.echo(
            f"{measured.record['blocks']} blocks measured on {device}, largest standard error of a response "
            f"{measured.errors.max():.4f}: {out}"
        )


@app.command()
def train(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and the model.")],
    head: Annotated[str | None, typer.Option(help="Which head, if the experiment has several.")] = None,
    size: Annotated[int | None, typer.Option(help="Which size, if the experiment has several.")] = None,
    objective: Annotated[str | None, typer.Option(help="Which objective, if the experiment has several.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Train one head of an experiment, alone or with its encoder. Run again after an interruption, it goes on."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.experiments.commands import run_train  # noqa: PLC0415 - imports extras

        run_train(config, out, head, size, objective, seed)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Folder of a saved encoder with a head.")],
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder for TREC runs and measures.")],
) -> None:
    """Evaluate a saved model on the tests of an experiment; writes TREC runs."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.experiments.commands import run_evaluate  # noqa: PLC0415 - imports extras

        run_evaluate(model, config, out)


@app.command()
def compare(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core for frozen encoders.")] = None,
) -> None:
    """Run an experiment's grid and report it. Run again, only what is missing is run."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.experiments.commands import run_compare  # noqa: PLC0415 - imports extras

        run_compare(config, out, workers)


@app.command()
def encode(
    model: Annotated[str, typer.Argument(help="Folder or hub id of an encoder with a quantum head.")],
    documents: Annotated[str, typer.Argument(help=".tsv or .jsonl, perhaps .gz, or an id of ir_datasets.")],
    out: Annotated[Path, typer.Option(help="Folder of the angles.")],
    precision: Annotated[str, typer.Option(help="float32, float16 or uint8.")] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Texts the encoder takes at once.")] = 64,
    shard: Annotated[int, typer.Option(min=1, help="Documents of a file; what an interruption loses at most.")] = 65536,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of the cluster; one a GPU or core.")] = None,
) -> None:
    """Encode a corpus to angles on disk. Run again after an interruption, it goes on."""
    with one_line_errors():
        from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.index.commands import run_encode  # noqa: PLC0415 - imports extras

        store = run_encode(model, documents, out, precision, batch_size, shard, engine, workers)  # type: ignore[arg-type]  # checked there
        typer.echo(f"{len(store):,} documents of {store.bytes_per_document} bytes: {out}")


@app.command()
def fit(
    encoder: Annotated[str, typer.Argument(help="Preset, hub name or folder of an encoder.")],
    documents: Annotated[str, typer.Argument(help=".tsv or .jsonl, perhaps .gz, or an id of ir_datasets.")],
    k: Annotated[int, typer.Option(min=1, help="Angles a text.")],
    out: Annotated[Path, typer.Option(help="Folder of the encoder with its head.")],
    circuit: Annotated[str, typer.Option(help="Ansatz of the blocks.")] = "rotor",
    device: Annotated[str, typer.Option(help="Device string of the head.")] = "default.qubit",
    corrections: Annotated[int, typer.Option(min=0, help="Rounds in which the device corrects weights.")] = 0,
    mixing: Annotated[int, typer.Option(min=0, help="Stages that mix before any merges.")] = 0,
    merging: Annotated[str, typer.Option(help="treelet, or select: the k of largest variance.")] = "treelet",
    pairs: Annotated[str, typer.Option(help="variance or correlation: which pair merges next.")] = "variance",
    depth: Annotated[int | None, typer.Option(min=1, help="Most stages that merge.")] = None,
    power: Annotated[float, typer.Option(help="Exponent of the covariance; 1 loses least variance.")] = 0.5,
    angles: Annotated[int | None, typer.Option(min=1, help="Budget; the merging alone if not given.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Texts that are used.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Texts are cut there.")] = 256,
    yes: Annotated[bool, typer.Option("--yes", help="Correct on a device that can cost money.")] = False,
) -> None:
    """Fit a head to unlabelled texts: no training, seconds beside the encoder."""
    with one_line_errors():
        from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.devices import DeviceSpec, can_cost  # noqa: PLC0415 - keeps --help fast
        from hybrid_qproj.fitting import FitSettings  # noqa: PLC0415 - keeps --help fast
        from hybrid_qproj.fitting.commands import run_fit  # noqa: PLC0415 - imports extras

        if corrections and can_cost(DeviceSpec.parse(device)) and not yes:
            raise ValueError(
                f"corrections run nine circuits a block, {corrections + 1} times, on {device!r}, which can cost money: "
                "nothing was sent. Add --yes to run them"
            )
        settings = FitSettings(mixing, merging, pairs, depth, power, angles)  # type: ignore[arg-type]  # checked there
        fitted = run_fit(
            encoder, documents, k, out, circuit, device, settings, corrections, limit, max_tokens=max_tokens
        )
        typer.echo(f"{fitted.head}: {out}")


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Folder of angles, made by encode.")],
    kind: Annotated[str, typer.Option(help="flat, ivf or hnsw.")] = "flat",
    candidates: Annotated[int, typer.Option(min=1, help="Candidates for each document that is wanted.")] = 4,
) -> None:
    """Build the index of encoded documents."""
    with one_line_errors():
        from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

        require("faiss", "index", "an index")
        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.index.commands import run_index  # noqa: PLC0415 - imports extras

        built = run_index(folder, kind, candidates)  # type: ignore[arg-type]  # checked there
        typer.echo(f"{kind} index of {len(built.store):,} documents: {folder}")


@app.command()
def search(
    model: Annotated[str, typer.Argument(help="Folder or hub id of the encoder with its head.")],
    folder: Annotated[Path, typer.Argument(help="Folder of angles and their index.")],
    queries: Annotated[str, typer.Argument(help="File of queries (.tsv, .jsonl, TREC topics), or one query's text.")],
    k: Annotated[int, typer.Option(min=1, help="Documents for each query.")] = 10,
    out: Annotated[Path | None, typer.Option(help="TREC run to write; JSON lines are printed without it.")] = None,
    engine: Annotated[str, typer.Option(help="index; exhaustive: all documents; ray: all, on a cluster.")] = "index",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of the cluster; one a core.")] = None,
    effort: Annotated[int | None, typer.Option(min=1, help="Cells that ivf visits, or hnsw's list.")] = None,
) -> None:
    """Search encoded documents: candidates by L2 over angles, ordered by exact fidelity."""
    with one_line_errors():
        from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

        if engine == "index":
            require("faiss", "index", "an index")
        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.index.commands import run_search  # noqa: PLC0415 - imports extras

        lines = run_search(model, folder, queries, k, out, engine, workers, effort)
        typer.echo(f"run: {out}" if out else "\n".join(lines))


@app.command()
def draw(
    what: Annotated[str, typer.Argument(help="Ansatz (drawn with symbols), or folder of a saved head (its numbers).")],
    out: Annotated[
        Path | None, typer.Option(help="File; svg, pdf, png, eps, tex (quantikz), qasm or txt by its suffix.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="block, stage, group (all that one output is made of) or head (a schematic).")
    ] = "block",
    sizes: Annotated[tuple[int, int], typer.Option(help="d and k, where WHAT is an ansatz.")] = (768, 256),
    plan: Annotated[str, typer.Option(help="chain or tree, where WHAT is an ansatz.")] = "chain",
    stage: Annotated[int, typer.Option(help="Which stage, from 0.")] = 0,
    output: Annotated[int, typer.Option(help="Which output, from 0.")] = 0,
    style: Annotated[str, typer.Option(help="paper, or a style of PennyLane.")] = "paper",
    standalone: Annotated[bool, typer.Option("--standalone", help="A whole LaTeX document.")] = False,
    qasm_version: Annotated[int, typer.Option(help="2 or 3.")] = 3,
) -> None:
    """Draw exactly the circuit that runs; as text where no file is given."""
    from hybrid_qproj.drawing.command import run_draw  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        text = run_draw(what, out, part, sizes, plan, stage, output, style, standalone, qasm_version)
        typer.echo(text if text is not None else f"drawn: {out}")


@app.command()
def gallery(
    folder: Annotated[Path, typer.Argument(help="Folder that gets README.md and images/.")],
    circuits: Annotated[list[str] | None, typer.Argument(help="Ansaetze; all built-in ones by default.")] = None,
) -> None:
    """Write a page with figure, parameters, gates, depth and source of each ansatz."""
    from hybrid_qproj.drawing.command import run_gallery  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        drawn = run_gallery(folder, circuits or ())
        typer.echo(f"{len(drawn)} ansaetze drawn: {folder / 'README.md'}")


def main() -> None:
    """Entry point of the console script."""
    app()
