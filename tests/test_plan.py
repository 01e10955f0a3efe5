"""Plans: the built-in ones, what a plan may say, and what it may not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.plan import PLANS, Plan, PlanError, Stage, chain, make_plan, tree

sizes = st.integers(2, 60).flatmap(lambda d: st.tuples(st.just(d), st.integers(1, d - 1)))


@given(sizes=sizes, name=st.sampled_from(sorted(PLANS)))
def test_built_in_plans_drop_one_qubit_a_block(sizes, name):
    """d - k blocks; every feature reaches exactly one output; outputs are the first k."""
    d, k = sizes
    plan = PLANS[name](d, k)
    assert plan.blocks == d - k
    assert plan.output == tuple(range(k))
    assert sum(plan.merged_features()) == d
    assert max(plan.merged_features()) - min(plan.merged_features()) <= 1


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


def test_written_before():
    """Qubits stand as they were encoded until the first stage that writes them."""
    plan = chain(6, 2)
    assert [plan.written_before(stage) for stage in range(3)] == [set(), {2, 3}, {0, 1, 2, 3}]


@given(sizes=sizes)
def test_number_of_stages(sizes):
    """A chain is as long as its longest group; a tree as deep as its logarithm."""
    d, k = sizes
    assert len(chain(d, k).stages) == math.ceil(d / k) - 1
    assert len(tree(d, k).stages) == math.ceil(math.log2(math.ceil(d / k)))


@given(sizes=sizes, name=st.sampled_from(sorted(PLANS)))
def test_config_round_trip(sizes, name):
    """A plan comes back from JSON."""
    plan = PLANS[name](*sizes)
    assert Plan.from_config(json.loads(json.dumps(plan.config()))) == plan


def test_chain_is_the_published_one():
    """768 to 256: stage 1 merges the last third into the middle, stage 2 the survivor into the first."""
    first, second = chain(768, 256).stages
    assert (first.control, first.kept) == (tuple(range(512, 768)), tuple(range(256, 512)))
    assert (second.control, second.kept) == (tuple(range(256, 512)), tuple(range(256)))


def test_repr_says_ragged():
    """Uneven sizes are said, even ones are not."""
    assert "ragged: 4 outputs merge 3 features, 2 merge 4" in repr(chain(20, 6))
    assert "ragged" not in repr(chain(18, 6))
    # A group of 1, 2, 3 and 4 features each.
    stages = [Stage((1, 3, 6), (0, 2, 5)), Stage((4, 7), (2, 5)), Stage((8,), (5,))]
    assert repr(Plan(10, tuple(stages), (9, 0, 2, 5))).endswith("; ragged: outputs merge 1 to 4 features)")


@pytest.mark.parametrize(
    ("stages", "output", "message"),
    [
        ((Stage((0,), (4,)),), (0,), "stage 0 of the plan names qubit 4; expected 0 to 3"),
        ((Stage((0, 1), (2, 2)),), (0,), "stage 0 of the plan writes qubit 2 more than once"),
        ((Stage((1,), (1,)),), (0,), "control and kept qubit are the same"),
        ((Stage((0, 1), (2,)),), (0,), "has 2 controls and 1 kept"),
        ((Stage((), ()),), (0,), "at least one"),
        ((), (0, 0), "names qubit 0 more than once"),
        ((), (), "no output qubit"),
        ((), (-1,), "names qubit -1"),
    ],
)
def test_contradictions(stages, output, message):
    """Each contradiction is named."""
    with pytest.raises(PlanError, match=message):
        Plan(4, stages, output)


def test_make_plan_errors():
    """Unknown names, wrong sizes, and tables that are no plan."""
    with pytest.raises(PlanError, match="expected chain, tree or a Plan"):
        make_plan("star", 4, 2)
    with pytest.raises(PlanError, match="does not fit a head of 8 -> 2"):
        make_plan(chain(6, 2), 8, 2)
    with pytest.raises(PlanError, match="1 <= outputs < features"):
        chain(4, 4)
    with pytest.raises(PlanError, match="not the table of a plan"):
        Plan.from_config({"name": "x"})


PAIR = Stage((1, 0, 3), (0, 1, 2), (0, 0, 2))


def test_tied_blocks():
    """They count as one rotation, turn opposite ways where both qubits are of a kind, and survive a file."""
    plan = Plan(4, (PAIR, Stage((2, 0), (0, 2), (0, 0)), Stage((3, 0), (0, 3), (0, 0))), (0, 1))
    assert (plan.blocks, plan.rotations) == (7, 4)
    # In the last stage, qubit 0 was written and qubit 3 was not.
    assert plan.flipped() == ((False, True, False), (False, True), (False, False))
    assert "blocks=7, rotations=4" in repr(plan)
    assert Plan.from_config(plan.config()) == plan
    assert plan.without_ties().rotations == 7
    assert plan.without_ties() != plan


@pytest.mark.parametrize("tied", [(0, 0), (0, 0, 3), (0, 1, 1), (1, 0, 2), (2, 0, 2)])
def test_refuses_wrong_ties(tied):
    """Too few, out of range, of other qubits, in a circle, or a chain."""
    with pytest.raises(PlanError, match="stage 0"):
        Plan(4, (Stage(PAIR.control, PAIR.kept, tied),), (0, 1))
