"""What a plan may say, what it may not, and what a file keeps of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.plan import PLANS, Plan, PlanError, Stage, chain

sizes = st.integers(2, 60).flatmap(lambda d: st.tuples(st.just(d), st.integers(1, d - 1)))


def test_written_before():
    """Qubits stand as they were encoded until the first stage that writes them."""
    plan = chain(6, 2)
    assert [plan.written_before(stage) for stage in range(3)] == [set(), {2, 3}, {0, 1, 2, 3}]


@given(sizes=sizes, name=st.sampled_from(sorted(PLANS)))
def test_config_round_trip(sizes, name):
    """A plan comes back from JSON."""
    plan = PLANS[name](*sizes)
    assert Plan.from_config(json.loads(json.dumps(plan.config()))) == plan


def test_a_plans_name_is_not_its_structure():
    """Digests of heads go by it: what people call a plan decides nothing, all else does."""
    plan = chain(6, 2)
    assert plan.structure() == Plan(6, plan.stages, plan.output, "mine").structure()
    assert {**plan.structure(), "name": "chain"} == plan.config()
    assert plan.structure() != Plan(6, plan.stages, (1, 0)).structure()


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
