"""Freezing all but the last layers, or those of some numbers, for the encoders people use."""

from __future__ import annotations

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")

from hybrid_qproj import QuantumProjection, freeze_encoder  # noqa: E402
from hybrid_qproj.text.freezing import encoder_layers  # noqa: E402

SMALL = {"vocab_size": 20, "max_position_embeddings": 16}
BERT = {"hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 8}


def _models():
    return {
        "bert": lambda: transformers.BertModel(transformers.BertConfig(**SMALL, **BERT)),
        "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**SMALL, **BERT)),
        "mpnet": lambda: transformers.MPNetModel(transformers.MPNetConfig(**SMALL, **BERT)),
        "distilbert": lambda: transformers.DistilBertModel(
            transformers.DistilBertConfig(**SMALL, dim=8, n_layers=4, n_heads=2, hidden_dim=8)
        ),
    }


@pytest.mark.parametrize("name", list(_models()))
@pytest.mark.parametrize("last", [0, 1, 3, 4])
def test_only_the_last_layers_train(name, last):
    """Exactly the parameters of the last N layers stay trainable: not 0, 11, 10, 9 for N = 4."""
    model = _models()[name]()
    freeze_encoder(model, last)
    layers = encoder_layers(model)
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for layer in list(layers)[len(layers) - last :] for p in layer.parameters()}


@pytest.mark.parametrize("name", list(_models()))
@pytest.mark.parametrize("numbers", [[0, 3, 2], (1,), range(4), []])
def test_only_layers_of_these_numbers_train(name, numbers):
    """The lowest is 0, in any order."""
    model = _models()[name]()
    freeze_encoder(model, 2)
    freeze_encoder(model, numbers)
    layers = encoder_layers(model)
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for number in numbers for p in layers[number].parameters()}


def test_thaws_again():
    """A second call with more layers thaws them."""
    model = _models()["bert"]()
    freeze_encoder(model, 0)
    freeze_encoder(model, 2)
    assert [all(p.requires_grad for p in x.parameters()) for x in encoder_layers(model)] == [False, False, True, True]


def test_head_beside_the_encoder_stays_trainable():
    """In a model with a head only the encoder is frozen."""
    model = torch.nn.ModuleDict({"encoder": _models()["bert"](), "head": QuantumProjection(8, 2)})
    freeze_encoder(model, 1)
    assert all(p.requires_grad for p in model["head"].parameters())


@pytest.mark.parametrize("last", [-1, 5])
def test_out_of_range(last):
    """More layers than there are is an error that says how many there are."""
    with pytest.raises(ValueError, match="expected 0 to 4"):
        freeze_encoder(_models()["bert"](), last)


@pytest.mark.parametrize("numbers", [[4], [-1], [0, 0]])
def test_numbers_out_of_range(numbers):
    """What was given, and which numbers there are; nothing is thawed or frozen."""
    model = _models()["bert"]()
    with pytest.raises(ValueError, match=rf"trainable_layers=\[{numbers[0]}.*expected numbers of layers, 0 to 3, each"):
        freeze_encoder(model, numbers)
    assert all(p.requires_grad for p in model.parameters())


def test_no_encoder():
    """A model without a transformer inside is an error."""
    with pytest.raises(ValueError, match="found 0 stacks"):
        freeze_encoder(torch.nn.Linear(2, 2), 1)
