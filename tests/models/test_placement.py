"""A head in a model that sentence-transformers built: last, or refused."""

from __future__ import annotations

import pickle
import warnings

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Router

from helpers.short_texts import TEXTS
from hybrid_qproj import pairwise_log_fidelity
from hybrid_qproj.sbert import Encoder, HeadPlaceError, ProjectionHead


def test_built_by_the_library(encoder, angles):
    """A plain SentenceTransformer of the modules becomes an Encoder: it compares by log-fidelity, pickled too."""
    plain = SentenceTransformer(modules=list(encoder), device="cpu")
    for model in (plain, pickle.loads(pickle.dumps(plain))):  # noqa: S301 - our own, as worker processes get it
        assert type(model) is Encoder
        torch.testing.assert_close(model.similarity(angles[:3], angles), pairwise_log_fidelity(angles[:3], angles))
        assert model.similarity_fn_name == "log_fidelity"


def test_head_in_a_wrong_place(encoder):
    """Normalised angles, and angles that a Router hides, would be compared by cosine."""
    modules = list(encoder)
    with pytest.raises(HeadPlaceError, match="a Normalize layer follows a head"):
        SentenceTransformer(modules=[*modules, Normalize()], device="cpu")
    router = Router.for_query_document(modules, modules)
    with pytest.raises(HeadPlaceError, match="stands inside a Router"):
        SentenceTransformer(modules=[router], device="cpu")

    class Other(SentenceTransformer):
        pass

    with pytest.raises(HeadPlaceError, match=r"derive the class from hybrid_qproj\.sbert\.Encoder"):
        Other(modules=modules, device="cpu")


def test_head_that_is_added_later(encoder):
    """Nobody tells a model that was complete; the first batch warns."""
    model = SentenceTransformer(modules=list(encoder)[:-1], device="cpu")
    model.append(ProjectionHead(encoder.head))
    with pytest.warns(UserWarning, match="added to a model that was complete"):
        model.encode(TEXTS[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode(TEXTS[:2])
