"""Every command, on a model and an experiment whose device belongs to a stand-in provider that must not be touched."""

from __future__ import annotations

import shutil

import pennylane as qml
import pytest
import torch
from typer.testing import CliRunner

for _module in ("sentence_transformers", "faiss", "datasets", "accelerate", "pydantic", "pytrec_eval"):
    pytest.importorskip(_module, reason="needs the extras 'train' and 'index'")

import hybrid_qproj  # noqa: E402
from hybrid_qproj import QuantumProjection  # noqa: E402
from hybrid_qproj.cli import app  # noqa: E402
from hybrid_qproj.demo.experiment import demo_config, demo_table  # noqa: E402
from hybrid_qproj.devices import PaidDeviceError, checks  # noqa: E402
from hybrid_qproj.experiments.build import build_head  # noqa: E402
from hybrid_qproj.experiments.config import ConfigError, load_config  # noqa: E402
from hybrid_qproj.index import AngleStore, cluster  # noqa: E402
from hybrid_qproj.retrieval.sources import open_source  # noqa: E402
from hybrid_qproj.sbert import SentenceTransformer, with_fitted_head, with_head  # noqa: E402
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint  # noqa: E402

PAID = "braket.aws.qubit?device_arn=arn:aws:braket:::device/quantum-simulator/amazon/sv1&shots=10"


@pytest.fixture
def touched(monkeypatch):
    """Whether the provider was contacted, which ends in an error, as without an account."""
    seen, build = [], qml.device

    def device(name, *arguments, **options):
        if not name.startswith("braket.aws"):
            return build(name, *arguments, **options)
        seen.append(name)
        raise ConnectionError("no account")

    installed = checks.installed_devices()
    monkeypatch.setattr(qml, "device", device)
    monkeypatch.setattr(checks, "installed_devices", lambda: [*installed, "braket.aws.qubit"])
    monkeypatch.setattr(checks, "version", lambda name: "99.0")
    return seen


@pytest.fixture(scope="module")
def work(tiny_bert, tmp_path_factory, write_experiment):
    """A folder with a stranger's model, an experiment on the same device, texts, and a place to write."""
    folder = tmp_path_factory.mktemp("work")
    encoder = SentenceTransformer(str(tiny_bert), device="cpu")
    generator = torch.Generator().manual_seed(0)
    head = QuantumProjection(24, 4, "rotor", PAID, plan="tree", init="random", generator=generator)
    with_head(encoder, head).save_pretrained(str(folder / "model"))
    head.save(folder / "head")
    shutil.copytree(tiny_bert, folder / "bert")
    config = write_experiment(folder, tiny_bert, drop=("full", "PCA", "random", "linear", '"low-rank"'))
    text = config.read_text().replace('args = { circuit = "u_cu"', f'args = {{ device = "{PAID}"')
    config.write_text(text.replace("[2, 4]", "[4]").replace('["full", "linear"]', "[]"))
    return folder


def _commands(work, out):
    """Arguments of each command that runs circuits."""
    model, head, config, texts = (work / name for name in ("model", "head", "config.toml", "corpus.tsv"))
    training = ["--head", "quantum", "--objective", "labels"]
    return {
        "calibrate": ["calibrate", head, "--device", PAID, "--out", out / "c"],
        "encode": ["encode", model, texts, "--out", out / "angles"],
        "search": ["search", model, work / "angles", "the cat", "--engine", "exhaustive"],
        "evaluate": ["evaluate", model, config, "--out", out / "e"],
        "export": ["export", model, "--out", out / "h.onnx"],
        "plot": ["plot", "response", model, "--out", out / "p.svg"],
        "train": ["train", config, "--out", out / "t", *training],
        "compare": ["compare", config, "--out", out / "r", "--workers", "1"],
        "fit": [
            *["fit", work / "bert", texts, "--k", "4", "--max-tokens", "16", "--out", out / "m"],
            *["--device", PAID, "--corrections", "1"],
        ],
    }


RUNNING = ("calibrate", "encode", "search", "evaluate", "train", "compare", "fit", "plot", "export")
HARMLESS = ("demo", "devices", "estimate", "index", "draw", "gallery")
"""No circuit of theirs runs on a device that anybody names; gallery and demo take none."""


def _run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def store(work, touched):
    """A store of the model's, as if its device had been reached."""
    if not (work / "angles").exists():
        encoder = hybrid_qproj.load(work / "model", device="cpu")
        angles = AngleStore.create(work / "angles", 4, model="model", fingerprint=encoder_fingerprint(encoder))
        angles.add(["d1", "d2"], torch.rand(2, 4, generator=torch.Generator().manual_seed(0)))
    return work / "angles"


def test_every_command_is_in_this_file():
    """A new one has to be sorted in."""
    assert {command.callback.__name__ for command in app.registered_commands} == {*RUNNING, *HARMLESS}


@pytest.mark.parametrize("name", RUNNING)
def test_refused(touched, work, store, tmp_path, name):
    """One line, exit code 1, nothing written, nobody contacted; with --yes the provider is reached."""
    before = sorted(tmp_path.iterdir())
    command = _commands(work, tmp_path)[name]
    result = _run(*command)
    assert result.exit_code == 1
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: device 'braket.aws.qubit?")
    for part in ("can cost money", "of 10 shots", "nothing was sent", "--yes", "--device"):
        assert part in line
    assert touched == []
    assert sorted(tmp_path.iterdir()) == before
    result = _run(*command, "--yes")
    assert result.exit_code == 1
    assert "ConnectionError" in result.stderr
    assert touched


