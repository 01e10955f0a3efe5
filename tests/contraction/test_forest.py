"""Plans whose outputs are trees of their own become programs; all others do not."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj.contraction.forest import MOST_LEAVES, forest_of
from hybrid_qproj.plan import Plan, Stage, chain, tree


def test_the_published_chain():
    """The last segment's qubit is the control of the one before it, whose survivor is the control of the first."""
    forest = forest_of(chain(12, 4))
    assert forest.features.tolist() == [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]]
    assert forest.blocks.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert forest.merges == (0, 1, 3, 2)
    assert forest.offsets == (8, 4, 0)
    assert forest.places == (3, 4, 2, 1, 0)
    assert forest.order.tolist() == list(range(8))


@pytest.mark.parametrize("maker", [chain, tree])
@pytest.mark.parametrize(("features", "outputs"), [(12, 4), (11, 4), (10, 4), (16, 4), (8, 4), (30, 4), (7, 1)])
def test_every_feature_and_block_once(maker, features, outputs):
    """Tables name each once, and each output's features are those that its plan merges into it."""
    plan = maker(features, outputs)
    forest = forest_of(plan)
    assert sorted(forest.features[forest.features >= 0].tolist()) == list(range(features))
    assert forest.blocks.flatten()[forest.order].tolist() == list(range(plan.blocks))
    for output in range(outputs):
        read = forest.features[:, output]
        assert set(read[read >= 0].tolist()) == set(plan.ancestry(output).features)
    assert bool(forest.offsets) == (features % outputs == 0)


@pytest.mark.parametrize(
    "plan",
    [
        chain(5, 3),  # an output that meets no block
        chain(2 * MOST_LEAVES + 2, 2),
        Plan(2, (Stage((0, 1), (1, 0)),), (0, 1)),  # both outputs read both
        Plan(3, (Stage((0,), (1,)),), (1,)),  # a feature that nothing reads
        Plan(4, (Stage((0, 2), (1, 3)), Stage((1,), (0,))), (1,)),  # a block that serves none
        Plan(8, tuple(Stage(tuple(range(4)), (4, 5, 6, 7)) for _ in range(60)), (4, 5, 6, 7)),
    ],
    ids=str,
)
def test_no_forest(plan):
    """What is no forest of small trees is left to the passes that take any plan."""
    assert forest_of(plan) is None


def test_tables_go_to_a_device():
    """The program stays the same."""
    forest = forest_of(tree(12, 4))
    there = forest.to(torch.device("meta"))
    assert there.features.is_meta
    assert there.order.is_meta
    assert there.merges == forest.merges
