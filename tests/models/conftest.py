"""A tiny encoder with heads of several kinds; `hybrid_qproj.sbert` is imported late, as it needs an extra."""

from __future__ import annotations

import pytest
import torch

from helpers.short_texts import TEXTS
from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.heads.coherent import CoherentProjection


@pytest.fixture
def on_bert(tiny_bert):
    """Makes a model of a head on the tiny BERT."""
    from hybrid_qproj.sbert import with_head  # noqa: PLC0415 - see above

    return lambda head: with_head(str(tiny_bert), head, device="cpu")


@pytest.fixture
def encoder(on_bert):
    torch.manual_seed(0)
    return on_bert(QuantumProjection(24, 8, init="random", scale=2.0))


@pytest.fixture
def fitted(tiny_bert):
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - see above

    from hybrid_qproj.sbert import with_fitted_head  # noqa: PLC0415

    return with_fitted_head(SentenceTransformer(str(tiny_bert), device="cpu"), TEXTS, 12)


@pytest.fixture
def coherent(on_bert):
    torch.manual_seed(0)
    return on_bert(CoherentProjection(24, 8, "rotor", plan="tree", init="random", scale=2.0))


@pytest.fixture
def classical(on_bert):
    torch.manual_seed(0)
    return on_bert(ClassicalProjection(24, 8))


@pytest.fixture
def angles(encoder):
    return encoder.encode(TEXTS, convert_to_tensor=True).clone()
