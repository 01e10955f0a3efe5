"""Choosing among training examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.examples import Example, choose, choose_queries, split_queries


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 100))
def test_fewer_queries_are_among_more(few, more, seed):
    """Numbers and shares choose prefixes of one order."""
    names = [f"q{i}" for i in range(30)]
    few, more = sorted((few, more))
    assert set(choose(names, few, seed)) <= set(choose(names, more, seed))
    assert choose(names, more, seed) == choose(reversed(names), more / 30, seed)


def test_choice_depends_on_the_seed():
    """Another seed, other queries; all of them are all of them."""
    names = [f"q{i}" for i in range(30)]
    assert choose(names, 10, 0) != choose(names, 10, 1)
    assert sorted(choose(names, 1.0, 3)) == sorted(names)
    assert len(choose(names, 0.001, 3)) == 1


def test_too_many_queries():
    """More than there are is an error, not fewer."""
    with pytest.raises(DataError, match="31 training queries were asked for; there are 30"):
        choose([f"q{i}" for i in range(30)], 31, 0)


EXAMPLES = [Example(f"q{number}", f"p{number}", ()) for number in range(30)]


def test_queries_that_are_held_out():
    """None is trained on; a share counts for each one that is, and shares of queries are of what is left."""
    for queries, validation, sizes in [(20, 10, (20, 10)), (20, 0.1, (20, 2)), (1.0, 6, (24, 6)), (0.5, 0.5, (10, 5))]:
        train, held_out = split_queries(EXAMPLES, queries, validation, 1)
        assert (len(train), len(held_out)) == sizes
        assert not set(train) & set(held_out)


@given(st.integers(2, 40), st.floats(0.01, 1) | st.integers(1, 39), st.floats(0.01, 1), st.integers(0, 100))
def test_shares_leave_room_for_what_is_held_out(total, validation, queries, seed):
    """Whatever the shares, both parts are there and none is in both."""
    examples = [Example(f"q{number}", "p", ()) for number in range(total)]
    if isinstance(validation, int) and validation >= total:
        with pytest.raises(DataError, match="for validation were asked for"):
            split_queries(examples, queries, validation, seed)
        return
    train, held_out = split_queries(examples, queries, validation, seed)
    assert train
    assert held_out
    assert not set(train) & set(held_out)


def test_fewer_are_among_more_on_both_sides():
    """Of one seed; another one draws others. What is trained on is what is chosen where nothing is held out."""
    few, more = (split_queries(EXAMPLES, queries, 0.25, 3) for queries in (4, 16))
    assert all(set(a) < set(b) for a, b in zip(few, more, strict=True))
    assert split_queries(EXAMPLES, 16, 0.25, 4) != more
    assert more[0] == choose_queries(EXAMPLES, 16, 3)


def test_too_many_to_hold_out():
    """What there is, and what to do."""
    with pytest.raises(
        DataError, match=r"29 training queries and 3 for validation were asked for; there are 30: lower"
    ):
        split_queries(EXAMPLES, 29, 0.1, 0)


@pytest.mark.parametrize("queries", [0, -1, True, 0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_what_is_no_number_of_queries(queries):
    """A whole number of them, or a share in (0, 1]."""
    with pytest.raises(DataError, match="training queries"):
        choose(["a", "b"], queries, 0)
