"""The Lee corpus and the baselines every later figure stands on."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gensim", reason="needs the extra 'demo'")

from hybrid_qproj.retrieval.lee import load_lee


@pytest.fixture(scope="module")
def corpus():
    return load_lee()


def test_sizes_and_symmetry(corpus):
    """50 judged and 300 other texts; every pair has its one judgement in both directions."""
    assert (len(corpus.documents), len(corpus.background)) == (50, 300)
    assert all(text.strip() for text in (*corpus.documents, *corpus.background))
    np.testing.assert_array_equal(corpus.similarities, corpus.similarities.T)
    assert (np.diag(corpus.similarities) == 1).all()
    assert corpus.similarities.min() >= 0


def test_qrels(corpus):
    """Each document has grades 0 to 100 for the 49 others and none for itself."""
    qrels = corpus.qrels()
    assert len(qrels) == 50
    assert all(len(grades) == 49 and query not in grades for query, grades in qrels.items())
    assert {type(g) for grades in qrels.values() for g in grades.values()} == {int}
    assert qrels["3"]["6"] == round(100 * corpus.similarities[3, 6])
