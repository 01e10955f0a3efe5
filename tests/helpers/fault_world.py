"""A small world in which every command can run, and what each command's result is worth."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]
LEFT = (".tmp", ".lock", ".previous", ".packs")
"""In names of what only a run that is under way may leave."""
CONFIG = """
name = "small"
sizes = [3]
measures = ["NDCG@10"]
baselines = ["full"]
[encoder]
name = "tiny"
max_tokens = 16
cache = "cache"
[texts]
source = { documents = "corpus.tsv" }
[[test]]
name = "judged"
documents = "corpus.tsv"
queries = "topics.tsv"
qrels = "qrels"
protocol = "judged"
[training]
steps = 4
batch_size = 6
learning_rate = 1e-2
checkpoint_steps = 2
[objectives.texts]
texts = {}
[heads.full]
kind = "Uncompressed"
[heads.quantum]
kind = "QuantumProjection"
args = { circuit = "rotor", scale = 1.0 }
"""


class Server:
    """The process that forks commands; see ``fault_server.py``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        environment |= {"CUDA_VISIBLE_DEVICES": "", "TERM": "dumb", "COLUMNS": "400"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fault_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._answer()["ready"]

    def run(self, argv: list[str], cwd: Path, kind: str = "none", at: int = 0, under: Path | None = None) -> dict:
        """Exit code, output and number of events of a command."""
        case = {
            "argv": argv,
            "cwd": str(cwd),
            "kind": kind,
            "at": at,
            "under": str(under or cwd),
            "output": str(self.folder / "output"),
            "counter": str(self.folder / "counter"),
        }
        assert self.process.stdin is not None
        print(json.dumps(case), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


@dataclass(frozen=True)
class Command:
    """A command and its result.

    Args:
        name: of the command.
        before: makes an earlier result in the world; may be empty.
        argv: the run that is disturbed.
        out: where its result is, in the world; None where it writes none.
        value: what the result is worth, from its path; raises where it cannot be loaded.
        inputs: files that it reads, as patterns in the world.
        lock: the lock file that a second writer meets, in the world; None where one is of no use.
        resumes: whether a run that was cut may leave a part from which the next goes on, so that there is nothing to
            load before it did.
    """

    name: str
    before: list[str]
    argv: list[str]
    out: str | None
    value: Callable[[Path], Any]
    inputs: tuple[str, ...] = ()
    lock: str | None = None
    resumes: bool = False


def model_value(folder: Path) -> str:
    """Of a saved encoder with its head."""
    from hybrid_qproj import load  # noqa: PLC0415 - slow

    found = hashlib.sha256()
    for name, tensor in sorted(load(folder).state_dict().items()):
        found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def store_value(folder: Path) -> Any:
    """Of encoded documents."""
    from hybrid_qproj.index import AngleStore  # noqa: PLC0415 - slow

    store = AngleStore(folder)
    return store.ids, store.gather(torch.arange(store.rows)).tolist()


def bytes_value(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compare_value(folder: Path) -> Any:
    """Of a report: what all its formats are made of."""
    return [bytes_value(folder / name) for name in ("results.csv", "results.json", "results.md")]


def evaluate_value(folder: Path) -> Any:
    """Measures and the run they are of."""
    return json.loads((folder / "measures.json").read_text()), (folder / "judged.run").read_text()


def calibration_value(path: Path) -> str:
    """Measured responses, not the time of day."""
    import safetensors.torch  # noqa: PLC0415 - with the others

    tensors = safetensors.torch.load_file(path)
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for _, tensor in sorted(tensors.items()))).hexdigest()


def gallery_value(folder: Path) -> Any:
    """The page and its pictures."""
    return [bytes_value(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pdf"]


def index_value(folder: Path) -> Any:
    """What a search finds in it."""
    return json.loads((folder / "index.json").read_text())["kind"], store_value(folder)


FIT = ["fit", "tiny", "corpus.tsv", "--max-tokens", "16"]
DATA = ("corpus.tsv", "topics.tsv", "qrels", "config.toml")
MODEL = ("model/modules.json", "model/*/config.json", "model/*/model.safetensors")
COMMANDS = [
    Command(
        "train",
        [],
        ["train", "config.toml", "--out", "run", "--head", "quantum"],
        "run",
        lambda p: model_value(p / "model"),
        ("corpus.tsv", "config.toml"),
        "run/.lock",
        True,
    ),
    Command(
        "evaluate",
        ["evaluate", "other", "config.toml", "--out", "scores"],
        ["evaluate", "model", "config.toml", "--out", "scores"],
        "scores",
        evaluate_value,
        (*DATA, *MODEL),
        "scores/.lock",
    ),
    Command(
        "compare",
        [],
        ["compare", "config.toml", "--out", "grid", "--workers", "1"],
        "grid",
        compare_value,
        DATA,
        "grid/.lock",
        True,
    ),
    Command(
        "fit",
        [*FIT, "--k", "2", "--out", "fitted"],
        [*FIT, "--k", "3", "--out", "fitted", "--force"],
        "fitted",
        model_value,
        ("corpus.tsv",),
        ".fitted.fit.lock",
    ),
    Command(
        "encode",
        ["encode", "model", "half.tsv", "--out", "angles"],
        ["encode", "model", "corpus.tsv", "--out", "angles", "--shard", "20"],
        "angles",
        store_value,
        ("corpus.tsv", *MODEL),
        "angles/.lock",
        True,
    ),
    Command(
        "index",
        ["index", "store"],
        ["index", "store", "--kind", "hnsw"],
        "store",
        index_value,
        ("store/manifest.json", "store/angles-*.safetensors", "store/ids-*.json"),
        "store/.index.lock",
    ),
    Command(
        "search",
        ["search", "model", "indexed", "topics.tsv", "--k", "2", "--out", "found.run"],
        ["search", "model", "indexed", "topics.tsv", "--k", "3", "--out", "found.run"],
        "found.run",
        bytes_value,
        (
            "topics.tsv",
            "indexed/manifest.json",
            "indexed/index.json",
            "indexed/angles-*.safetensors",
            "indexed/ids-*.json",
            *MODEL,
        ),
    ),
    Command(
        "calibrate",
        [],
        ["calibrate", "model", "--device", "default.qubit?shots=50&seed=1", "--out", "c.safetensors"],
        "c.safetensors",
        calibration_value,
        MODEL,
        ".c.safetensors.lock",
        True,
    ),
    Command(
        "draw",
        ["draw", "u_cu", "--out", "block.svg"],
        ["draw", "rotor", "--out", "block.svg"],
        "block.svg",
        bytes_value,
    ),
    Command("gallery", [], ["gallery", "gallery", "rotor"], "gallery", gallery_value, (), None, True),
    Command("estimate", [], ["estimate", "model", "--device", "default.qubit"], None, lambda p: None, MODEL),
    Command("devices", [], ["devices"], None, lambda p: None),
]


def build(folder: Path, save_bert: Callable[[Path], Path], server: Server) -> Path:
    """Write the world and run every command's earlier run in it.

    Args:
        folder: made.
        save_bert: writes a tiny encoder.
        server: runs commands.
    """
    world = folder / "world"
    save_bert(world / "tiny")
    lines = [f"d{i}\t{WORDS[i % 8]} {WORDS[(i // 8) % 8]} a cat on the mat {WORDS[(i * 3) % 8]}\n" for i in range(30)]
    (world / "corpus.tsv").write_text("".join(lines))
    (world / "half.tsv").write_text("".join(lines[:15]))
    (world / "topics.tsv").write_text("t1\tcat river\nt2\tthe mat\n")
    (world / "qrels").write_text("".join(f"t{q} 0 d{i} {(i + q) % 3}\n" for q in (1, 2) for i in range(12)))
    (world / "config.toml").write_text(CONFIG)
    steps = [
        [*FIT, "--k", "3", "--out", "model"],
        [*FIT, "--k", "2", "--out", "other"],
        ["encode", "model", "corpus.tsv", "--out", "store"],
        ["encode", "model", "corpus.tsv", "--out", "indexed"],
        ["index", "indexed"],
        *(command.before for command in COMMANDS if command.before),
    ]
    for argv in steps:
        answer = server.run(argv, world)
        assert answer["code"] == 0, (argv, answer["output"])
    return world


def copy(world: Path, to: Path) -> Path:
    """The same world again, whose files may change."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(world, to)
    return to


def leftovers(world: Path) -> list[str]:
    """What a run that is over should not leave."""
    found = [path for path in world.rglob(".*") if any(mark in path.name for mark in LEFT)]
    # The cache keeps its lock file, which nobody holds.
    return [
        path.name for path in (*found, *world.rglob("*.packs")) if (path.name, "cache") != (".lock", path.parts[-3])
    ]
