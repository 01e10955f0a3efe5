"""Random weights again: of the layers that were named, by the seed, and of nothing else."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.text.encoders import load_encoder
from hybrid_qproj.text.freezing import EncoderError, encoder_layers
from hybrid_qproj.text.resetting import reset_layers


def weights(encoder):
    return {name: tensor.detach().clone() for name, tensor in encoder.state_dict().items()}


def changed(encoder, before):
    return {name for name, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.fixture
def encoder(tiny_bert):
    encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(3.0)
    return encoder


def test_last_layers_alone(encoder):
    """Weights, biases and norms of the last two; as an untrained layer has them."""
    before = weights(encoder)
    state = torch.get_rng_state()
    reset_layers(encoder, 2, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    last = {name for name in before if ".layer.1." in name or ".layer.2." in name}
    assert changed(encoder, before) == last
    layer = encoder_layers(encoder)[2]
    assert layer.output.LayerNorm.weight.eq(1).all()
    assert layer.output.dense.bias.eq(0).all()
    assert layer.output.dense.weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_everything(encoder):
    """Embeddings too."""
    before = weights(encoder)
    reset_layers(encoder, "all")
    assert changed(encoder, before) == set(before)


def test_by_the_seed(encoder):
    """The same again, and another with another."""
    found = []
    for seed in (1, 1, 2):
        reset_layers(encoder, "all", seed)
        found.append(weights(encoder))
    assert not changed(encoder, found[2])
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert any(not torch.equal(found[0][name], found[2][name]) for name in found[0])


@pytest.mark.parametrize("layers", [-1, 4, True, "some"])
def test_layers_that_are_not_there(encoder, layers):
    """The message says how many there are."""
    with pytest.raises(EncoderError, match="expected 0 to 3, or 'all'"):
        reset_layers(encoder, layers)
