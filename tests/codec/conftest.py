"""Outputs as heads give them."""

from __future__ import annotations

import math

import pytest
import torch

WIDTH = 48


def normal(rows, seed, spread=0.1):
    """Numbers of unequal variances and means."""
    noise = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))
    return spread * torch.linspace(0.1, 1.0, WIDTH) * (noise + torch.linspace(-1, 1, WIDTH))


@pytest.fixture(scope="session")
def angles():
    return math.pi / 2 + normal(600, 0)


@pytest.fixture(scope="session")
def queries():
    return math.pi / 2 + normal(37, 1)


@pytest.fixture(scope="session")
def vectors():
    return normal(600, 2, spread=3.0)
