"""Plans: the built-in ones, what a plan may say, and what it may not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
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


def test_twins():
    """They count as one rotation, turn opposite ways where both qubits are of a kind, and survive a file."""
    plan = Plan(4, (PAIR, Stage((2, 0), (0, 2), (0, 0)), Stage((3, 0), (0, 3), (0, 0))), (0, 1))
    assert (plan.blocks, plan.rotations) == (7, 4)
    # In the last stage, qubit 0 was written and qubit 3 was not.
    assert plan.mirrored() == ((False, True, False), (False, True), (False, False))
    assert "blocks=7, rotations=4" in repr(plan)
    assert Plan.from_config(plan.config()) == plan
    assert plan.untied().rotations == 7
    assert plan.untied() != plan


@pytest.mark.parametrize("twin", [(0, 0), (0, 0, 3), (0, 1, 1), (1, 0, 2), (2, 0, 2)])
def test_refuses_wrong_twins(twin):
    """Too few, out of range, of other qubits, in a circle, or a chain."""
    with pytest.raises(PlanError, match="stage 0"):
        Plan(4, (Stage(PAIR.control, PAIR.kept, twin),), (0, 1))