@pytest.mark.parametrize("name", ["encode", "search", "evaluate"])
def test_elsewhere(touched, work, store, tmp_path, name):
    """A stranger's model runs on a simulator of this machine: documents and queries alike."""
    command = _commands(work, tmp_path)[name]
    if name == "search":
        encode = ["encode", work / "model", work / "corpus.tsv", "--out", tmp_path / "here"]
        assert _run(*encode, "--device", "default.qubit").exit_code == 0
        command[2] = tmp_path / "here"
    result = _run(*command, "--device", "default.qubit")
    assert result.exit_code == 0, result.output
    assert touched == []


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("nope", "no device 'nope'"),
        ("defualt.qubit", "did you mean 'default.qubit'?"),
        ("qiskit.aer", "how many shots"),
    ],
)
def test_a_device_that_does_not_exist(touched, work, store, tmp_path, name, device, message):
    """Seen at once: before data are read, and before anything is written."""
    command = _commands(work, tmp_path)[name]
    if name in ("train", "compare"):
        copy = work / f"wrong-{device}.toml"
        copy.write_text((work / "config.toml").read_text().replace(PAID, device))
        command[1] = copy
    else:
        command = [*(a for a in command if a not in ("--device", PAID)), "--device", device]
    result = _run(*command)
    assert result.exit_code == 1
    assert message in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_fit_without_corrections(touched, work, tmp_path):
    """No circuit runs on the device of a fit: it may cost money, but it must exist."""
    command = [a for a in _commands(work, tmp_path)["fit"] if a not in ("--corrections", "1")]
    result = _run(*command)
    assert result.exit_code == 0, result.output
    assert str(hybrid_qproj.load(tmp_path / "m").head.device) == PAID
    result = _run(*[tmp_path / "n" if a == tmp_path / "m" else "nope" if a == PAID else a for a in command])
    assert "no device 'nope'" in result.stderr
    assert not (tmp_path / "n").exists()
    assert touched == []


def test_what_runs_nothing(touched, work, store, tmp_path):
    """Drawing, counting, listing and indexing of the same model."""
    copied = shutil.copytree(store, tmp_path / "angles")
    for command in (
        ["draw", work / "head"],
        ["draw", work / "model", "--part", "group"],
        ["draw", work / "head", "--part", "stage", "--out", tmp_path / "stage.tex"],
        ["estimate", work / "head", "--device", PAID],
        ["devices"],
        ["index", copied],
    ):
        result = _run(*command)
        assert result.exit_code == 0, result.output
    assert touched == []


def test_the_demo_names_no_device(tmp_path):
    """Its heads run on default.qubit, and no option says otherwise."""
    config = demo_config(demo_table([2], 1), tmp_path)
    quantum = [name for name, head in config.heads.items() if head.kind == "QuantumProjection"]
    assert len(quantum) > 1
    for name in quantum:
        assert "device" not in config.heads[name].args
        assert str(build_head(config, name, 6, 2).device) == "default.qubit"


def test_loaded_encoders(touched, work):
    """From Python: loading is free, running is not; leave and another device are arguments."""
    encoder = hybrid_qproj.load(work / "model")
    assert PAID in repr(encoder)
    with pytest.raises(PaidDeviceError):
        encoder.encode(["a cat"])
    with pytest.raises(PaidDeviceError):
        SentenceTransformer(str(work / "model"), trust_remote_code=True).encode(["a cat"])
    assert touched == []
    assert hybrid_qproj.load(work / "model", quantum_device="default.qubit").encode(["a cat"]).shape == (1, 4)
    with pytest.raises(Exception, match="could not be built"):
        hybrid_qproj.load(work / "model", allow_paid=True).encode(["a cat"])
    assert touched == ["braket.aws.qubit"]


def test_fitted_heads(touched, work, tiny_bert):
    """Before a text is read."""
    encoder = SentenceTransformer(str(tiny_bert), device="cpu")

    def texts():
        pytest.fail("read")
        yield

    with pytest.raises(PaidDeviceError, match="2 times"):
        with_fitted_head(encoder, texts(), 4, device=PAID, corrections=1)
    assert touched == []


def test_workers_of_a_cluster(touched, work):
    """Leave travels to each as an argument; without it a worker is refused too."""
    parts = [open_source(str(work / "corpus.tsv"))]
    worker = cluster._EncodePart(str(work / "model"), parts, 4, None, None, False)
    with pytest.raises(PaidDeviceError):
        worker({"number": [0]})
    assert touched == []
    assert cluster._EncodePart(str(work / "model"), parts, 4, None, None, True)._encoder.head.allow_paid
    local = cluster._EncodePart(str(work / "model"), parts, 4, None, "default.qubit", False)
    assert local({"number": [0]})["angles"].shape[2] == 4


def test_no_file_gives_leave(work):
    """Not even the experiment that names the device."""
    path = work / "leave.toml"
    path.write_text((work / "config.toml").read_text().replace("args = { device", "args = { allow_paid = true, device"))
    with pytest.raises(ConfigError, match="give --yes on the command line"):
        load_config(path)
