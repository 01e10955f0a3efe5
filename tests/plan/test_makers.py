"""The built-in plans, and what is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.plan import PLANS, Plan, PlanError, chain, make_plan, tree

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


def test_chain_is_the_published_one():
    """768 to 256: stage 1 merges the last third into the middle, stage 2 the survivor into the first."""
    first, second = chain(768, 256).stages
    assert (first.control, first.kept) == (tuple(range(512, 768)), tuple(range(256, 512)))
    assert (second.control, second.kept) == (tuple(range(256, 512)), tuple(range(256)))


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
