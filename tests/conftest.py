"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from helpers import crashes, miniature, small_experiment
from helpers import oracle as dense_oracle
from helpers import text_models as tiny_models
from helpers.loudest import Loudest
from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads import registry

# Times on shared machines say nothing about the code.
# The same examples in every run of CI; others elsewhere.
settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("default")

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def oracle():
    """The dense-matrix oracle, which shares no code with the package."""
    return dense_oracle


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a tiny random BERT."""
    return tiny_models.save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session")
def text_models():
    """The module that makes tiny random encoders."""
    return tiny_models


@pytest.fixture(scope="session")
def crash_after():
    """A context in which the process dies, as far as the disk can tell, after some changes of the disk."""
    return crashes.crash_after


@pytest.fixture
def msmarco(tmp_path):
    """A folder for IR_DATASETS_HOME with a miniature MS MARCO."""
    return miniature.write_msmarco(tmp_path / "ir_datasets")


@pytest.fixture
def published_data(tmp_path):
    """A folder with the miniature MS MARCO's training data as the publication has them."""
    return miniature.write_published(tmp_path / "MSMARCO")


@pytest.fixture
def register(monkeypatch):
    """The function that registers a class of heads, whose effect ends with the test."""
    monkeypatch.setattr(registry, "_HEADS", dict(registry._HEADS))
    return registry.register


@pytest.fixture(scope="session")
def loudest():
    """A class of heads as a user of the package writes one, not registered."""
    return Loudest


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
    return small_experiment.write_experiment


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
