"""Identity of a head: what decides its numbers, as a hash; where it lies decides nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hybrid_qproj._util.tensors import tensors_digest
from hybrid_qproj.blocks.cache import FixedResponses
from hybrid_qproj.devices import DeviceSpec, adapter_for
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.quantum import QuantumProjection

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
    settings: dict[str, Any]
    tensors = {name: tensor for name, tensor in head.state_dict().items() if name not in head.IMPLIED}
    if isinstance(head, CircuitHead):
        settings = {
            "features": [head.in_features, head.out_features],
            "ansatz": [head.ansatz.name, head.ansatz.parameter_names, head.ansatz.kept, head.ansatz.wires],
            "plan": {key: value for key, value in head.plan.config().items() if key != "name"},
            "normalize": [head.encoding.normalize, head.normalize_output],
            "device": _what_a_device_adds(head.device) if device else None,
        }
        measured = head._responses if isinstance(head, QuantumProjection) else None
        if device and isinstance(measured, FixedResponses):
            # No circuit runs: whatever the device is, it adds nothing.
            settings["device"] = "measured"
            tensors["measured responses"] = measured._responses
    else:
        settings = head.config()
    return _hash({"class": type(head).__name__, **settings}, tensors_digest(tensors))


def _what_a_device_adds(spec: DeviceSpec) -> str | None:
    exact = spec.shots is None and spec.noise is None and adapter_for(spec.name).is_exact(spec.option("backend"))
    # Shots drawn anew, or circuits in other packs, are the same device.
    return None if exact else str(spec.replace(seed=None, mode="interpolated", pack=None, wires=None, diff_method=None))


def _hash(settings: dict[str, Any], tensors: str) -> str:
    # Names, not repr: that of an object holds its address.
    text = json.dumps(settings, sort_keys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(f"{text}\n{tensors}".encode()).hexdigest()[:DIGITS]
