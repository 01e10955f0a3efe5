"""Identity of a head: what decides its numbers, as a hash; where it lies decides nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hybrid_qproj._util.tensors import tensors_digest
from hybrid_qproj.heads.base import Head

DIGITS = 32
"""Hexadecimal digits of a fingerprint."""


def head_fingerprint(head: Head, device: bool = True) -> str:
    """Hash of all that decides a head's outputs: class, sizes, plan, ansatz, encoding, weights, measured responses.

    Args:
        head: any head.
        device: whether what a device adds to the numbers is a part of it: shots and noise of the head's device, and
            responses that were measured (`QuantumProjection.use_responses`). Exact simulators add nothing, so all of
            them give one fingerprint. False gives the identity of the circuits alone, whatever they run on: what a
            calibration is bound to.

    Returns:
        32 hexadecimal digits; the same after saving, loading, copying and moving to another torch device.
    """
    settings, tensors = head.content(device)
    return _hash({"class": head.kind, **settings}, tensors_digest(tensors))


def _hash(settings: dict[str, Any], tensors: str) -> str:
    # Names, not repr: that of an object holds its address.
    text = json.dumps(settings, sort_keys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(f"{text}\n{tensors}".encode()).hexdigest()[:DIGITS]
