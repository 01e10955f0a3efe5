"""An encoder with a head in MTEB: its protocol, its tasks end to end, its wrappers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

pytest.importorskip("mteb", reason="needs the extra 'mteb'")

import mteb
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import CompressionWrapper, EncoderProtocol, SearchEncoderWrapper, SearchProtocol
from mteb.models.model_meta import ScoringFunction
from mteb.types import OutputDType, PromptType
from torch.utils.data import DataLoader

import hybrid_qproj
from hybrid_qproj import HybridQprojError, PCAProjection, QuantumProjection, log_fidelity, pairwise_log_fidelity
from hybrid_qproj.mteb import MTEBEncoder
from hybrid_qproj.sbert import with_head

TEXTS = ["a quantum cat", "the cat sat on the mat", "a state", "sat sat", "the mat on a cat", "quantum state"]
COMMON = {
    "description": "Made for a test.",
    "reference": "https://arxiv.org/abs/2501.04591",
    "dataset": {"path": "none", "revision": "none"},
    "category": "t2t",
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
}


class Pairs(AbsTaskSTS):
    metadata = TaskMetadata(type="STS", name="MadePairs", main_score="spearman", **COMMON)

    def load_data(self, **_):
        table = {"sentence1": TEXTS[:3], "sentence2": TEXTS[3:], "score": [1.0, 0.5, 0.0]}
        self.dataset = DatasetDict({"test": Dataset.from_dict(table)})
        self.data_loaded = True


class Search(AbsTaskRetrieval):
    metadata = TaskMetadata(type="Retrieval", name="MadeSearch", main_score="ndcg_at_10", **COMMON)

    def load_data(self, **_):
        split = RetrievalSplitData(
            corpus=Dataset.from_list([{"id": f"d{i}", "title": "", "text": t} for i, t in enumerate(TEXTS)]),
            queries=Dataset.from_list([{"id": "q0", "text": "a cat"}, {"id": "q1", "text": "quantum"}]),
            relevant_docs={"q0": {"d0": 1, "d4": 2}, "q1": {"d5": 1}},
            top_ranked=None,
        )
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def encoder(tiny_bert):
    return with_head(str(tiny_bert), QuantumProjection(24, 8, scale=2.0), device="cpu")


def loader(texts):
    return DataLoader(Dataset.from_dict({"text": texts}), batch_size=4)


def encode(model, texts, prompt_type=None, **arguments):
    place = {"task_metadata": Pairs.metadata, "hf_split": "test", "hf_subset": "default"}
    return model.encode(loader(texts), prompt_type=prompt_type, **place, **arguments)


def run(model, task, **arguments):
    """An evaluation without caches; the scores of its only split."""
    found = mteb.evaluate(model, task(), cache=None, co2_tracker=False, show_progress_bar=False, **arguments)
    (scores,) = found.task_results[0].scores["test"]
    return scores


def test_has_the_interface(encoder):
    """What MTEB asks for by isinstance, alone and behind its search."""
    model = MTEBEncoder(encoder)
    assert isinstance(model, EncoderProtocol)
    assert isinstance(SearchEncoderWrapper(model), SearchProtocol)


def test_says_what_it_is(encoder):
    """Of its own name: results are filed by name and revision, and the encoder's are others."""
    meta = MTEBEncoder(encoder).mteb_model_meta
    bert = sum(p.numel() for p in encoder[0].parameters())
    head = encoder.head
    assert meta.n_parameters == bert + sum(t.numel() for t in head.stored_tensors().values())
    assert meta.embed_dim == 8
    assert meta.max_tokens == 32
    assert meta.similarity_fn_name is ScoringFunction.CUSTOM
    assert meta.name.startswith("hybrid-qproj/")
    assert meta.name.endswith("-QuantumProjection-8")
    with torch.no_grad():
        next(head.parameters()).add_(0.1)
    assert MTEBEncoder(encoder).mteb_model_meta.revision != meta.revision
    named = MTEBEncoder(encoder, "first", name="us/ours").mteb_model_meta
    assert (named.name, named.revision) == ("us/ours", "first")


def test_a_cosine_head_says_cosine(tiny_bert):
    model = MTEBEncoder(with_head(str(tiny_bert), PCAProjection(24, 8), device="cpu"))
    assert model.mteb_model_meta.similarity_fn_name is ScoringFunction.COSINE


