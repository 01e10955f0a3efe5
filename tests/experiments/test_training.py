"""What a cell trains on and is watched by."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "pytrec_eval"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.errors import DataError  # noqa: E402
from hybrid_qproj.experiments import training  # noqa: E402
from hybrid_qproj.experiments.cells import cells  # noqa: E402
from hybrid_qproj.experiments.config import load_config  # noqa: E402
from hybrid_qproj.experiments.data import read_data  # noqa: E402
from hybrid_qproj.experiments.grid import run_cells  # noqa: E402
from hybrid_qproj.experiments.records import read_records  # noqa: E402
from hybrid_qproj.retrieval.examples import Example  # noqa: E402
from hybrid_qproj.training.settings import Losses  # noqa: E402

EXAMPLES = tuple(Example(f"q{number}", f"p{number}", (f"n{number}",)) for number in range(10))
LABELS = "negatives = 2"


def load(path, **changes):
    """The small experiment, with other lines in place of some."""
    text = path.read_text()
    for old, new in {LABELS: LABELS, **changes}.items():
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return load_config(path)


@pytest.fixture
def seen(monkeypatch):
    """What would be trained on, and the watch, of each cell in turn."""
    calls = []

    def train(model, datasets, objectives, settings, folder, seed, evaluator, keep, watch, code=None):
        calls.append(({name: dict(dataset[:]) for name, dataset in datasets.items()}, settings, watch))
        return Losses(2.0, 1.0)

    monkeypatch.setattr(training, "train", train)
    return calls


def pretend(config, queries, seen, tmp_path, objective="labels", seed=3):
    """Train the quantum head's cell, as far as the trainer."""
    cell = next(c for c in cells(config, 24) if c.head == "quantum" and c.objective == objective)
    data = SimpleNamespace(examples=EXAMPLES, texts=("a", "b"), tests=(), dev=None)
    model = [SimpleNamespace()]
    found = training.train_cell(model, cell._replace(queries=queries, seed=seed), config, data, tmp_path, keep=False)
    return found, *seen.pop()


def test_validation_queries_are_not_trained_on(tmp_path, write_experiment, seen):
    """Each seed draws both; the queries are those that it would train on without validation."""
    config = load(write_experiment(tmp_path, tmp_path), **{LABELS: f"{LABELS}\nvalidation = 0.5"})
    found, datasets, _, watch = pretend(config, 4, seen, tmp_path)
    assert list(watch.validation) == list(datasets["labels"]) == ["query", "positive", "negative_1"]
    train, held_out = set(datasets["labels"]["query"]), set(watch.validation["query"])
    assert (len(train), len(held_out), train & held_out) == (4, 2, set())
    assert (found.loss, found.epochs, watch.tests) == ((2.0, 1.0), [], ())
    _, others, _, _ = pretend(config, 4, seen, tmp_path, seed=4)
    assert set(others["labels"]["query"]) != train
    with pytest.raises(DataError, match="8 training queries and 4 for validation were asked for; there are 10"):
        pretend(config, 8, seen, tmp_path)


def test_without_validation(tmp_path, write_experiment, seen):
    """Nothing is watched, and the same queries are trained on."""
    plain, datasets, settings, watch = pretend(load(write_experiment(tmp_path, tmp_path)), 4, seen, tmp_path)
    assert (plain.epochs, watch) == (None, None)
    held_out = load(tmp_path / "config.toml", **{LABELS: f"{LABELS}\nvalidation = 2"})
    _, others, _, _ = pretend(held_out, 4, seen, tmp_path)
    assert others == datasets
    rate = "training = { learning_rate = 5e-2 }"
    changed = load(tmp_path / "config.toml", **{rate: f"{rate}\ntraining_at = {{ 3 = {{ steps = 9 }} }}"})
    assert (settings.steps, pretend(changed, 4, seen, tmp_path)[2].steps) == (4, 9)


def test_epochs_are_recorded(tmp_path, tiny_bert, write_experiment):
    """Of cells that train, with what there is: no validation without labels."""
    path = write_experiment(tmp_path, tiny_bert)
    config = load(
        path,
        **{
            "seeds = 2": "seeds = 1\neach_epoch = true",
            "fractions = [2, 4]": "fractions = [2]",
            "steps = 4": "epochs = 2",
            LABELS: f"{LABELS}\nvalidation = 2",
            "[objectives.both]\nlabels = { log = true }": "[objectives.texts]",
        },
    )
    data = read_data(config)
    todo = [cell for cell in cells(config, data.width) if cell.head in ("full", "linear")]
    run_cells(todo, config, data, tmp_path / "out", workers=1)
    records = {record.cell.objective: record for record in read_records(tmp_path / "out")}
    assert records[""].epochs is None
    for objective in ("labels", "texts"):
        record = records[objective]
        assert [epoch.epoch for epoch in record.epochs] == [1, 2]
        assert record.epochs[-1].measures == record.measures
        assert all((epoch.validation is None) == (objective == "texts") for epoch in record.epochs)
