"""Where a model's files lie: a hub's cache of links, names that no system takes, pipes."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch

import hybrid_qproj
from hybrid_qproj import QuantumProjection
from hybrid_qproj.calibration import Calibration
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.models.record import RECORD
from hybrid_qproj.sbert import with_head

TEXTS = ["a cat sat", "on the mat"]


@pytest.fixture(scope="module")
def saved(tiny_bert, tmp_path_factory):
    """A saved model, and what it gives."""
    encoder = with_head(str(tiny_bert), QuantumProjection(24, 8, "rotor", init="random"), device="cpu")
    folder = tmp_path_factory.mktemp("saved") / "model"
    encoder.save_pretrained(str(folder))
    return folder, encoder.eval().encode(TEXTS, convert_to_tensor=True)


@pytest.fixture
def folder(saved, tmp_path):
    """A copy without the record, as somebody would edit it."""
    shutil.copytree(saved[0], tmp_path / "model")
    (tmp_path / "model" / RECORD).unlink()
    return tmp_path / "model"


def test_cache_of_a_hub(saved, tmp_path):
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    blobs.mkdir()
    for number, file in enumerate(path for path in saved[0].rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(saved[0])
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(number))
        link.symlink_to(os.path.relpath(blobs / str(number), link.parent))
    found = hybrid_qproj.load(snapshot, device="cpu").encode(TEXTS, convert_to_tensor=True)
    assert torch.equal(found, saved[1])
    # A link that leads elsewhere is none of the cache's.
    shutil.copy(blobs / "0", tmp_path / "other")
    link = next(path for path in snapshot.rglob("*") if path.is_symlink() and path.resolve() == blobs / "0")
    link.unlink()
    link.symlink_to(tmp_path / "other")
    with pytest.raises(CheckpointError, match="link out of"):
        hybrid_qproj.load(snapshot, device="cpu")


@pytest.mark.parametrize("name", ["a" * 900, "é" * 250, "\ud800", "a\0b"], ids=["long", "bytes", "half", "zero"])
def test_names_that_no_system_takes(folder, name):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = name
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CheckpointError, match=r"modules\.json"):
        hybrid_qproj.load(folder, device="cpu")


def test_name_that_is_given_is_too_long():
    with pytest.raises(CheckpointError, match="no folder"):
        hybrid_qproj.load("a/" + "b" * 5000 + "/c")


def test_links_in_a_circle(folder):
    (folder / "round").symlink_to("round")
    with pytest.raises(CheckpointError, match="round"):
        hybrid_qproj.load(folder, device="cpu")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", ["more.safetensors", "vocab.txt", "1_Pooling/chat_template.jinja"])
def test_pipe(folder, name):
    os.mkfifo(folder / name)
    # Whoever opened it would wait for ever.
    with pytest.raises(CheckpointError, match=f"{name.rpartition('/')[2]} is no file"):
        hybrid_qproj.load(folder, device="cpu")


def test_modes_are_those_of_the_user(saved):
    modes = {path.stat().st_mode & 0o777 for path in saved[0].rglob("*") if path.is_file()}
    assert len(modes) == 1


def test_files_of_heads_and_calibrations_whose_names_are_too_long():
    for load in (QuantumProjection.load, Calibration.load):
        with pytest.raises(CheckpointError, match="xxx"):
            load("x" * 5000)
