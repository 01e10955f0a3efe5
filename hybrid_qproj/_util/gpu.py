"""Kernels on the GPU that holds their tensors."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def current(where: Tensor) -> AbstractContextManager[Any]:
    """The GPU that holds a tensor, which need not be the current one, is that; Triton's interpreter knows none."""
    return torch.cuda.device(where.device) if where.is_cuda else nullcontext()
