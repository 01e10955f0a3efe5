"""Configurations of strangers: a sound one or a ConfigError that names file and key, and nothing else."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pydantic", reason="needs the extra 'train'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.experiments.cells import cells
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig, load_config


@pytest.fixture
def config(tmp_path, write_experiment):
    return write_experiment(tmp_path, Path("bert"))


@pytest.fixture(scope="module")
def table(write_experiment, tmp_path_factory):
    return tomllib.loads(write_experiment(tmp_path_factory.mktemp("sound"), Path("bert")).read_text())


def toml(value):
    """A value as TOML has it, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    return json.dumps(value)


def write(path, table):
    path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items()), errors="replace")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 4", "steps = true", r"training.steps: Input should be a valid integer"),
        ("steps = 4", 'steps = "4"', r"training.steps: Input should be a valid integer"),
        ("steps = 4", "steps = 4.0", r"training.steps: "),
        ("steps = 4", "epochs = 1e9", r"training.epochs: Input should be less than or equal to 100000"),
        ("seeds = 2", f"seeds = {10**20}", r"config.toml: seeds is out of the range"),
        ("seeds = 2", "seeds = 1" + "0" * 5000, r"is no TOML"),
        ("seeds = 2", "seeds = 10_001", r"seeds: Input should be less than or equal to 10000"),
        ("seeds = 2", "seeds = 1979-05-27", r"seeds is a date"),
        ("seeds = 2", "seeds = 2\nseeds = 3", r"is no TOML: Cannot overwrite"),
        ("learning_rate = 1e-2", "learning_rate = 1e999", r"training.learning_rate is not finite"),
        ("learning_rate = 1e-2", "learning_rate = nan", r"training.learning_rate is not finite"),
        ("learning_rate = 1e-2", "learning_rate = 0", r"training.learning_rate: Input should be greater than 0"),
        ("learning_rate = 1e-2", "learning_rate = -1.0", r"training.learning_rate: Input should be greater than 0"),
        ("batch_size = 6", "batch_size = 1_000_000_000", r"training.batch_size: Input should be less than or equal"),
        ("sizes = [3]", "sizes = []", r"sizes: Tuple should have at least 1 item"),
        ("sizes = [3]", "sizes = [3, 3]", r"sizes: 3 stands there twice"),
        ("sizes = [3]", "sizes = 3", r"sizes: Input should be a valid array"),
        ("sizes = [3]", "sizes = [true]", r"sizes.0: Input should be a valid integer"),
        ("fractions = [2, 4]", "fractions = [1, 1.0]", r"fractions: 1.0 stands there twice"),
        ("fractions = [2, 4]", "fractions = [0]", r"fractions.0"),
        ('"MRR@10"]', '"ndcg@10"]', r"no measure 'ndcg@10'; did you mean 'NDCG@10'\?"),
        ('"MRR@10"]', '"NDCG@0"]', r"measure 'NDCG@0': expected NDCG@k"),
        ('"NDCG@10", "MRR@10"', "", r"measures: Tuple should have at least 1 item"),
        ("depth = 20", "depth = 1_000_000_000", r"test.1.depth: Input should be less than or equal"),
        ("depth = 20", "relevant = 0", r"test.1.relevant: Input should be greater than or equal to 1"),
        ("depth = 20", "relevant = -1", r"test.1.relevant: Input should be greater than or equal to 1"),
        ('"judged", "whole"] }', "] }", r"pools.all: Tuple should have at least 1 item"),
        ('circuit = "u_cu"', 'circuit = "u_cx"', r"heads.quantum: args.circuit: no ansatz 'u_cx'; did you mean 'u_cu'"),
        ('circuit = "u_cu"', "circuit = 3", r"heads.quantum: args: circuit: expected a text"),
        (
            'circuit = "u_cu"',
            'circuit = "os.path:join"',
            r"would import code because a file says so.*--ansatz os.path:join",
        ),
        ("scale = 1.0", "scale = true", r"heads.quantum: args: scale: expected a number or nothing"),
        ("scale = 1.0", "in_features = 3", r"heads.quantum: args: no keyword 'in_features'"),
        ("scale = 1.0", 'device = "default.qubit?shots=x"', r"heads.quantum: args.device: "),
        ('parameters_of = "quantum"', 'parameters_of = "low-rank"', r"whose own number is another head's"),
        ("[heads.PCA]", '[heads." PCA"]', r"a name has no control characters, and no space at its ends"),
        (
            "negatives = 2",
            "negatives = 0",
            r"labels: negatives = 0 goes with triples alone; of judgements and docpairs",
        ),
        ("seeds = 2", "sedes = 2", r"sedes: Extra inputs are not permitted; did you mean 'seeds'\?"),
        ("seeds = 2", "seeds = 10_000\nsizes2 = 3", r"sizes2: Extra inputs"),
        ("layers = [0]", "layers = [0, 0]", r"encoder.layers: 0 stands there twice"),
        ('cache = "cache"', 'cache = "a\\u0000b"', r"encoder.cache: a path holds no null character"),
    ],
)
def test_refusals(config, old, new, message):
    """File and key, in one line."""
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(config)
    assert str(caught.value).startswith(str(config))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "it is not UTF-8"),
        (b"a = " + b"[" * 100_000, "is nested too deeply|is no TOML"),
        (b".".join([b"a"] * 3000) + b" = 1", "nested too deeply"),
        (b"heads = 3\nsizes = [3]\nname = 'x'", "heads: Input should be"),
        (b"#" * (1 << 21), "is larger than"),
        (b'a = "\\ud800"', "is no TOML"),
        (b"", "Field required"),
    ],
)
def test_what_is_no_configuration(tmp_path, content, message):
    """Bytes of any kind."""
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "x.toml")


