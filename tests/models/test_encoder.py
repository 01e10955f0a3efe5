"""A head's similarity is the one that a model and its codes compare by, or the caller is refused."""

from __future__ import annotations

import inspect
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.util import quantize_embeddings

import hybrid_qproj
from helpers.short_texts import TEXTS
from hybrid_qproj import QuantumProjection, pairwise_log_fidelity
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.models.head_card import with_head_section
from hybrid_qproj.models.record import RECORD
from hybrid_qproj.sbert import Encoder, EncodingError, with_head
from hybrid_qproj.similarity.quantization import CODES, PRECISIONS, QuantizationError, dequantize, quantize


def test_loaded_by_the_library(encoder, angles, tmp_path):
    """With its trust flag, from a folder of today and from one that says cosine, as older ones do."""
    encoder.save_pretrained(str(tmp_path))
    # Older folders have none, and may be edited.
    (tmp_path / RECORD).unlink()
    config = tmp_path / "config_sentence_transformers.json"
    saved = json.loads(config.read_text())
    assert saved["similarity_fn_name"] == "log_fidelity"
    for name in ("log_fidelity", "cosine"):
        config.write_text(json.dumps({**saved, "similarity_fn_name": name}))
        loaded = SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")
        torch.testing.assert_close(loaded.similarity(angles, angles), pairwise_log_fidelity(angles, angles))
        assert hybrid_qproj.load(tmp_path, device="cpu").similarity_fn_name == "log_fidelity"


@pytest.mark.parametrize(("name", "words"), [("encoder", "Log-fidelity"), ("coherent", "mixed states")])
def test_model_card(request, name, words, tmp_path):
    """The card names the similarity, shows scores of it, and loads the model without trusting code."""
    request.getfixturevalue(name).save_pretrained(str(tmp_path))
    card = (tmp_path / "README.md").read_text()
    assert words in card
    assert "Cosine Similarity" not in card
    assert 'hybrid_qproj.load("' in card
    assert "from sentence_transformers import SentenceTransformer" not in card


def test_card_says_what_the_head_is(encoder, tmp_path):
    """Once, however often it is saved, with what to install and a tag."""
    encoder.model_card_data.made_by = "drawn by hand"
    for _ in range(2):
        encoder.save_pretrained(str(tmp_path))
    card = (tmp_path / "README.md").read_text()
    head = encoder.head
    assert card.count("## Projection head") == 1
    for words in (
        f"QuantumProjection, {head.in_features} → {head.out_features} (k)",
        f"- **Circuit:** {head.circuit}",
        f"- **Plan:** {head.plan.name}: {head.plan.blocks:,} blocks",
        f"{sum(p.numel() for p in head.parameters()):,} trained",
        f"{4 * head.out_features} bytes as float32",
        "How it was made:** drawn by hand",
        "`hybrid_qproj.log_fidelity`",
        'pip install "hybrid-qproj[text]"',
        "\n- hybrid-qproj\n",
    ):
        assert words in card
    assert "pip install -U sentence-transformers" not in card


def test_the_section_takes_the_place_of_an_older_one(encoder):
    """In a card that people have edited, whatever headings it has left."""
    for card in ("# Ours\n", "# Ours\n\n## Usage\nso\n"):
        text = with_head_section(with_head_section(card, encoder.head), encoder.head, "anew")
        assert text.startswith("# Ours\n")
        assert (text.count("## Projection head"), text.count("anew")) == (1, 1)
        assert text.count("## Usage") == card.count("## Usage")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: apache-2.0\n---\n# Base\n", "apache-2.0"),
        ("# none\n", None),
        (None, None),
        ("---\nlicense: [a, b]\n---\n", None),
        ("---\n: {\n---\n", None),
    ],
)
def test_the_licence_is_the_encoders(tiny_bert, text, expected):
    """From its README, whatever stands there."""
    plain = SentenceTransformer(str(tiny_bert), device="cpu")
    plain._model_card_text = text
    assert with_head(plain, QuantumProjection(24, 8)).model_card_data.license == expected


def test_classical_card(classical, tmp_path):
    """A classical head is compared by cosine, and its card says so."""
    classical.save_pretrained(str(tmp_path))
    assert "Cosine Similarity" in (tmp_path / "README.md").read_text()


def test_similarity_cannot_be_renamed(encoder, classical):
    """Asking for another one is refused; asking for the right one, or for none, is not."""
    with pytest.raises(EncodingError, match="similarity_fn_name='cosine': this model's similarity is its head's"):
        encoder.similarity_fn_name = "cosine"
    with pytest.raises(EncodingError, match="'dot'"):
        Encoder(modules=list(classical), similarity_fn_name="dot", device="cpu")
    encoder.similarity_fn_name = None
    classical.similarity_fn_name = "cosine"
    assert (encoder.similarity_fn_name, classical.similarity_fn_name) == ("log_fidelity", "cosine")


def test_name_counts_as_none(encoder):
    """MTEB takes a true name for one of its own; without one it calls the model's similarity."""
    assert not encoder.similarity_fn_name
    assert json.dumps({"name": encoder.similarity_fn_name}) == '{"name": "log_fidelity"}'


