"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads import registry

# Times on shared machines say nothing about the code.
# The same examples in every run of CI; others elsewhere.
settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("default")

HERE = Path(__file__).parent


def _module(name: str):
    # Tests are collected with import mode importlib, which puts no folder on the path.
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickles look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def oracle():
    """The dense-matrix oracle, which shares no code with the package."""
    return _module("oracle")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a tiny random BERT."""
    return _module("text_models").save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session")
def text_models():
    """The module that makes tiny random encoders."""
    return _module("text_models")


@pytest.fixture(scope="session")
def crash_after():
    """A context in which the process dies, as far as the disk can tell, after some changes of the disk."""
    return _module("crashes").crash_after


@pytest.fixture
def msmarco(tmp_path):
    """A folder for IR_DATASETS_HOME with a miniature MS MARCO."""
    return _module("miniature").write_msmarco(tmp_path / "ir_datasets")


@pytest.fixture
def register(monkeypatch):
    """The function that registers a class of heads, whose effect ends with the test."""
    monkeypatch.setattr(registry, "_HEADS", dict(registry._HEADS))
    return registry.register


@pytest.fixture(scope="session")
def loudest():
    """A class of heads as a user of the package writes one, not registered."""
    return _module("heads/loudest").Loudest


@pytest.fixture(scope="session")
def reference():
    """Folder with outputs of the published reference head."""
    folder = HERE.parent.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the published head's outputs are not beside this checkout (../shared/reference)")
    return folder


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def write_experiment():
    """A function that writes a small experiment to a folder."""
    return _module("experiments/small").write_experiment


@pytest.fixture
def model(tiny_bert, tmp_path):
    """Folder of an encoder with a quantum head, small enough to run everywhere."""
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    sbert = pytest.importorskip("hybrid_qproj.sbert")
    encoder = sentence_transformers.SentenceTransformer(str(tiny_bert), device="cpu")
    width = encoder.get_embedding_dimension()
    generator = torch.Generator().manual_seed(0)
    head = QuantumProjection(width, width // 2, "rotor", init="random", scale=1.0, generator=generator)
    sbert.with_head(encoder, head).save_pretrained(str(tmp_path / "model"))
    return str(tmp_path / "model")