def test_folder_and_mark(config, tmp_path):
    """A folder is no file; a byte-order mark at the start is none of the text."""
    with pytest.raises(ConfigError, match="is no regular file"):
        load_config(tmp_path)
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert load_config(config).name == "small"


def test_too_many_cells_are_counted(config):
    """Before any is made."""
    config.write_text(config.read_text().replace("seeds = 2", "seeds = 9999"))
    with pytest.raises(ConfigError, match=r"make up to 239,976 cells; expected at most 100,000"):
        load_config(config)


def test_names_that_share_a_file(config):
    """Two heads whose records would overwrite each other."""
    config.write_text(config.read_text() + '\n[heads."low rank"]\nkind = "GroupedLinear"\n')
    with pytest.raises(ConfigError, match="would share the file"):
        cells(load_config(config), 24)


def test_a_device_string_is_not_repeated(config):
    """What could not be read may hold a secret."""
    config.write_text(config.read_text().replace("scale = 1.0", 'device = ["token=SECRET"]'))
    with pytest.raises(ConfigError, match="device: expected a text") as caught:
        load_config(config)
    assert "SECRET" not in str(caught.value)


def test_an_ansatz_of_ones_own(config):
    """Imported only where the caller says so."""
    reference = "hybrid_qproj.circuits.rotor:ansatz"
    config.write_text(config.read_text().replace('circuit = "u_cu"', f'circuit = "{reference}"'))
    with pytest.raises(ConfigError, match="--ansatz"):
        load_config(config)
    assert load_config(config, [reference]).heads["quantum"].args["circuit"] == reference


def attempt(path):
    try:
        return load_config(path)
    except ConfigError as error:
        return error


PLAIN = st.one_of(
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "all", "full", "0"]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value, here=()):
    yield here
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from paths(part, (*here, key))


def replaced(value, path, new):
    if not path:
        return new
    parts = dict(value) if isinstance(value, dict) else list(value)
    parts[path[0]] = replaced(parts[path[0]], path[1:], new)
    return parts


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_anywhere(table, tmp_path, data):
    """A configuration, or a ConfigError."""
    path = data.draw(st.sampled_from([p for p in paths(table) if p]))
    changed = replaced(table, path, data.draw(VALUES))
    found = attempt(write(tmp_path / "x.toml", changed))
    assert isinstance(found, ExperimentConfig) or str(found).startswith(str(tmp_path / "x.toml"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.integers(0, 10_000), new=st.binary(max_size=4), cut=st.booleans())
def test_any_byte_anywhere(config, tmp_path, place, new, cut):
    """Damage of a file."""
    content = config.read_bytes()
    place %= len(content)
    (tmp_path / "x.toml").write_bytes(content[:place] + new + (b"" if cut else content[place + 1 :]))
    found = attempt(tmp_path / "x.toml")
    assert isinstance(found, ExperimentConfig) or str(tmp_path / "x.toml") in str(found)
