"""Fingerprints: equal where outputs are equal, wherever the model lies; another for whatever changes an output."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

import hybrid_qproj
from hybrid_qproj import ClassicalProjection, QuantumProjection, circuits
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.heads.linear import PCAProjection, Truncation
from hybrid_qproj.heads.registry import load_head
from hybrid_qproj.plan import Plan, tree
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint


def head(**changes):
    torch.manual_seed(0)
    return QuantumProjection(8, 2, **{"circuit": "rotor", "scale": 2.0, **changes})


def test_survives_saving_copying_and_dtype_of_nothing(tmp_path):
    """The same head from a folder, as a copy, on another exact device or in the other mode."""
    expected = head_fingerprint(head())
    head().save(tmp_path / "a")
    assert head_fingerprint(QuantumProjection.load(tmp_path / "a")) == expected
    assert head_fingerprint(copy.deepcopy(head())) == expected
    assert head_fingerprint(head().to_device("lightning.qubit?mode=direct")) == expected
    assert head_fingerprint(head(learn_scale=False)) == expected
    assert len(expected) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"circuit": "free_rotor"},
        {"plan": "tree"},
        {"scale": 3.0},
        {"scale": None},
        {"normalize": True},
        {"normalize_output": True},
        {"device": "default.qubit?shots=100"},
        {"device": "default.mixed?noise=depolarizing:0.01"},
    ],
)
def test_whatever_changes_outputs_changes_it(changes):
    """Circuit, plan, encoding, options, and a device that adds to the numbers."""
    assert head_fingerprint(head(**changes)) != head_fingerprint(head())


def test_weights_class_and_name_of_the_plan():
    """A changed weight and another class count; what people call the plan does not."""
    changed = head()
    with torch.no_grad():
        changed.stages[0].weights[0, 0] += 1e-3
    assert head_fingerprint(changed) != head_fingerprint(head())
    torch.manual_seed(0)
    assert head_fingerprint(CoherentProjection(8, 2, "rotor", scale=2.0)) != head_fingerprint(head())
    plan = tree(8, 2)
    renamed = Plan(plan.features, plan.stages, plan.output, "mine")
    assert head_fingerprint(head(plan=plan)) == head_fingerprint(head(plan=renamed))


def test_of_an_ansatz_that_nobody_can_find():
    """A head that cannot be saved has an identity all the same."""
    nameless = dataclasses.replace(circuits.get("rotor"), name="nameless")
    assert head_fingerprint(head(circuit=nameless)) == head_fingerprint(head(circuit=nameless))
    assert head_fingerprint(head(circuit=nameless)) != head_fingerprint(head())


FORMER = {
    "classical": "dfa81b416a2122327002fd32207a7170",
    "coherent": "6575902ef97f7a1b3fdd6c48f307719d",
    "fitted": "6ae118cb1913f719b38e59d07a22f9f2",
    "pca": "a2c07c326f3d0a3a55ed6c2fe924f41f",
    "uncompressed": "ab113a1f866f761cf84eeb9bf9f4584c",
}


@pytest.mark.parametrize("name", FORMER)
def test_stays_what_it_was(name):
    """Indexes and calibrations of former versions are bound to it."""
    saved = load_head(Path(__file__).parents[1] / "data" / "667a48f" / "heads" / name)
    assert head_fingerprint(saved) == FORMER[name]


def test_classical_heads():
    """Sizes, options and fitted buffers."""
    assert head_fingerprint(Truncation(8, 2)) != head_fingerprint(Truncation(8, 3))
    assert head_fingerprint(PCAProjection(8, 2)) != head_fingerprint(PCAProjection(8, 2, center=False))
    assert head_fingerprint(PCAProjection(8, 2)) != head_fingerprint(PCAProjection(8, 2).fit(torch.randn(9, 8)))
    assert head_fingerprint(ClassicalProjection(8, 2)) != head_fingerprint(ClassicalProjection(8, 2))


def test_measured_responses_and_the_circuits_alone():
    """A calibration changes what the head gives, but not what was calibrated; the device drops out."""
    measured, noisy = head(), head(device="default.mixed?noise=depolarizing:0.01")
    measured.use_responses(measured.block_weights().double(), 0.9 * torch.cat(measured.responses()).double())
    assert len({head_fingerprint(h) for h in (measured, noisy, head())}) == 3
    assert len({head_fingerprint(h, device=False) for h in (measured, noisy, head())}) == 1


class TestModels:
    """Encoders with a head."""

    @pytest.fixture
    def encoder(self, tiny_bert):
        sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
        torch.manual_seed(0)
        return sbert.with_head(str(tiny_bert), QuantumProjection(24, 8, scale=2.0), device="cpu")

    def test_folder_says_nothing(self, encoder, tmp_path):
        """Saved, moved, loaded by another path: one identity, also after it encoded."""
        expected = encoder_fingerprint(encoder)
        encoder.save_pretrained(str(tmp_path / "M"))
        assert encoder_fingerprint(hybrid_qproj.load(tmp_path / "M", device="cpu")) == expected
        shutil.move(tmp_path / "M", tmp_path / "elsewhere")
        moved = hybrid_qproj.load(tmp_path / "elsewhere", device="cpu")
        moved.encode(["a cat", "the cat sat on the mat"])
        assert encoder_fingerprint(moved) == expected

    @pytest.mark.parametrize(
        "change",
        [
            lambda e: e.head.stages[0].weights.data.add_(1e-3),
            lambda e: e[0].model.embeddings.word_embeddings.weight.data.add_(1e-3),
            lambda e: setattr(e[0].model.config, "hidden_act", "relu"),
            lambda e: setattr(e[0].model.config, "num_attention_heads", 4),
            lambda e: setattr(e[1], "pooling_mode", "cls"),
            lambda e: setattr(e, "max_seq_length", 5),
            lambda e: e.prompts.update(query="a "),
            lambda e: setattr(e, "truncate_dim", 4),
            lambda e: e.tokenizer.add_tokens(["new"]),
            lambda e: setattr(e[2], "head", QuantumProjection(24, 8, plan="tree", scale=2.0)),
        ],
        ids=["head", "weights", "activation", "attention", "pooling", "cut", "prompt", "truncated", "token", "plan"],
    )
    def test_whatever_changes_outputs_changes_it(self, encoder, change):
        """Of the encoder too, also what its weights do not show."""
        expected = encoder_fingerprint(encoder)
        change(encoder)
        assert encoder_fingerprint(encoder) != expected
