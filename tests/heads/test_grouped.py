"""The grouped head reads the features that the published plan merges."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.heads.grouped import GroupedLinear
from hybrid_qproj.heads.linear import trainable_parameters


@given(d=st.integers(2, 40), k=st.integers(1, 39))
def test_grouped_linear_reads_each_feature_once(d, k):
    """Each feature reaches exactly one output, the one the chain plan merges it into: g, g + k, g + 2k, ..."""
    if k >= d:
        return
    head = GroupedLinear(d, k)
    with torch.no_grad():
        head.weight.fill_(1)
    outputs = head(torch.eye(d)).atanh()
    expected = torch.zeros(d, k)
    expected[torch.arange(d), torch.arange(d) % k] = 1
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    assert trainable_parameters(head) == d + k


def test_a_mean_of_grouped_heads_keeps_its_groups():
    """As torch averages models, with their buffers."""
    head = GroupedLinear(9, 3)
    mean = torch.optim.swa_utils.AveragedModel(
        head, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
    )
    for _ in range(3):
        mean.update_parameters(head)
    x = torch.randn(4, 9)
    torch.testing.assert_close(mean(x), head(x))