def test_embeds_each_side_by_its_prompt(encoder):
    """And by a task's where there is one, which comes first."""
    encoder.prompts = {"query": "quantum ", "document": "mat ", "MadePairs-query": "state "}
    model = MTEBEncoder(encoder)
    for side, prefix in ((PromptType.query, "state "), (PromptType.document, "mat "), (None, "")):
        expected = encoder.encode([prefix + text for text in TEXTS])
        np.testing.assert_allclose(encode(model, TEXTS, side), expected, atol=1e-6)
    del encoder.prompts["MadePairs-query"]
    expected = encoder.encode(["quantum " + text for text in TEXTS])
    np.testing.assert_allclose(encode(model, TEXTS, PromptType.query), expected, atol=1e-6)


def test_compares_by_fidelity(encoder):
    """NumPy or torch, all pairs and paired rows."""
    model = MTEBEncoder(encoder)
    angles = encode(model, TEXTS)
    assert angles.shape == (6, 8)
    tensor = torch.from_numpy(angles)
    torch.testing.assert_close(model.similarity(angles, tensor), pairwise_log_fidelity(tensor, tensor))
    torch.testing.assert_close(model.similarity_pairwise(angles, angles[::-1]), log_fidelity(tensor, tensor.flip(0)))


@pytest.mark.parametrize("precision", [None, "int8", "uint8", "binary"])
def test_a_search_of_theirs_ranks_by_fidelity(encoder, precision, tmp_path):
    """A whole evaluation: the ranking is that of the model's own scores, codes included."""
    arguments = {} if precision is None else {"precision": precision}
    scores = run(MTEBEncoder(encoder), Search, encode_kwargs=arguments, prediction_folder=tmp_path)
    precision = precision or "float32"
    queries = encoder.encode_query(["a cat", "quantum"], precision=precision)
    found = encoder.similarity(queries, encoder.encode_document(TEXTS, precision=precision))
    gains = torch.tensor([[1.0, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 1]])
    discounts = 1 / torch.log2(torch.arange(6) + 2.0)
    # trec_eval's gain is the grade; equal scores are in the order of names, the last first.
    order = torch.tensor([sorted(range(6), key=lambda d: (-row[d], -d)) for row in found.tolist()])
    dcg = (gains.gather(1, order) * discounts).sum(1)
    ideal = (gains.sort(1, descending=True).values * discounts).sum(1)
    assert scores["ndcg_at_10"] == pytest.approx(float((dcg / ideal).mean()), abs=1e-4)


def test_a_comparison_of_sentences_has_the_heads_own_score(encoder):
    """`spearman` is by the head's similarity; `cosine_spearman` is not."""
    scores = run(MTEBEncoder(encoder), Pairs)
    angles = torch.from_numpy(encoder.encode(TEXTS))
    ours = log_fidelity(angles[:3], angles[3:])
    ranks = ours.argsort().argsort().double()
    expected = torch.corrcoef(torch.stack([ranks, torch.tensor([2.0, 1.0, 0.0], dtype=torch.double)]))[0, 1]
    assert scores["spearman"] == pytest.approx(float(expected))


def test_reads_a_saved_model(model):
    """By a folder's name, as the command line of MTEB does; nothing in it is trusted."""
    theirs = MTEBEncoder(model, device="cpu")
    np.testing.assert_allclose(encode(theirs, TEXTS), hybrid_qproj.load(model, "cpu").encode(TEXTS), atol=1e-6)


def test_their_compression_of_angles_to_codes_is_refused(encoder, tiny_bert):
    """It would count steps of each number's range; floats of fewer bits are angles still."""
    with pytest.raises(HybridQprojError, match="'precision': 'int8'"):
        CompressionWrapper(MTEBEncoder(encoder), OutputDType.INT8)
    wrapped = CompressionWrapper(MTEBEncoder(encoder), OutputDType.FLOAT16)
    assert run(wrapped, Search)["ndcg_at_10"] > 0
    cosine = MTEBEncoder(with_head(str(tiny_bert), PCAProjection(24, 8), device="cpu"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert CompressionWrapper(cosine, OutputDType.INT8).mteb_model_meta.output_dtypes == [OutputDType.INT8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_name": 3}, "expected an encoder with a head"),
        ({"name": "ours"}, "'organisation/model'"),
    ],
)
def test_what_is_no_model_is_refused(encoder, arguments, message):
    with pytest.raises(HybridQprojError, match=message):
        MTEBEncoder(**{"model_name": encoder, **arguments})


def test_inputs_without_texts_are_refused(encoder):
    images = DataLoader(Dataset.from_dict({"image": [1, 2]}), batch_size=2)
    with pytest.raises(HybridQprojError, match="'image'"):
        MTEBEncoder(encoder).encode(images, task_metadata=Pairs.metadata, hf_split="test", hf_subset="default")