def test_normalized_embeddings_are_refused(encoder, coherent, classical):
    """Angles of unit norm are no angles; vectors of unit norm are vectors."""
    for model in (encoder, coherent):
        for method in (model.encode, model.encode_query, model.encode_document):
            with pytest.raises(EncodingError, match="normalize_embeddings=True: outputs of unit norm"):
                method(TEXTS[:2], normalize_embeddings=True)
    assert np.linalg.norm(classical.encode(TEXTS[0], normalize_embeddings=True)) == pytest.approx(1)


def test_truncation(encoder, coherent, tiny_bert, angles):
    """The first angles are the state of the first qubits; normalised angles and Bloch vectors cannot be cut."""
    short = encoder.encode(TEXTS, truncate_dim=5, convert_to_tensor=True)
    torch.testing.assert_close(short, angles[:, :5])
    torch.testing.assert_close(encoder.similarity(short, short), pairwise_log_fidelity(angles[:, :5], angles[:, :5]))
    normalised = with_head(str(tiny_bert), QuantumProjection(24, 8, normalize_output=True), device="cpu")
    for model, what in ((normalised, "angles that are normalised together"), (coherent, "Bloch vectors")):
        with pytest.raises(EncodingError, match=f"truncate_dim=5: of .* {what}.*make a head of 5 outputs"):
            model.encode(TEXTS, truncate_dim=5)
        with pytest.raises(EncodingError, match="truncate_dim=3"), model.truncate_embeddings(3):
            model.encode(TEXTS)
    with pytest.raises(EncodingError, match="give a number of outputs"):
        encoder.encode(TEXTS, truncate_dim=-1)


def test_saved_truncation(encoder, angles, tmp_path):
    """A model that cuts its outputs cuts them after it was saved, whoever loads it."""
    encoder.truncate_dim = 5
    encoder.save_pretrained(str(tmp_path), create_model_card=False)
    for loaded in (hybrid_qproj.load(tmp_path, device="cpu"), Encoder(str(tmp_path), trust_remote_code=True)):
        assert loaded.truncate_dim == 5
        torch.testing.assert_close(loaded.encode(TEXTS, convert_to_tensor=True).cpu(), angles[:, :5])
    config = tmp_path / "config_sentence_transformers.json"
    (tmp_path / RECORD).unlink()
    for value in (0, -1, True, "5"):
        config.write_text(json.dumps({**json.loads(config.read_text()), "truncate_dim": value}))
        with pytest.raises(CheckpointError, match="truncate_dim is no number of outputs"):
            hybrid_qproj.load(tmp_path, device="cpu")


def test_embeddings_in_other_forms(encoder, angles):
    """Arrays in reverse order are arrays; codes that lost their type in a list are neither outputs nor codes."""
    expected = pairwise_log_fidelity(angles.flip(0), angles)
    torch.testing.assert_close(encoder.similarity(angles.numpy()[::-1], angles), expected)
    codes = encoder.encode(TEXTS, precision="int8").tolist()
    with pytest.raises(EncodingError, match=r"got embeddings of torch\.int64: neither outputs nor codes"):
        encoder.similarity(codes, codes)
    assert encoder.similarity(np.array(codes, dtype=np.int8), angles).shape == (40, 40)


def test_head_on_a_head(classical, tmp_path):
    """A linear head before a quantum one: compared by the last, loaded as saved."""
    model = with_head(classical, QuantumProjection(8, 3, init="random"))
    angles = model.encode(TEXTS, convert_to_tensor=True)
    torch.testing.assert_close(model.similarity(angles, angles), pairwise_log_fidelity(angles, angles))
    with torch.no_grad():
        torch.testing.assert_close(model.head(classical.encode(TEXTS, convert_to_tensor=True)), angles)
    model.save_pretrained(str(tmp_path), create_model_card=False)
    again = hybrid_qproj.load(tmp_path, device="cpu")
    torch.testing.assert_close(again.encode(TEXTS, convert_to_tensor=True), angles)


def test_encode_is_the_librarys(encoder, angles):
    """Its arguments, by name or place."""
    assert inspect.signature(Encoder.encode) == inspect.signature(SentenceTransformer.encode)
    found = encoder.encode(TEXTS, None, None, 7, False, "sentence_embedding", "uint8")
    assert (found == encoder.encode(TEXTS, precision="uint8")).all()
    with pytest.raises(EncodingError, match="normalize_embeddings=True"):
        encoder.encode(TEXTS, None, None, 7, False, "sentence_embedding", "float32", True, False, None, True)


def test_one_text_and_tokens(encoder, angles):
    """A single string gives a vector, a list of tensors stays one, and tokens come from before the head."""
    assert encoder.encode(TEXTS[0]).shape == (8,)
    found = encoder.encode(TEXTS[:2], convert_to_numpy=False)
    torch.testing.assert_close(torch.stack(found), angles[:2])
    assert encoder.similarity(found, angles).shape == (2, 40)
    assert [len(row) for row in encoder.encode(TEXTS[:2], output_value="token_embeddings")] == [5, 5]
    with pytest.raises(EncodingError, match="precision='int8' is for sentence embeddings"):
        encoder.encode(TEXTS[:2], output_value="token_embeddings", precision="int8")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["encoder", "fitted", "coherent"])
