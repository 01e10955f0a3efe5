"""The command plot: from a folder to a picture of a head, a run or results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.circuits import get
from hybrid_qproj.cli.heads import open_head
from hybrid_qproj.plan import make_plan
from hybrid_qproj.viz.circuits.save import IMAGES, check_place, format_of, save_image
from hybrid_qproj.viz.method.canvas import PlotError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from hybrid_qproj.heads.base import Head
    from hybrid_qproj.heads.quantum import QuantumProjection

SIZES = (16, 4)
"""Of a head that is named by its ansatz: as many features as a graph labels legibly."""
DOCUMENTS = "lee"
LIMIT = 200


@dataclass(frozen=True)
class PlotOptions:
    """What of a picture can be asked for; None is what nobody asked for.

    Args:
        stage: which stage of a head, from 0.
        block: which of its blocks, from 0.
        output: which outputs of a plan, from 0.
        sizes: d and k of a head that is named by its ansatz.
        plan: of such a head.
        text: what an encoder encodes.
        documents: a corpus.
        limit: its documents at most.
        test: of results.
        measure: of results, or of a run's log.
        device: device string that replaces that of a saved head.
        yes: whether circuits may run on a device that can cost money.
    """

    stage: int | None = None
    block: tuple[int, ...] | None = None
    output: tuple[int, ...] | None = None
    sizes: tuple[int, int] | None = None
    plan: str | None = None
    text: str | None = None
    documents: str | None = None
    limit: int | None = None
    test: str | None = None
    measure: str | None = None
    device: str | None = None
    yes: bool = False


def run_plot(kind: str, what: str, out: Path, options: PlotOptions | None = None, ansaetze: Sequence[str] = ()) -> None:
    """Draw a picture.

    Args:
        kind: a key of `KINDS`.
        what: the folder of what is drawn, or an ansatz, for ``"response"``, ``"surface"`` and ``"merges"``.
        out: the file; its suffix says the format.
        options: the rest.
        ansaetze: your own ones that a saved head may name; see `hybrid_qproj.load`.

    Raises:
        PlotError: no such kind, stage, block, measure or test; an option that would be ignored.
        DrawingError: a suffix of no image.
        DrawingFileError: the file cannot be written.
        CheckpointError: the folder holds no quantum head.
        PlanError: no such plan or output.
        PaidDeviceError: a head's device can cost money and is not allowed.
        DeviceUnavailableError: it is not usable.
        RecordError: the folder holds no results.
        MissingExtraError: matplotlib is not installed, or for a text sentence-transformers.
    """
    options = options or PlotOptions()
    if kind not in KINDS:
        raise PlotError(f"kind {kind!r}: expected one of {', '.join(KINDS)}{suggestion(kind, list(KINDS))}")
    draw, used = KINDS[kind]
    for name in vars(options):
        # To allow what does not happen harms nobody.
        if name != "yes" and getattr(options, name) is not None and name not in used:
            kinds = ", ".join(other for other, (_, names) in KINDS.items() if name in names)
            raise PlotError(f"--{name} says nothing about {kind!r}; it is for {kinds}")
    format_of(out, IMAGES)
    check_place(out)
    save_image(draw(what, options, ansaetze), out)


def needs_encoder(kind: str) -> bool:
    """Whether a kind of picture encodes texts."""
    return kind in ("spheres", "fidelity")


def _head(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> QuantumProjection:
    """A saved head, or one of an ansatz at a random start, always the same."""
    import torch  # noqa: PLC0415 - keeps --help fast

    from hybrid_qproj.heads.quantum import QuantumProjection  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import choose_device  # noqa: PLC0415 - keeps --help fast

    if Path(what).is_dir():
        if options.sizes is not None or options.plan is not None:
            raise PlotError("--sizes and --plan do not go with a saved head, which has its own; leave them out")
        head = open_head(what, ansaetze)
        choose_device(head, options.device, options.yes)
        return head
    generator = torch.Generator().manual_seed(0)
    sizes, plan = options.sizes or SIZES, options.plan or "chain"
    return QuantumProjection(
        *sizes,
        circuit=get(what),
        device=options.device or "default.qubit",
        plan=plan,
        init="random",
        generator=generator,
        allow_paid=options.yes,
    )


def _response(what: str, options: PlotOptions, ansaetze: Sequence[str], surface: bool = False) -> Figure:
    from hybrid_qproj.viz.method import response_map, response_surface  # noqa: PLC0415 - keeps --help fast

    head = _head(what, options, ansaetze)
    stage, blocks = options.stage or 0, options.block or (0,)
    if stage >= len(head.plan.stages):
        raise PlotError(f"--stage {stage}: the plan has stages 0 to {len(head.plan.stages) - 1}")
    if len(blocks) != 1 or blocks[0] >= len(head.plan.stages[stage]):
        last = len(head.plan.stages[stage]) - 1
        raise PlotError(f"--block {', '.join(map(str, blocks))}: expected one of 0 to {last}, those of stage {stage}")
    return (response_surface if surface else response_map)(head.responses()[stage][blocks[0]])


def _surface(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
    return _response(what, options, ansaetze, surface=True)


def _merges(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
    from hybrid_qproj.viz.method import merge_graph  # noqa: PLC0415 - keeps --help fast

    if Path(what).is_dir():
        return merge_graph(_head(what, options, ansaetze).plan, options.output)
    get(what)
    return merge_graph(make_plan(options.plan or "chain", *(options.sizes or SIZES)), options.output)


def _spheres(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
    from hybrid_qproj.heads.circuit import CircuitHead  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.viz.method import bloch_spheres  # noqa: PLC0415 - keeps --help fast

    if options.text is None:
        raise PlotError("give the text whose qubits are drawn: --text")
    head, embeddings = _embedded(what, [options.text], options, ansaetze)
    if not isinstance(head, CircuitHead):
        raise PlotError(f"{what!r} holds a {head.kind}, which has no qubits")
    blocks = options.block or tuple(range(min(3, len(head.plan.stages[0]))))
    return bloch_spheres(head, embeddings[0], options.stage or 0, blocks)


def _fidelity(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
    from hybrid_qproj.retrieval.sources import open_source  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.viz.method import fidelity_against_cosine  # noqa: PLC0415 - keeps --help fast

    documents = islice(open_source(options.documents or DOCUMENTS), options.limit or LIMIT)
    return fidelity_against_cosine(*_embedded(what, [document.text for document in documents], options, ansaetze))


def _embedded(what: str, texts: list[str], options: PlotOptions, ansaetze: Sequence[str]) -> tuple[Head, Tensor]:
    """The head of a saved encoder, and what the encoder makes of texts without it."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra

    from hybrid_qproj.loading import load  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.text.sides import encode_side  # noqa: PLC0415 - keeps --help fast

    encoder = load(what, quantum_device=options.device, ansaetze=ansaetze, allow_paid=options.yes)
    *modules, _ = encoder
    prompts: dict[str, Any] = {"prompts": dict(encoder.prompts), "default_prompt_name": encoder.default_prompt_name}
    below = SentenceTransformer(modules=modules, device=str(encoder.device), **prompts)
    return encoder.head, encode_side(below, texts, "document", convert_to_tensor=True).clone()


