"""Queries and documents are trained on as they are encoded: with their prompts, by their routes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "tensorboard"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from datasets import Dataset  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.sentence_transformer.modules import Router  # noqa: E402

from hybrid_qproj import ClassicalProjection, QuantumProjection  # noqa: E402
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head  # noqa: E402
from hybrid_qproj.text.embeddings.table import EmbeddingTable  # noqa: E402
from hybrid_qproj.training.columns import column_sides, columns_of  # noqa: E402
from hybrid_qproj.training.head_loss import HeadLoss  # noqa: E402
from hybrid_qproj.training.held_out import HeldOutLoss  # noqa: E402
from hybrid_qproj.training.objectives import Batch, Contrastive, Objective, SimilarityDistillation  # noqa: E402
from hybrid_qproj.training.run import train  # noqa: E402
from hybrid_qproj.training.settings import TrainingSettings  # noqa: E402

QUERIES = ["a cat", "the state", "on the mat", "quantum"]
POSITIVES = ["a cat sat on the mat", "a quantum state", "a mat", "a quantum cat"]
LABELS = Dataset.from_dict({"query": QUERIES, "positive": POSITIVES, "negative_1": POSITIVES[::-1]})
TEXTS = Dataset.from_dict({"text": POSITIVES})
ONE_STEP = TrainingSettings(steps=1, batch_size=4, learning_rate=1e-9)


class Seen(Objective):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.columns = []

    def forward(self, head, batch: Batch):
        self.columns = [column.detach() for column in batch.embeddings]
        return sum(output.sum() for output in batch.outputs)


def sorted_rows(rows):
    rows = np.asarray(rows)
    return torch.tensor(rows[np.lexsort(rows.round(4).T)])


def embedded(model, texts, side):
    """Embeddings before the head, as encode_query or encode_document makes them."""
    plain = SentenceTransformer(modules=list(model)[:-1], prompts=model.prompts, device="cpu")
    return (plain.encode_query if side == "query" else plain.encode_document)(texts)


@pytest.fixture(params=["prompts", "routes", "static", "table"])
def model(request, tiny_bert, text_models):
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    if request.param == "prompts":
        base.prompts = {"query": "state state ", "document": "a mat on "}
    if request.param == "routes":
        base = SentenceTransformer(
            modules=[Router.for_query_document([text_models.static_embedding()], list(base))], device="cpu"
        )
    if request.param == "static":
        base = SentenceTransformer(modules=[text_models.static_embedding()], device="cpu")
    if request.param == "table":
        # One text is a query and a document, with other embeddings.
        rows = np.random.default_rng(0).normal(size=(8, 24)).astype(np.float32)
        tables = [
            EmbeddingTable.of(texts, part, side)
            for texts, part, side in ((QUERIES, rows[:4], "query"), (POSITIVES, rows[4:], "document"))
        ]
        base = SentenceTransformer(modules=[EmbeddingTable.merge(tables)], device="cpu")
        return Encoder(modules=[*base, ProjectionHead(ClassicalProjection(24, 4))], device="cpu")
    base.requires_grad_(False)
    return with_head(base, ClassicalProjection(24, 4)).eval()


def test_labels_and_texts(model, tmp_path):
    """What the objectives see is what the encoder gives each side."""
    model.requires_grad_(True)
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    seen = {"labels": Seen(), "texts": Seen()}
    for name, data in (("labels", LABELS), ("texts", TEXTS)):
        train(model, {name: data}, {name: seen[name]}, ONE_STEP, tmp_path / name, keep=False)
    for column, texts, side in zip(
        seen["labels"].columns, (QUERIES, POSITIVES, POSITIVES), ("query", "document", "document"), strict=True
    ):
        torch.testing.assert_close(sorted_rows(column), sorted_rows(embedded(model, texts, side)), atol=1e-4, rtol=0)
    (column,) = seen["texts"].columns
    torch.testing.assert_close(
        sorted_rows(column), sorted_rows(embedded(model, POSITIVES, "document")), atol=1e-4, rtol=0
    )


def test_held_out_texts_are_documents(model):
    """As they are trained on."""
    seen = Seen()
    HeldOutLoss(POSITIVES, HeadLoss(model, seen), batch_size=4)(model)
    torch.testing.assert_close(seen.columns[0], torch.tensor(embedded(model, POSITIVES, "document")))


def test_sides_of_columns(tiny_bert):
    """The first of several columns holds queries; texts alone are documents."""
    assert column_sides(["anchor", "positive", "negative"]) == {
        "anchor": "query",
        "positive": "document",
        "negative": "document",
    }
    assert column_sides(["text"]) == {"text": "document"}
    base = SentenceTransformer(str(tiny_bert), prompts={"query": "cat ", "document": ""}, device="cpu")
    columns = columns_of(with_head(base, ClassicalProjection(24, 4)), {"labels": ["q", "p"], "texts": ["t"]})
    assert columns.prompts == {"labels": {"q": "cat "}}


def test_one_call_of_the_head(tiny_bert):
    """Queries and documents of the same form still go through the circuits together."""
    model = with_head(str(tiny_bert), QuantumProjection(24, 4), device="cpu")
    calls = []
    model.head.register_forward_hook(lambda *_: calls.append(1))
    columns = [{**model.preprocess(["a cat", "the mat"]), "task": task} for task in ("query", "document")]
    loss = HeadLoss(model, Contrastive(in_batch=True))
    loss(columns)
    assert len(calls) == 1
    loss([*columns, model.preprocess(["a cat on the mat", "a"])])
    assert len(calls) == 4


def test_distillation_of_a_model_with_routes(tiny_bert, text_models, tmp_path):
    """It trains, and to the same weights again."""
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    found = []
    for number in range(2):
        torch.manual_seed(0)
        router = Router.for_query_document([text_models.static_embedding()], list(base))
        model = with_head(SentenceTransformer(modules=[router], device="cpu"), ClassicalProjection(24, 4))
        model[0].requires_grad_(False)
        train(
            model,
            {"labels": LABELS, "texts": TEXTS},
            {"labels": Contrastive(2.0), "texts": SimilarityDistillation(5, 5)},
            TrainingSettings(steps=4, batch_size=4, learning_rate=1e-2),
            tmp_path / str(number),
            keep=False,
        )
        found.append(torch.cat([p.detach().flatten() for p in model.head.parameters()]))
    assert torch.equal(*found)
