"""Experiments as TOML: what is refused, and how settings are merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("pydantic", reason="needs the extra 'train'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj import QuantumProjection
from hybrid_qproj.experiments.build import build_head, build_objectives, fit_head
from hybrid_qproj.experiments.cells import cells, digest
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.linear import stored_numbers, trainable_parameters

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.toml"))


@pytest.fixture
def config(tmp_path, write_experiment):
    return write_experiment(tmp_path, Path("bert"))


def edited(config, old, new):
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    return config


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_shipped_examples_are_sound(path):
    """Every head of every example can be built, with its objectives."""
    experiment = load_config(path)
    # Codecs give some bytes at some widths only.
    assert cells(experiment, 384 if experiment.encoder.name == "minilm" else 768)
    for head in experiment.heads.values():
        for objective in experiment.objectives.values():
            assert build_objectives(head, objective)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 2", "sedes = 2", "sedes: Extra inputs are not permitted"),
        ("sizes = [3]", "sizes = [0]", "sizes.0: Input should be greater than or equal to 1"),
        ('kind = "ClassicalProjection"', 'kind = "Linear"', r"heads.linear: no head 'Linear'; expected one of Quantum"),
        ('parameters_of = "quantum"', "", r"heads.low-rank: LowRankLinear needs args.rank or parameters_of"),
        ('parameters_of = "quantum"', 'parameters_of = "x"', "parameters_of names 'x', which is no head"),
        ('protocol = "judged"', 'protocol = "rerank"', "test.0: judged: protocol 'rerank' needs a run"),
        ('name = "whole"', 'name = "judged"', "two tests have the same name"),
        ('["judged", "whole"]', '["judged", "x"]', "pool 'all' must have a name of its own and name tests"),
        ('baselines = ["full"', 'baselines = ["fall"', "baselines .*'fall'.* are no heads"),
        (
            '{ judged = "train.jsonl" }',
            '{ judged = "a", dataset = "b" }',
            "expected exactly one of dataset, judged and",
        ),
        ('source = { documents = "corpus.tsv" }', "", "texts.source: Field required"),
        ("texts = {}", "", None),
        ("steps = 4", "steps = 4\nwarmup = 0.1", "warmup with schedule = 'constant' would do nothing"),
        ("training = { learning_rate = 5e-2 }", "training = { lr = 1 }", "lr"),
        ("training = { learning_rate = 5e-2 }", "training_for = { x = {} }", "training_for names .*'x'"),
        ("fractions = [2, 4]", "fractions = [1.5]", "fractions.0"),
        ("seeds = 2", "seeds = 2\nfirst_seed = -1", "first_seed: Input should be greater than or equal to 0"),
        ("seeds = 2", "seeds = 2\nfirst_seed = 4294967295", "2 seeds from first_seed = 4294967295 on would exceed"),
        ("layers = [0]", "layers = [[]]", "encoder.layers.0.*at least 1 item"),
        ("layers = [0]", "layers = [[0, 0]]", "encoder.layers.0.*: 0 stands there twice"),
        ("layers = [0]", "layers = [[-1]]", "encoder.layers.0.*greater than or equal to 0"),
        ("layers = [0]", "layers = [[0, 1], [1, 0]]", r"encoder.layers: \(0, 1\) stands there twice"),
        ("negatives = 2", "negatives = 2\nexact = 1", "labels.exact: Input should be a valid boolean"),
        ("negatives = 2", "negatives = 2\nvalidation = 0", "labels.validation"),
        ("negatives = 2", "negatives = 2\nvalidation = 1.5", "labels.validation"),
        (
            "training = { learning_rate = 5e-2 }",
            "training_at = { 4 = {} }",
            r"training_at names \[4\], which are no sizes",
        ),
        (
            "training = { learning_rate = 5e-2 }",
            "training_at = { three = {} }",
            "training_at.*a whole number in digits",
        ),
        (
            "training = { learning_rate = 5e-2 }",
            "training_at = { 3 = { learning_rate = -1.0 } }",
            "training of head 'quantum' for 'labels': learning_rate: Input should be greater than 0",
        ),
        ('name = "small"', "name = ", "is no TOML"),
    ],
)
def test_refusals(config, old, new, message):
    """Each wrong key is named with what was expected."""
    edited(config, old, new)
    if message is None:
        load_config(config)
        return
    with pytest.raises(ConfigError, match=message):
        load_config(config)


def test_missing_file(tmp_path):
    """The path as it was given."""
    with pytest.raises(ConfigError, match="no configuration file"):
        load_config(tmp_path / "none.toml")


def test_paths_start_at_the_file(config):
    """Wherever the command is run from."""
    experiment = load_config(config)
    assert experiment.labels.source.judged == config.parent / "train.jsonl"
    assert experiment.encoder.cache == config.parent / "cache"


def test_settings_are_merged(config):
    """What is said for all, then for the objective, the head, and the head with that objective."""
    edited(
        config,
        "training = { learning_rate = 5e-2 }",
        "training = { learning_rate = 5e-2 }\ntraining_for = { both = { steps = 9 } }",
    )
    experiment = load_config(config)
    assert experiment.settings("linear", "labels").learning_rate == 1e-2
    assert experiment.settings("linear", "both").batch_size == 4
    assert experiment.settings("quantum", "labels").steps == 4
    quantum = experiment.settings("quantum", "both")
    assert (quantum.learning_rate, quantum.steps, quantum.batch_size) == (5e-2, 9, 4)


def test_settings_at_a_size(config):
    """They count last, at that size alone, and in its cells' digests alone."""
    edited(config, "sizes = [3]", "sizes = [3, 6]")
    before = load_config(config)
    edited(
        config,
        "training = { learning_rate = 5e-2 }",
        "training = { learning_rate = 5e-2 }\ntraining_for = { both = { steps = 9 } }\n"
        "training_at = { 6 = { learning_rate = 1e-3, steps = 8 } }",
    )
    after = load_config(config)
    assert [after.settings("quantum", "both", k).steps for k in (None, 3, 6)] == [9, 9, 8]
    assert [after.settings("quantum", "both", k).learning_rate for k in (None, 3, 6)] == [5e-2, 5e-2, 1e-3]
    assert after.settings("linear", "both", 6).learning_rate == 1e-2
    edited(config, "training_for = { both = { steps = 9 } }\n", "")
    after = load_config(config)
    same = {cell: digest(cell, before) == digest(cell, after) for cell in cells(after, 24)}
    assert {cell.k for cell, equal in same.items() if not equal} == {6}
    assert {cell.head for cell, equal in same.items() if not equal} == {"quantum"}