def _training(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
    from hybrid_qproj.viz.method import training_curves  # noqa: PLC0415 - keeps --help fast

    del ansaetze
    return training_curves(Path(what), options.measure)


def _results(name: str) -> Callable[[str, PlotOptions, Sequence[str]], Figure]:
    def draw(what: str, options: PlotOptions, ansaetze: Sequence[str]) -> Figure:
        from hybrid_qproj.experiments.figures import report_figure  # noqa: PLC0415 - keeps --help fast

        del ansaetze
        return report_figure(Path(what), name, options.test, options.measure)

    return draw


KINDS: Mapping[str, tuple[Callable[[str, PlotOptions, Sequence[str]], Figure], frozenset[str]]] = {
    "response": (_response, frozenset({"stage", "block", "sizes", "plan", "device"})),
    "surface": (_surface, frozenset({"stage", "block", "sizes", "plan", "device"})),
    "merges": (_merges, frozenset({"output", "sizes", "plan"})),
    "spheres": (_spheres, frozenset({"stage", "block", "text", "device"})),
    "fidelity": (_fidelity, frozenset({"documents", "limit", "device"})),
    "training": (_training, frozenset({"measure"})),
    "quality": (_results("quality"), frozenset({"test", "measure"})),
    "bytes": (_results("bytes"), frozenset({"test", "measure"})),
    "curves": (_results("curves"), frozenset({"test", "measure"})),
    "histograms": (_results("histograms"), frozenset({"test"})),
}
"""Kind -> what draws it, and the options that it has a use for."""
