"""What the outputs of a plan are made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.plan import Plan, PlanError, Stage, chain, tree


@st.composite
def plans(draw):
    """Any plan, ties left out: blocks that mix, qubits that wait, outputs that no block touches."""
    features = draw(st.integers(2, 7))
    qubits = st.integers(0, features - 1)
    stages = []
    for _ in range(draw(st.integers(0, 4))):
        kept = draw(st.lists(qubits, min_size=1, max_size=4, unique=True))
        stages.append(Stage(tuple(draw(qubits.filter(lambda c, b=b: c != b)) for b in kept), tuple(kept)))
    output = draw(st.lists(qubits, min_size=1, unique=True))
    return Plan(features, tuple(stages), tuple(output))


@settings(max_examples=60)
@given(plan=plans(), data=st.data())
def test_ancestry_is_what_changes_an_output(plan, data):
    """Every feature and block is marked by itself; what arrives at the outputs is their ancestry."""
    marks = [{qubit} for qubit in range(plan.features)]
    for number, stage in enumerate(plan.stages):
        before = [set(mark) for mark in marks]
        for block, (control, kept) in enumerate(stage.pairs):
            marks[kept] = before[control] | before[kept] | {(number, block)}
    chosen = data.draw(st.lists(st.integers(0, len(plan.output) - 1), min_size=1, unique=True))
    for outputs, expected in ((chosen, chosen), (chosen[0], chosen[:1]), (None, range(len(plan.output)))):
        found = plan.ancestry(outputs)
        assert list(found.blocks) == sorted(found.blocks)
        assert len(set(found.features)) == len(found.features)
        assert {*found.blocks, *found.features} == set().union(*(marks[plan.output[output]] for output in expected))
    assert plan.merged_features() == tuple(sum(isinstance(m, int) for m in marks[qubit]) for qubit in plan.output)


def test_what_merges_stands_side_by_side():
    """A kept qubit's features, then its control's."""
    assert tree(8, 2).ancestry().features == (0, 2, 4, 6, 1, 3, 5, 7)
    assert chain(6, 2).ancestry([1, 0]).features == (1, 3, 5, 0, 2, 4)


@pytest.mark.parametrize("output", [-1, 2, True, 0.0, "0"])
def test_no_such_output(output):
    """The message says which there are."""
    with pytest.raises(PlanError, match=f"output={output!r}: the plan has outputs 0 to 1"):
        chain(6, 2).ancestry([output])


@settings(max_examples=60)
@given(plan=plans())
def test_counts_are_those_of_the_ancestries(plan):
    """Counted side by side, the features of each output are as many as reach it."""
    expected = tuple(len(plan.ancestry(output).features) for output in range(len(plan.output)))
    assert plan.merged_features() == expected
