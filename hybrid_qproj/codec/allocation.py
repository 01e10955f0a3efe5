"""How many bits each output gets: reverse water-filling, in whole bits.

A normal number of variance v in b bits is off by about v 4^-b in the mean square. Of all ways to share out bits, the
sum of errors is least where all errors are level, and numbers of less variance than that level get none (Cover and
Thomas, Elements of Information Theory, section 10.3.3). In whole bits, the next one always belongs to the number whose
error is largest.
"""

from __future__ import annotations

import heapq

import torch
from torch import Tensor

from hybrid_qproj.codec.gaussian import MOST_BITS


def allocate(variances: Tensor, bits: int) -> Tensor:
    """Give bits one by one to the output of largest expected error.

    Args:
        variances: of the outputs, (k,), at least 0.
        bits: to be given, at most 8 k.

    Returns:
        bits of each output, 0 to 8, (k,), uint8; of equal errors the first output is served first.

    Examples:
        >>> allocate(torch.tensor([4.1, 1.0, 0.1]), 3)
        tensor([2, 1, 0], dtype=torch.uint8)
    """
    given = [0] * len(variances)
    waiting = [(-float(variance), place) for place, variance in enumerate(variances.double())]
    heapq.heapify(waiting)
    for _ in range(bits):
        error, place = heapq.heappop(waiting)
        given[place] += 1
        if given[place] < MOST_BITS:
            heapq.heappush(waiting, (error / 4, place))
    return torch.tensor(given, dtype=torch.uint8)