def test_seeds_from_a_number_on(config):
    """Of all cells; one that no seed would change has the first."""
    edited(config, "seeds = 2", "seeds = 3\nfirst_seed = 42")
    experiment = load_config(config)
    found = {head: {cell.seed for cell in cells(experiment, 24) if cell.head == head} for head in experiment.heads}
    assert found["quantum"] == found["random"] == {42, 43, 44}
    assert found["PCA"] == found["full"] == {42}


def test_layers_by_their_numbers(config):
    """In order, beside numbers of layers; cells know which."""
    edited(config, "layers = [0]", 'layers = [0, 1, [2, 0], "all"]')
    experiment = load_config(config)
    assert experiment.encoder.layers == (0, 1, (0, 2), "all")
    edited(config, '[heads.PCA]\nkind = "PCAProjection"', '[heads.PCA]\nkind = "Truncation"')
    assert {cell.layers for cell in cells(load_config(config), 24)} == {0, 1, (0, 2), "all"}


NEW = {
    "exact": ("negatives = 2", "negatives = 2\nexact = {}", "true", "false"),
    "validation": ("negatives = 2", "negatives = 2{}", "\nvalidation = 0.5", ""),
    "each_epoch": ("seeds = 2", "seeds = 2\neach_epoch = {}", "true", "false"),
}


