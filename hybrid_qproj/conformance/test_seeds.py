"""Seeds repeat a session's noise, without repeating it within the session."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hybrid_qproj.conformance.expected import make_embeddings, make_head
from hybrid_qproj.devices import DeviceSpec, DeviceUnavailableError, make_device
from hybrid_qproj.devices.checks import BLOCK_WIRES


def session(device: str, seed: int, calls: int = 2) -> list[Tensor]:
    """Results of successive calls on a new device."""
    head = make_head(str(DeviceSpec.parse(device).replace(shots=200, seed=seed, mode="direct")), 4, 2)
    with torch.no_grad():
        return [head(make_embeddings(3, 4)) for _ in range(calls)]


def test_a_seed_repeats_after_a_rebuild(seedable_device: str) -> None:
    """The same seed gives the same results, call by call."""
    first, again = session(seedable_device, 11), session(seedable_device, 11)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_successive_calls_differ(seedable_device: str) -> None:
    """A seed does not freeze the noise."""
    first, second = session(seedable_device, 11)
    assert not torch.equal(first, second)


def test_circuits_of_a_call_differ(seedable_device: str) -> None:
    """The same circuit twice in one call draws different shots."""
    spec = DeviceSpec.parse(seedable_device).replace(shots=1000, seed=11, mode="direct")
    with torch.no_grad():
        rows = make_head(str(spec), 4, 2)(make_embeddings(1, 4).expand(4, -1))
    assert len(rows.unique(dim=0)) > 1


def test_seeds_differ(seedable_device: str) -> None:
    """Another seed gives other results."""
    assert not torch.equal(session(seedable_device, 11, 1)[0], session(seedable_device, 12, 1)[0])


def test_a_seed_is_refused_where_there_is_no_way_to_give_it(seedless_device: str) -> None:
    """It is not ignored."""
    with pytest.raises(DeviceUnavailableError, match="takes no seed"):
        make_device(DeviceSpec.parse(seedless_device).replace(shots=100, seed=1), BLOCK_WIRES, allow_paid=True)