def test_codes_score_as_their_embeddings(request, name, precision):
    """Bytes keep the scores; bits tell texts apart and correlate. A code and an embedding are compared as well."""
    model = request.getfixturevalue(name)
    outputs = model.encode(TEXTS, convert_to_tensor=True)
    codes = model.encode(TEXTS, precision=precision)
    bits = precision.endswith("binary")
    assert codes.dtype == (np.int8 if precision in ("int8", "binary") else np.uint8)
    assert codes.shape == (40, math.ceil(outputs.shape[1] / 8) if bits else outputs.shape[1])
    different = ~torch.eye(40, dtype=torch.bool)
    expected = model.similarity(outputs, outputs)[different].numpy()
    for scores in (model.similarity(codes, codes), model.similarity(outputs, codes), model.similarity(codes, outputs)):
        # Bits say little of a head whose angles lie on one side of pi/2, as random ones may.
        least = (0.3 if name == "fitted" else -1) if bits else 0.99
        assert np.corrcoef(scores[different].numpy(), expected)[0, 1] > least
    torch.testing.assert_close(model.similarity_pairwise(codes, codes), model.similarity(codes, codes).diagonal())
    assert torch.equal(model.encode(TEXTS, precision=precision, convert_to_tensor=True), torch.from_numpy(codes))
    assert (model.encode(TEXTS[3], precision=precision) == codes[3]).all()
    as_list = model.encode(TEXTS[:2], precision=precision, convert_to_numpy=False)
    assert torch.equal(torch.stack(as_list), torch.from_numpy(codes[:2]))
    if name == "fitted":
        assert len({code.tobytes() for code in codes}) > (8 if bits else 35)
        # By hand: 0 is the least code, pi the greatest.
        exact = np.rint(outputs.numpy() / np.pi * 255)
        found = np.unpackbits(codes.view(np.uint8) ^ (0x80 if precision == "binary" else 0), axis=1, count=12)
        if bits:
            assert (found == (outputs.numpy() > np.pi / 2)).all()
        else:
            assert np.abs(codes.astype(int) + (128 if precision == "int8" else 0) - exact).max() <= 1


def test_codes_of_classical_heads_are_the_librarys(classical):
    """Their numbers have both signs and compare by cosine."""
    expected = quantize_embeddings(classical.encode(TEXTS), "int8")
    assert (classical.encode(TEXTS, precision="int8") == expected).all()


def test_codes_that_are_none(encoder):
    """Of another width, and with a width that similarity could not know."""
    codes = encoder.encode(TEXTS, precision="int8")
    with pytest.raises(
        QuantizationError, match=r"codes of width 7; the model gives 8 bytes, or bits packed in 1 bytes"
    ):
        encoder.similarity(codes[:, :7], codes)
    with pytest.raises(EncodingError, match=r"set model\.truncate_dim = 5"):
        encoder.encode(TEXTS, precision="int8", truncate_dim=5)
    with encoder.truncate_embeddings(5):
        short = encoder.encode(TEXTS, precision="int8")
        assert short.shape == (40, 5)
        expected = encoder.similarity(*[encoder.encode(TEXTS)] * 2)
        assert np.corrcoef(encoder.similarity(short, short).flatten(), expected.flatten())[0, 1] > 0.99


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(CODES)),
    st.sampled_from(PRECISIONS),
    st.lists(st.floats(-1, 1), min_size=2, max_size=20),
)
def test_codes_come_back(similarity, precision, shares):
    """Bytes to half a step, bits on the right side, for every number in the range."""
    code = CODES[similarity]
    values = torch.tensor(shares) * code.half + code.center
    found = dequantize(quantize(values, precision, similarity), similarity, len(shares))
    if precision.endswith("binary"):
        above = values.double() > code.center
        assert torch.equal(found > code.center, above)
    else:
        assert (found - values).abs().max() <= code.half / 255 + 1e-6


def test_numbers_out_of_range_are_no_angles():
    """Negative angles, and what is no number."""
    for value in (-0.5, 4.0, math.nan):
        with pytest.raises(QuantizationError, match="quantise what the head gave"):
            quantize(np.array([1.0, value]), "int8", "fidelity")


@pytest.mark.slow
def test_several_processes(encoder, angles):
    """A pool of processes gives the same angles and codes."""
    found = encoder.encode(TEXTS, device=["cpu", "cpu"], chunk_size=10, convert_to_tensor=True)
    torch.testing.assert_close(found, angles)
    pool = encoder.start_multi_process_pool(["cpu"])
    codes = encoder.encode(TEXTS, pool=pool, precision="int8")
    encoder.stop_multi_process_pool(pool)
    assert (codes == encoder.encode(TEXTS, precision="int8")).all()