@pytest.mark.parametrize("name", NEW)
def test_digests_of_before(config, name):
    """What is not chosen is not in them; what is chosen is, of cells that it concerns."""
    experiment = load_config(config)
    trained, full = (next(c for c in cells(experiment, 24) if c.head == head) for head in ("quantum", "full"))
    old, new, chosen, idle = NEW[name]
    text = config.read_text()
    config.write_text(text.replace(old, new.format(idle), 1))
    assert digest(trained, load_config(config)) == digest(trained, experiment)
    assert name not in load_config(config).labels.model_dump()
    config.write_text(text.replace(old, new.format(chosen), 1))
    assert digest(trained, load_config(config)) != digest(trained, experiment)
    if name == "each_epoch":
        assert digest(full, load_config(config)) == digest(full, experiment)


def test_digest_sees_what_matters_and_nothing_else(config):
    """Other heads, seeds and worker settings leave a cell's record valid; its own settings do not."""
    experiment = load_config(config)
    cell = next(c for c in cells(experiment, 24) if c.head == "quantum" and c.objective == "labels")
    before = digest(cell, experiment)
    for old, new in (("seeds = 2", "seeds = 3"), ('cache = "cache"', 'cache = "x"'), ("[heads.PCA]", "[heads.pca]")):
        assert digest(cell, load_config(edited(config, old, new))) == before
    for old, new in (("steps = 4", "steps = 5"), ("scale = 1.0", "scale = 2.0"), ("negatives = 2", "negatives = 1")):
        changed = digest(cell, load_config(edited(config, old, new)))
        assert changed != before
        before = changed


def test_heads_depend_on_their_seed_alone(config):
    """Also the ones that draw from torch's global generator."""
    experiment = load_config(config)
    for name in ("linear", "low-rank", "quantum", "random"):
        first, same, other = (build_head(experiment, name, 24, 3, seed).state_dict() for seed in (0, 0, 1))
        assert all((first[key] == same[key]).all() for key in first)
        assert any((first[key] != other[key]).any() for key in first)


def test_arguments_a_head_does_not_take(config):
    """Named with the head."""
    edited(config, 'args = { circuit = "u_cu", scale = 1.0 }', 'args = { circus = "u_cu" }')
    with pytest.raises(ConfigError, match=r"heads.quantum: args: no keyword 'circus'; did you mean 'circuit'"):
        load_config(config)
    edited(config, 'args = { circus = "u_cu" }', "args = { scale = -1.0 }")
    with pytest.raises(ConfigError, match=r"head 'quantum' \(QuantumProjection, 24 -> 3\) cannot be built: .*scale"):
        build_head(load_config(config), "quantum", 24, 3)
    edited(config, "labels = { log = true, learn_scale = true }", "labels = { skale = 1.0 }")
    with pytest.raises(ConfigError, match=r"objectives.labels: labels: no keyword 'skale'; did you mean 'scale'"):
        load_config(config)
    edited(config, "labels = { skale = 1.0 }", "labels = { scale = -1.0 }")
    experiment = load_config(config)
    with pytest.raises(ConfigError, match=r"objective Contrastive: scale=-1.0: expected a positive number"):
        build_objectives(experiment.heads["linear"], experiment.objectives["labels"])


def test_fitted_heads_cannot_stand_on_a_training_encoder(tmp_path, write_experiment):
    """PCA of embeddings that move makes no sense."""
    config = write_experiment(tmp_path, Path("bert"), layers="1")
    with pytest.raises(ConfigError, match="head 'PCA' is fitted to frozen embeddings; it cannot train 1 layers"):
        cells(load_config(config), 24)
    edited(config, "layers = [1]", "layers = [[0, 2]]")
    with pytest.raises(ConfigError, match=r"it cannot train layers \[0, 2\]"):
        cells(load_config(config), 24)


FITTED = """
[heads.treelet]
kind = "QuantumProjection"
args = { circuit = "rotor" }
fit = { mixing = 1 }
"""


