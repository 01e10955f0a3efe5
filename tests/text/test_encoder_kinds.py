"""Encoders of every kind that sentence-transformers knows, loaded and with a head; random tiny ones, made here."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Router, Transformer

import hybrid_qproj
from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.sbert import EncodingError, TruncateDim, with_fitted_head, with_head
from hybrid_qproj.text.encoders import EncoderError, load_encoder, set_trainable

LONG = " ".join(["a quantum cat"] * 300)
TEXTS = ["a quantum cat", "the cat sat on the mat", "a state"]
PROMPTS = {"query": "the quantum cat ", "document": "a mat on "}


@pytest.fixture
def prompted(tiny_bert, tmp_path):
    """A saved encoder with prompts for both sides, a default one, and a Normalize layer last."""
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    model = SentenceTransformer(
        modules=[*base, Normalize()],
        prompts={**PROMPTS, "else": "state state "},
        default_prompt_name="else",
        device="cpu",
    )
    model.save_pretrained(str(tmp_path / "prompted"))
    return tmp_path / "prompted"


@pytest.fixture
def routed(tiny_bert, text_models):
    """A transformer for documents, static embeddings for queries."""
    document = SentenceTransformer(str(tiny_bert), device="cpu")
    router = Router.for_query_document([text_models.static_embedding()], list(document))
    return SentenceTransformer(modules=[router], device="cpu")


@pytest.mark.parametrize(("name", "tokens"), [("roberta", 32), ("mpnet", 32), ("t5", 256), ("modernbert", 64)])
def test_text_at_the_cut(text_models, tmp_path, name, tokens):
    """A text longer than any limit is cut there: no position is missing, and what is behind the cut does not count."""
    folder = text_models.save_tiny(name, tmp_path)
    encoder = load_encoder(folder, device="cpu")
    assert encoder.max_seq_length == tokens
    model = with_head(encoder, QuantumProjection(24, 8))
    whole, longer = model.encode([LONG, f"{LONG} mat"], convert_to_tensor=True)
    torch.testing.assert_close(whole, longer)
    if tokens < 256:
        with pytest.raises(EncoderError, match=f"max_tokens={tokens + 1}: .* takes 1 to {tokens}"):
            load_encoder(folder, max_tokens=tokens + 1, device="cpu")
    # By its name alone, sentence-transformers cuts RoBERTa where its table of positions has rows, two tokens too late.
    assert with_head(str(folder), QuantumProjection(24, 8), device="cpu").encode([LONG]).shape == (1, 8)


@pytest.mark.parametrize("name", ["roberta", "t5"])
def test_layers_of_other_architectures_train(text_models, tmp_path, name):
    """The last of two layers; T5's layers are lists of two parts themselves, as many as it has layers."""
    encoder = load_encoder(text_models.save_tiny(name, tmp_path), device="cpu")
    set_trainable(encoder, 1)
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained
    assert all(".1." in name for name in trained)


def test_prompts_stay(prompted):
    """The loaded encoder embeds as the saved one does, on both sides and on none, but for the norm."""
    expected = SentenceTransformer(str(prompted), device="cpu")
    encoder = load_encoder(prompted, device="cpu")
    assert (encoder.prompts, encoder.default_prompt_name) == (expected.prompts, "else")
    assert encoder.similarity_fn_name == "cosine"
    for method in ("encode", "encode_query", "encode_document"):
        found, wanted = (getattr(m, method)(TEXTS, convert_to_tensor=True) for m in (encoder, expected))
        torch.testing.assert_close(torch.nn.functional.normalize(found, dim=1), wanted)
        assert (found.norm(dim=1) - 1).abs().min() > 1e-3


def test_head_keeps_prompts(prompted):
    """The head's input is what the encoder gives on each side."""
    encoder = load_encoder(prompted, device="cpu")
    head = QuantumProjection(24, 8)
    model = with_head(encoder, head)
    with torch.no_grad():
        for method in ("encode", "encode_query", "encode_document"):
            expected = head(getattr(encoder, method)(TEXTS, convert_to_tensor=True))
            torch.testing.assert_close(getattr(model, method)(TEXTS, convert_to_tensor=True), expected)


def test_head_is_fitted_to_documents(prompted):
    """With the documents' prompt, not the default one."""
    encoder = load_encoder(prompted, device="cpu")
    words = ["a", "quantum", "cat", "sat", "on", "the", "mat", "state"]
    texts = [" ".join(words[(i * (j + 3) + j) % 8] for j in range(2 + i % 5)) for i in range(60)]
    fitted = with_fitted_head(encoder, texts, 8).head
    expected = QuantumProjection.fit(encoder.encode_document(texts, convert_to_tensor=True).clone(), 8)
    other = QuantumProjection.fit(encoder.encode(texts, convert_to_tensor=True).clone(), 8)
    probe = torch.randn(4, 24)
    with torch.no_grad():
        torch.testing.assert_close(fitted(probe), expected(probe), atol=1e-4, rtol=0)
        assert (other(probe) - expected(probe)).abs().max() > 1e-2


