"""Whatever stands in the files of a head or a model: what was saved, or one documented error that names the file."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hybrid_qproj
from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.registry import load_head

OLD = Path(__file__).parent / "data" / "667a48f"
X = torch.linspace(-1, 1, 60).reshape(5, 12)

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0, 1, -1, 2, 3, 12, 10**12, 10**9, 2**63]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["12", "yes", "../x", "/etc/passwd", "this:x", "default.qubit?shots=0", "u_cu", "QuantumProjection"]
    ),
    st.lists(st.integers(-2, 13), max_size=4),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3),
    st.just([[[[[[[[[[]]]]]]]]]]),
)


def places(value, keys=()):
    """Every place in nested tables and lists."""
    yield keys
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*keys, key))


def changed(value, keys, new):
    """A copy with one place exchanged; a place that is DROP is left out."""
    if not keys:
        return new
    value = copy.deepcopy(value)
    inner = value
    for key in keys[:-1]:
        inner = inner[key]
    if new is DROP:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = new
    return value


DROP = object()


@pytest.mark.parametrize("name", ["paper", "fitted", "coherent", "pca", "low_rank", "classical", "uncompressed"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_values_of_a_head_config(name, data, tmp_path_factory):
    """A head's config of the first format, which no digest guards, with one value exchanged or left out."""
    folder = tmp_path_factory.mktemp("head", numbered=True)
    shutil.copytree(OLD / "heads" / name, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    keys = data.draw(st.sampled_from(list(places(config))))
    new = data.draw(plain)
    if keys and data.draw(st.booleans()):
        new = DROP
    (folder / "config.json").write_text(json.dumps(changed(config, keys, new)))
    try:
        output = load_head(folder)(X)
    except CheckpointError as error:
        assert "config.json" in str(error) or "model.safetensors" in str(error)  # noqa: PT017 - either is right
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert output.isfinite().all()


@pytest.mark.parametrize(
    "change",
    [
        {"in_features": 10**12},
        {"in_features": True},
        {"in_features": 12.0},
        {"in_features": "12"},
        {"out_features": 0},
        {"out_features": 12},
        {"normalize": "yes"},
        {"normalize": 1},
        {"scale": float("nan")},
        {"scale": 0},
        {"scale": -1.0},
        {"scale": 1e300},
        {"scale": "2"},
        {"unknown": 1},
        {"class": "Popen"},
        {"class": ["QuantumProjection"]},
        {"class": "QuantumProjection" * 10**4},
        {"device": "nope?shots=-1"},
        {"device": 7},
        {"plan": None},
        {"plan": {"name": "x", "features": 12, "stages": [], "output": []}},
        {"circuit": ["u_cu"]},
    ],
)
def test_known_faults(tmp_path, change):
    """Each is refused in a line that is short, whatever the file holds."""
    shutil.copytree(OLD / "heads" / "tree", tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointError) as caught:
        load_head(tmp_path)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"control": [11, 11], "kept": [0, 0]}, "writes qubit 0 more than once"),
        ({"control": [12], "kept": [0]}, "names qubit 12; expected 0 to 11"),
        ({"control": [-1], "kept": [0]}, "greater than or equal to 0"),
        ({"control": [True], "kept": [0]}, "valid integer"),
        ({"control": [1.0], "kept": [0]}, "valid integer"),
        ({"control": ["1"], "kept": [0]}, "valid integer"),
        ({"control": [1, 2], "kept": [0]}, "2 controls and 1 kept"),
        ({"control": [0], "kept": [0]}, "control and kept qubit are the same"),
        ({"control": [1], "kept": [0], "twin": [5]}, "twin in a file. names a block"),
        ({"control": [1], "kept": [0], "more": 1}, "Extra inputs"),
        ({"control": [10**30], "kept": [0]}, "out of range"),
    ],
)
def test_plans(tmp_path, stage, message):
    """A stage that contradicts itself."""
    shutil.copytree(OLD / "heads" / "tree", tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["plan"]["stages"][0] = stage
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load_head(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"class":' * 50_000,
        b'{"class": "Truncation", "class": "Truncation"}',
        b"\xff\xfe{}",
        b"",
        b"null",
        b"1" * 100_000,
        b'{"class": "Truncation", "in_features": NaN, "out_features": 4}',
        b'{"class": "Truncation", "in_features": 1e999, "out_features": 4}',
    ],
)
def test_texts_that_are_no_config(tmp_path, content):
    """Deep, doubled, of another encoding, empty, or with numbers that JSON does not have."""
    QuantumProjection(6, 2).save(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_head(tmp_path)


def test_other_things_than_files(tmp_path):
    """A folder where a file should be."""
    QuantumProjection(6, 2).save(tmp_path / "head")
    (tmp_path / "head" / "model.safetensors").unlink()
    (tmp_path / "head" / "model.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load_head(tmp_path / "head")


def test_a_weight_that_is_missing(tmp_path):
    """Of a model without a record: it would be drawn at random, with no more than a warning of the library."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    shutil.copytree(OLD / "model", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b"layer.1.output.dense.weight", b"layer.1.output.dense.wEight"))
    with pytest.raises(CheckpointError, match=r"model\.safetensors lacks 'encoder\.layer\.1\.output\.dense\.weight'"):
        hybrid_qproj.load(tmp_path, device="cpu")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_bytes_of_a_model(data, tmp_path_factory):
    """Any file of a model without a record, cut off, flipped or overwritten: it loads, or the error names the file."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    folder = tmp_path_factory.mktemp("model", numbered=True)
    shutil.copytree(OLD / "model", folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())))
    path = folder / name
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "bytes", "value"]))
    if kind == "value" and path.suffix == ".json":
        table = json.loads(content)
        keys = data.draw(st.sampled_from(list(places(table))[:200]))
        content = json.dumps(changed(table, keys, data.draw(plain))).encode()
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        if kind == "cut":
            del content[place:]
        elif kind == "flip":
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        else:
            content[place : place + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path.write_bytes(content)
    try:
        encoder = hybrid_qproj.load(folder, device="cpu")
    except CheckpointError as error:
        assert path.name in str(error)  # noqa: PT017 - either is right
        assert len(str(error)) < 2000  # noqa: PT017
    else:
        assert encoder.head.out_features == 8
