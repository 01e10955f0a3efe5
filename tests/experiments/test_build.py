"""Heads of an experiment by what their classes state: one of somebody's own goes through like any other."""

from __future__ import annotations

import pickle

import pytest
import torch

pytest.importorskip("pydantic", reason="needs the extra 'train'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj import ClassicalProjection, CoherentProjection
from hybrid_qproj.experiments.build import build_head, fit_head, is_fitted, is_random
from hybrid_qproj.experiments.cells import cells
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.experiments.data import read_data
from hybrid_qproj.experiments.grid import run_cells
from hybrid_qproj.experiments.records import read_records
from hybrid_qproj.heads import registry
from hybrid_qproj.heads.linear import trainable_parameters

OWN = """
[heads.mine]
kind = "my loudest"
args = { gain = 2.0 }
fit = { power = 4 }
sample = 20
"""


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_compares_a_head_of_ones_own(register, loudest, tmp_path, tiny_bert, write_experiment):
    """Read from the configuration, fitted to the texts with its settings, evaluated, recorded."""
    path = write_experiment(tmp_path, tiny_bert)
    path.write_text(path.read_text() + OWN)
    with pytest.raises(ConfigError, match=r"heads.mine: no head 'my loudest'; expected one of QuantumProjection"):
        load_config(path)
    register(loudest)
    config = load_config(path)
    data = read_data(config)
    todo = [cell for cell in cells(config, data.width) if cell.head == "mine"]
    assert [(cell.objective, cell.seed) for cell in todo] == [("", 0), ("", 1)]
    run_cells(todo, config, data, tmp_path / "out", workers=1)
    assert {record.cell for record in read_records(tmp_path / "out")} == set(todo)
    embeddings = torch.randn(30, 24)
    with pytest.raises(ConfigError, match="fit: no keyword 'powre'; did you mean 'power'"):
        load_config(changed(path, "power", "powre"))
    with pytest.raises(ConfigError, match="args: no keyword 'gian'; did you mean 'gain'"):
        load_config(changed(changed(path, "powre", "power"), "gain", "gian"))
    with pytest.raises(ConfigError, match=r"head 'mine' .* cannot be built: it has nothing to train, so tune"):
        build_head(load_config(changed(path, "gian = 2.0 }", "gain = 2.0 }\ntune = true")), "mine", 24, 3)
    expected = loudest.fit(embeddings, 3, loudest.fitting.settings(power=4), gain=2.0)
    found = fit_head(load_config(changed(path, "tune = true\n", "")), "mine", 3, embeddings[:20])
    assert found.gain == 2.0
    assert type(found) is type(expected)


def test_a_worker_needs_no_registration(register, loudest, tmp_path, write_experiment, monkeypatch):
    """It gets the class with the configuration: names are looked up in one process."""
    path = write_experiment(tmp_path, tmp_path)
    path.write_text(path.read_text() + OWN)
    register(loudest)
    sent = pickle.dumps(load_config(path))
    monkeypatch.setattr(registry, "_HEADS", {})
    received = pickle.loads(sent)  # noqa: S301 - our own
    assert type(build_head(received, "mine", 24, 3)) is loudest
    assert is_fitted(received, "mine")


def test_what_only_a_fit_takes(tmp_path, write_experiment):
    """A fitted head's cells are counted, and it is made, with keywords that no constructor has."""
    path = write_experiment(tmp_path, tmp_path)
    path.write_text(
        f'{path.read_text()}[heads.corrected]\nkind = "QuantumProjection"\nfit = {{}}\n'
        'args = { circuit = "rotor", corrections = 1, device = "default.qubit?shots=50&seed=1" }\n'
    )
    config = load_config(path)
    assert [cell.head for cell in cells(config, 24)].count("corrected") == 1
    assert trainable_parameters(fit_head(config, "corrected", 3, torch.randn(30, 24))) == 0


def test_seeds_draw_from_their_own_generator(tmp_path, write_experiment):
    """A linear head of a seed is torch's of that seed, and nothing outside is disturbed."""
    config = load_config(write_experiment(tmp_path, tmp_path))
    before = torch.get_rng_state()
    head = build_head(config, "linear", 24, 3, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    layer = torch.nn.Linear(24, 3)
    assert torch.equal(head.linear.weight, layer.weight)
    assert torch.equal(head.linear.bias, layer.bias)
    torch.manual_seed(7)
    assert torch.equal(ClassicalProjection(24, 3).linear.weight, layer.weight)
    assert [is_random(config, name) for name in ("full", "PCA", "random", "quantum")] == [False, False, True, True]


def test_settings_belong_to_those_that_have_them(tmp_path, write_experiment):
    """What a head of no circuits calls a device, and a fit that a class has not."""
    for table, message in [
        ('kind = "CoherentProjection"\nfit = {}', "fit is for QuantumProjection; got CoherentProjection"),
        (
            'kind = "PCAProjection"\nparameters_of = "quantum"',
            "PCAProjection takes no parameters_of; that is for LowRankLinear",
        ),
        (
            'kind = "LowRankLinear"\nargs = { rank = 2 }\nparameters_of = "quantum"',
            "LowRankLinear needs args.rank or parameters_of, and not both",
        ),
        (
            'kind = "Truncation"\nsample = 3',
            "for heads that are fitted to texts: PCAProjection, and QuantumProjection with fit",
        ),
        ('kind = "PCAProjection"\nargs = { device = "default.qubit" }', "args: no keyword 'device'"),
    ]:
        path = write_experiment(tmp_path, tmp_path)
        path.write_text(f"{path.read_text()}[heads.odd]\n{table}\n")
        with pytest.raises(ConfigError, match=message):
            load_config(path)
    assert CoherentProjection.fitting is None


def test_a_head_that_stays_as_it_starts(tmp_path, tiny_bert, write_experiment):
    """Untrained, a cell a seed where its start is random; a fitted one is told what it wants."""
    path = write_experiment(tmp_path, tiny_bert)
    text = path.read_text()
    path.write_text(text + '\n[heads.start]\nkind = "ClassicalProjection"\nfrozen = true\n')
    config = load_config(path)
    assert all("frozen" not in head.model_dump() for name, head in config.heads.items() if name != "start")
    assert config.heads["start"].model_dump()["frozen"] is True
    assert trainable_parameters(build_head(config, "start", 24, 4)) == 0
    mine = [cell for cell in cells(config, 24) if cell.head == "start"]
    assert len(mine) == config.seeds * len(config.sizes)
    assert {cell.objective for cell in mine} == {""}
    path.write_text(text + '\n[heads.start]\nkind = "PCAProjection"\nfrozen = true\n')
    with pytest.raises(ConfigError, match="frozen is for heads that are not fitted"):
        load_config(path)