def test_fitted_quantum_heads(config):
    """One cell whatever the seeds and objectives, nothing to train, and the head that its class fits."""
    config.write_text(config.read_text() + FITTED)
    experiment = load_config(config)
    (cell,) = [cell for cell in cells(experiment, 24) if cell.head == "treelet"]
    assert (cell.objective, cell.seed) == ("", 0)
    embeddings = torch.randn(50, 24, generator=torch.Generator().manual_seed(0))
    head = fit_head(experiment, "treelet", 3, embeddings)
    expected = QuantumProjection.fit(embeddings, 3, settings=FitSettings(mixing=1))
    assert torch.equal(head(embeddings), expected(embeddings).detach())
    assert trainable_parameters(head) == 0
    assert stored_numbers(head) == head.plan.rotations + 1
    with pytest.raises(ConfigError, match="head 'treelet' cannot be fitted to 30 numbers"):
        fit_head(experiment, "treelet", 30, embeddings)


def test_fits_to_samples(config):
    """Each seed takes other texts, the same ones each time; a sample larger than the texts is refused."""
    config.write_text(config.read_text() + FITTED + "sample = 30\n")
    experiment = load_config(config)
    assert [cell.seed for cell in cells(experiment, 24) if cell.head == "treelet"] == list(range(experiment.seeds))
    embeddings = torch.randn(50, 24, generator=torch.Generator().manual_seed(0))
    first, again, other = (fit_head(experiment, "treelet", 3, embeddings, seed) for seed in (0, 0, 1))
    assert torch.equal(first(embeddings), again(embeddings))
    assert not torch.equal(first(embeddings), other(embeddings))
    with pytest.raises(ConfigError, match="sample = 30, but there are 20 texts"):
        fit_head(experiment, "treelet", 3, embeddings[:20])


def test_heads_that_train_for_some_objectives(config):
    """They have cells for those alone; an unknown one is an error."""
    whole = load_config(config)
    first = next(iter(whole.objectives))
    config.write_text(config.read_text() + FITTED + f"tune = true\nobjectives = [{first!r}]\n")
    assert {cell.objective for cell in cells(load_config(config), 24) if cell.head == "treelet"} == {first}
    config.write_text(config.read_text().replace(f"objectives = [{first!r}]", "objectives = ['fame']"))
    with pytest.raises(ConfigError, match=r"objectives names \['fame'\], which are no objectives"):
        load_config(config)


def test_tuned_heads_train_from_the_fit(config):
    """A cell an objective and seed, its head fitted, with its angles to train."""
    config.write_text(config.read_text() + FITTED + "tune = true\n")
    experiment = load_config(config)
    found = {cell.objective for cell in cells(experiment, 24) if cell.head == "treelet"}
    assert found == set(experiment.objectives)
    head = fit_head(experiment, "treelet", 3, torch.randn(50, 24))
    assert trainable_parameters(head) == head.plan.rotations


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mixing = 1", "mixing = -1", "expected mixing >= 0"),
        ("mixing = 1", "sweeps = 1", "fit: .*sweeps"),
        ("fit = { mixing = 1 }", "tune = true", "tune goes on from a fit"),
        ("fit = { mixing = 1 }", "sample = 9", "sample is for heads that are fitted"),
        ('circuit = "rotor"', 'plan = "tree"', "fit decides .*plan.* of a QuantumProjection; leave plan out"),
        ('kind = "QuantumProjection"\nargs = { circuit = "rotor" }', 'kind = "Truncation"', "fit is for"),
    ],
)
def test_refusals_of_fits(config, old, new, message):
    """What a fit decides, and what it does not know."""
    config.write_text(config.read_text() + FITTED.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_config(config)


def test_digest_does_not_depend_on_where_the_data_lie(tmp_path, write_experiment):
    """The same files in another folder give the same cells; a changed file gives others."""
    found = []
    for name in ("one", "two"):
        experiment = load_config(write_experiment(tmp_path / name, Path("bert")))
        found.append(digest(cells(experiment, 24)[0], experiment))
    assert found[0] == found[1]
    (tmp_path / "two" / "corpus.tsv").write_text("d1\tanother text\n")
    assert digest(cells(experiment, 24)[0], experiment) != found[0]


@pytest.mark.parametrize("table", ["", "[encoder]\nmax_tokens = 16\n"])
def test_cache_by_default(tmp_path, table):
    """The default of a path is one, and starts at the file's folder like a path that stands in the file."""
    path = tmp_path / "a.toml"
    path.write_text(f'name = "a"\nsizes = [4]\n{table}[heads.pca]\nkind = "PCAProjection"\n')
    assert load_config(path).encoder.cache == tmp_path / "embeddings"


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ('{ "1" = 4, "01" = 2 }', "1 stands there twice"),
        ('{ "1_0" = 4 }', "grade '1_0'; expected a whole number"),
        ('{ "one" = 4 }', "grade 'one'; expected a whole number"),
        ('{ "1" = 99999999 }', "less than or equal to 1000000"),
    ],
)
def test_grades_to_replace(config, grades, message):
    """Grades are read as in files of judgements, each once."""
    config.write_text(config.read_text().replace('qrels = "qrels"', f'qrels = "qrels"\ngrades = {grades}', 1))
    with pytest.raises(ConfigError, match=message):
        load_config(config)


