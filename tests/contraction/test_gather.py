"""Reading a plan's qubits out of earlier results."""

from __future__ import annotations

import torch

from hybrid_qproj.contraction.gather import Gather, PlanGather
from hybrid_qproj.plan import Plan, Stage, chain


def test_contiguous_reads_are_views():
    """A slice of one result is not copied."""
    results = [torch.arange(6.0).reshape(1, 6)]
    taken = Gather([(0, 2), (0, 3), (0, 4)], [6])(results)
    assert taken.tolist() == [[2, 3, 4]]
    assert taken.untyped_storage().data_ptr() == results[0].untyped_storage().data_ptr()


def test_any_order_from_any_results():
    """Qubits come in the order asked for, from whatever result holds them."""
    results = [torch.tensor([[0.0, 1, 2]]), torch.tensor([[10.0, 11]]), torch.tensor([[20.0]])]
    assert Gather([(2, 0), (0, 2), (1, 1), (0, 0)], [3, 2, 1])(results).tolist() == [[20, 2, 11, 0]]


def test_a_plans_gathers_follow_the_latest_value():
    """A stage reads what the stage before wrote, and what waited as it was encoded."""
    gather = PlanGather(Plan(4, (Stage((3,), (1,)), Stage((1, 2), (0, 3))), (3, 0, 1)))
    results = [torch.tensor([0.0, 1, 2, 3]), torch.tensor([10.0]), torch.tensor([20.0, 21.0])]
    assert gather.control[1](results[:2]).tolist() == [10, 2]
    assert gather.kept[1](results[:2]).tolist() == [0, 3]
    assert gather.output(results).tolist() == [21, 20, 10]


def test_nothing_to_save():
    """What is read where follows from the plan: its indices are not in the state dict."""
    assert not PlanGather(chain(7, 3)).state_dict()
