"""Embeddings at the boundary: what is not finite is refused by row, in one cheap pass."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj._util.validation import NotFiniteError, check_embeddings
from hybrid_qproj.heads import registry


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("values", "what"),
    [([float("nan")], "NaN"), ([float("inf")], "an infinity"), ([float("-inf"), float("inf")], "an infinity")],
)
def test_named_by_row(dtype, values, what):
    """The first row, and how many."""
    embeddings = torch.zeros(2, 3, 4, dtype=dtype)
    embeddings[1, 1, : len(values)] = torch.tensor(values, dtype=dtype)
    with pytest.raises(NotFiniteError, match=f"embeddings hold {what} in 1 of 6 rows, first in row 4"):
        check_embeddings(embeddings, 4)


def test_large_numbers_are_numbers():
    """A sum that overflows is looked at again; an empty batch has nothing wrong."""
    check_embeddings(torch.full((4, 4), 6e4, dtype=torch.float16), 4)
    check_embeddings(torch.full((4, 4), 3e38), 4)
    check_embeddings(torch.zeros(0, 4), 4)
    check_embeddings(torch.ones(4), 4)


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_every_head_refuses(name, value):
    """No head makes a number of what is none."""
    cls = registry.get(name)
    sizes = (8, 2 if cls.compresses else 8)
    head = cls.with_budget(*sizes, 40) if cls.budgeted else cls(*sizes)
    embeddings = torch.zeros(3, 8)
    embeddings[2, 1] = value
    with pytest.raises(ValueError, match="first in row 2"):
        head(embeddings)


def test_an_infinity_with_normalize():
    """Its direction would be NaN."""
    embeddings = torch.ones(2, 8)
    embeddings[1, 0] = float("inf")
    with pytest.raises(NotFiniteError, match="an infinity in 1 of 2 rows, first in row 1"):
        QuantumProjection(8, 2, normalize=True)(embeddings)


def test_compiled_graphs_do_not_branch():
    """Tracing takes the check out."""
    head = ClassicalProjection(8, 2)
    compiled = torch.compile(head, backend="eager", fullgraph=True)
    x = torch.randn(3, 8)
    assert torch.allclose(compiled(x), head(x))