def test_unit_norm_where_it_is_wanted(tiny_bert):
    """The same directions, at unit norm."""
    bare = load_encoder(tiny_bert, device="cpu").encode(["a cat", "a state"], convert_to_tensor=True)
    found = load_encoder(tiny_bert, device="cpu", normalize=True).encode(["a cat", "a state"], convert_to_tensor=True)
    torch.testing.assert_close(found, torch.nn.functional.normalize(bare, dim=1))


def test_only_the_last_normalize_goes(tiny_bert, tmp_path):
    """One between layers is part of what the encoder computes."""
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    SentenceTransformer(modules=[*base, Normalize(), Dense(24, 12), Normalize()], device="cpu").save(str(tmp_path))
    encoder = load_encoder(tmp_path, device="cpu")
    assert [type(m).__name__ for m in encoder] == ["Transformer", "Pooling", "Normalize", "Dense"]
    plain = SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS, convert_to_tensor=True)
    found = encoder.encode(TEXTS, convert_to_tensor=True)
    torch.testing.assert_close(torch.nn.functional.normalize(found, dim=1), plain)
    set_trainable(encoder, 0)
    assert not any(p.requires_grad for p in encoder.parameters())


def test_pooling_keeps_the_rest(tiny_bert, tmp_path, text_models):
    """Prompt tokens stay out of the mean where the model wants that; what does not pool is said."""
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    model = SentenceTransformer(
        modules=[base[0], Pooling(24, "mean", include_prompt=False)], prompts=PROMPTS, device="cpu"
    )
    model.save(str(tmp_path / "a"))
    encoder = load_encoder(tmp_path / "a", "max", device="cpu")
    assert encoder[1].pooling_mode == "max"
    assert not encoder[1].include_prompt
    SentenceTransformer(modules=[text_models.static_embedding()], device="cpu").save(str(tmp_path / "b"))
    with pytest.raises(EncoderError, match=r"pooling='cls': .* has no pooling layer.*StaticEmbedding"):
        load_encoder(tmp_path / "b", "cls", device="cpu")


def test_static_embeddings(tmp_path, text_models):
    """No transformer, no positions: loaded, with a head, saved, read, and trained whole or not at all."""
    SentenceTransformer(modules=[text_models.static_embedding()], device="cpu").save(str(tmp_path / "static"))
    encoder = load_encoder(tmp_path / "static", max_tokens=256, device="cpu")
    model = with_head(encoder, QuantumProjection(24, 8))
    words = encoder[0].embedding.weight
    expected = model.head(words[[5, 6, 7]].mean(dim=0, keepdim=True))
    torch.testing.assert_close(model.encode(["a quantum cat"], convert_to_tensor=True), expected)
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    again = hybrid_qproj.load(tmp_path / "model", device="cpu")
    torch.testing.assert_close(again.encode(TEXTS, convert_to_tensor=True), model.encode(TEXTS, convert_to_tensor=True))
    set_trainable(model, 0)
    assert not words.requires_grad
    assert all(p.requires_grad for p in model.head.parameters())
    set_trainable(model, "all")
    assert words.requires_grad
    with pytest.raises(ValueError, match="found 0 stacks"):
        set_trainable(model, 1)


def test_routes_for_queries_and_documents(routed, tmp_path):
    """A head behind the Router: each side through its own encoder, saved and read too."""
    routed.save(str(tmp_path / "routed"))
    encoder = load_encoder(tmp_path / "routed", max_tokens=16, device="cpu")
    model = with_head(encoder, QuantumProjection(24, 8))
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    again = hybrid_qproj.load(tmp_path / "model", device="cpu")
    with torch.no_grad():
        for method in ("encode_query", "encode_document"):
            expected = model.head(getattr(routed, method)(TEXTS, convert_to_tensor=True))
            torch.testing.assert_close(getattr(model, method)(TEXTS, convert_to_tensor=True), expected)
            torch.testing.assert_close(getattr(again, method)(TEXTS, convert_to_tensor=True), expected)
    assert not torch.allclose(*(m(TEXTS, convert_to_tensor=True) for m in (model.encode_query, model.encode_document)))
    set_trainable(model, 1)
    trained = {name for name, p in model.named_parameters() if p.requires_grad and not name.startswith("1.")}
    assert trained
    assert all("document" in name and "layer.2" in name for name in trained)