def test_wrong_members_make_no_list_short(config):
    """What is told is the member, and not also that the list would be empty without it."""
    config.write_text(config.read_text().replace("sizes = [3]", "sizes = [0]"))
    with pytest.raises(ConfigError, match=r"not sound: sizes\.0: Input should be greater than or equal to 1$"):
        load_config(config)


def test_encoders_beside_the_file(tmp_path, monkeypatch):
    """A folder's path starts at the file's folder, like all paths, and results do not depend on where that lies."""
    (tmp_path / "there" / "enc").mkdir(parents=True)
    (tmp_path / "there" / "enc" / "config.json").write_text("{}")
    path = tmp_path / "there" / "a.toml"
    monkeypatch.chdir(tmp_path)
    for name, source in (("enc", str(path.parent / "enc")), ("bert", "bert"), ("org/model", "org/model")):
        path.write_text(f'name = "a"\nsizes = [4]\n[encoder]\nname = "{name}"\n[heads.pca]\nkind = "PCAProjection"\n')
        assert (load_config(path).encoder.source, load_config(path).encoder.name) == (source, name)


def test_presets_beside_the_cache(tmp_path):
    """What `make mpnet` fetched is found by the preset; what results belong to stays the preset's name."""
    path = tmp_path / "a.toml"
    path.write_text(
        'name = "a"\nsizes = [4]\n[encoder]\nname = "mpnet"\ncache = "c/embeddings"\n'
        '[heads.pca]\nkind = "PCAProjection"\n'
    )
    assert load_config(path).encoder.source == "mpnet"
    (tmp_path / "c" / "all-mpnet-base-v2").mkdir(parents=True)
    (tmp_path / "c" / "all-mpnet-base-v2" / "modules.json").write_text("[]")
    encoder = load_config(path).encoder
    assert (encoder.source, encoder.name) == (str(tmp_path / "c" / "all-mpnet-base-v2"), "mpnet")


def test_choices_count_where_they_are_made(tmp_path):
    """Results from before there was a choice keep their digests."""
    path = tmp_path / "a.toml"
    text = 'name = "a"\nsizes = [4]\n[encoder]\n{}[heads.pca]\nkind = "PCAProjection"\n'
    path.write_text(text.format(""))
    assert "autocast" not in load_config(path).encoder.model_dump()
    path.write_text(text.format('autocast = "bfloat16"\n'))
    assert load_config(path).encoder.model_dump()["autocast"] == "bfloat16"
    path.write_text(text.format('reset = "all"\n'))
    with pytest.raises(ConfigError, match="leave 0, a frozen encoder, out of layers"):
        load_config(path)
    path.write_text(text.format('reset = "all"\nlayers = ["all"]\n'))
    assert load_config(path).encoder.model_dump()["reset"] == "all"
    path.write_text(text.format("normalize = true\n"))
    assert load_config(path).encoder.model_dump()["normalize"] is True
    path.write_text(text.format('autocast = "float16"\n'))
    with pytest.raises(ConfigError, match="bfloat16"):
        load_config(path)


def test_split_of_loose_files(config):
    """It would be ignored: loose files have the judgements that qrels names."""
    config.write_text(config.read_text().replace('qrels = "qrels"', 'qrels = "qrels"\nsplit = "dev"', 1))
    with pytest.raises(ConfigError, match="split goes with dataset"):
        load_config(config)