def test_routes_of_two_widths_are_seen_when_the_head_is_put_on(tiny_bert, text_models):
    """The Router reports the first route's width only."""
    document = SentenceTransformer(str(tiny_bert), device="cpu")
    router = Router.for_query_document([text_models.static_embedding(16)], list(document))
    with pytest.raises(EncodingError, match="gives queries 16 numbers and documents 24; a head takes one width"):
        with_head(SentenceTransformer(modules=[router], device="cpu"), QuantumProjection(16, 8))


def test_truncated_encoder(tiny_bert, tmp_path):
    """The head takes what ``encode`` returns, and gives all of its own outputs."""
    SentenceTransformer(str(tiny_bert), truncate_dim=12, device="cpu").save(str(tmp_path / "cut"))
    encoder = load_encoder(tmp_path / "cut", device="cpu")
    assert encoder.truncate_dim == 12
    with pytest.raises(ValueError, match="the encoder gives 12 numbers, the head takes 24"):
        with_head(encoder, QuantumProjection(24, 8))
    model = with_head(encoder, QuantumProjection(12, 8))
    assert [type(m).__name__ for m in model] == ["Transformer", "Pooling", "TruncateDim", "ProjectionHead"]
    with torch.no_grad():
        expected = model.head(encoder.encode(TEXTS, convert_to_tensor=True))
    torch.testing.assert_close(model.encode(TEXTS, convert_to_tensor=True), expected)
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    again = hybrid_qproj.load(tmp_path / "model", device="cpu")
    assert isinstance(again[2], TruncateDim)
    torch.testing.assert_close(again.encode(TEXTS, convert_to_tensor=True), expected)
    assert with_fitted_head(encoder, [LONG, *TEXTS], 3).head.in_features == 12


def test_width_that_the_model_does_not_know(tiny_bert):
    """A layer that says nothing of its width, or a wrong one: a word is encoded."""

    class Halved(torch.nn.Module):
        def forward(self, features):
            features["sentence_embedding"] = features["sentence_embedding"][:, :12]
            return features

    encoder = SentenceTransformer(modules=[*SentenceTransformer(str(tiny_bert), device="cpu"), Halved()], device="cpu")
    encoder.train()
    with pytest.raises(ValueError, match="the encoder gives 12 numbers, the head takes 24"):
        with_head(encoder, QuantumProjection(24, 8))
    assert encoder.training
    assert encoder[0].training
    assert with_head(encoder, QuantumProjection(12, 8)).encode(TEXTS).shape == (3, 8)


def test_no_texts(tiny_bert):
    """What takes no texts cannot have a head, and says so at once."""

    class Images(torch.nn.Module):
        modalities = ("image",)

        def preprocess(self, inputs, **_):
            raise RuntimeError("pictures only")

    with pytest.raises(EncodingError, match="the encoder cannot embed a text"):
        with_head(SentenceTransformer(modules=[Images()], device="cpu"), QuantumProjection(24, 8))


def test_encoder_that_has_a_head(tiny_bert, tmp_path):
    """Loading says what to do; a second head takes the outputs of the first."""
    model = with_head(str(tiny_bert), ClassicalProjection(24, 12), device="cpu")
    model.save_pretrained(str(tmp_path), create_model_card=False)
    with pytest.raises(EncoderError, match=r"has a head already; load it with hybrid_qproj\.load"):
        load_encoder(tmp_path, device="cpu")
    assert with_head(model, QuantumProjection(12, 4)).encode(TEXTS).shape == (3, 4)


def test_all_else_stays(tiny_bert):
    """Card data, names and keywords of modules, and the backend go along."""
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    base.model_card_data.language, base.model_card_data.license = ["la"], "mit"
    base.module_kwargs = {"0": ["task"]}
    model = with_head(base, QuantumProjection(24, 8))
    assert (model.model_card_data.language, model.model_card_data.license) == (["la"], "mit")
    assert model.module_kwargs == {"0": ["task"], "1": []}
    assert "task" in model.get_model_kwargs()
    assert [name for name, _ in model.named_children()] == ["0", "1", "2"]
    assert isinstance(model[0], Transformer)


def test_saved_prompts_are_the_encoders(prompted, tmp_path):
    """The model's folder says the same prompts as the encoder's."""
    model = with_head(load_encoder(prompted, device="cpu"), QuantumProjection(24, 8))
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    settings = json.loads((tmp_path / "model" / "config_sentence_transformers.json").read_text())
    assert settings["prompts"] == {**PROMPTS, "else": "state state "}
    assert settings["default_prompt_name"] == "else"
