"""Quantum projection heads for text embeddings, compared by fidelity.

Names are imported when they are asked for: torch and PennyLane take seconds, and ``hybrid-qproj --help`` needs neither.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybrid_qproj._util.validation import NotFiniteError
    from hybrid_qproj.blocks.layer import torch_layer
    from hybrid_qproj.circuits import Ansatz, AnsatzError
    from hybrid_qproj.devices import DeviceSpec, DeviceSpecError, DeviceUnavailableError, PaidDeviceError
    from hybrid_qproj.errors import ArgumentError, DataError, HybridQprojError
    from hybrid_qproj.heads.base import Head
    from hybrid_qproj.heads.checkpoint import CheckpointError
    from hybrid_qproj.heads.coherent import CoherentProjection
    from hybrid_qproj.heads.linear import ClassicalProjection, PCAProjection
    from hybrid_qproj.heads.quantum import QuantumProjection
    from hybrid_qproj.heads.registry import load_head
    from hybrid_qproj.heads.registry import register as register_head
    from hybrid_qproj.loading import load
    from hybrid_qproj.plan import Plan, PlanError
    from hybrid_qproj.sbert import with_head
    from hybrid_qproj.similarity.fidelity import (
        fidelity,
        log_fidelity,
        pairwise_fidelity,
        pairwise_log_fidelity,
    )
    from hybrid_qproj.similarity.topk import top_k_fidelity
    from hybrid_qproj.text.freezing import freeze_encoder

__version__ = version("hybrid-qproj")

__all__ = [
    "Ansatz",
    "AnsatzError",
    "ArgumentError",
    "CheckpointError",
    "ClassicalProjection",
    "CoherentProjection",
    "DataError",
    "DeviceSpec",
    "DeviceSpecError",
    "DeviceUnavailableError",
    "Head",
    "HybridQprojError",
    "NotFiniteError",
    "PCAProjection",
    "PaidDeviceError",
    "Plan",
    "PlanError",
    "QuantumProjection",
    "__version__",
    "fidelity",
    "freeze_encoder",
    "load",
    "load_head",
    "log_fidelity",
    "pairwise_fidelity",
    "pairwise_log_fidelity",
    "register_head",
    "top_k_fidelity",
    "torch_layer",
    "with_head",
]

# The imports above as they run: module -> names; a test compares the two.
_NAMES = {
    "_util.validation": ("NotFiniteError",),
    "blocks.layer": ("torch_layer",),
    "circuits": ("Ansatz", "AnsatzError"),
    "devices": ("DeviceSpec", "DeviceSpecError", "DeviceUnavailableError", "PaidDeviceError"),
    "errors": ("ArgumentError", "DataError", "HybridQprojError"),
    "heads.base": ("Head",),
    "heads.checkpoint": ("CheckpointError",),
    "heads.coherent": ("CoherentProjection",),
    "heads.linear": ("ClassicalProjection", "PCAProjection"),
    "heads.quantum": ("QuantumProjection",),
    "heads.registry": ("load_head", "register as register_head"),
    "loading": ("load",),
    "plan": ("Plan", "PlanError"),
    "sbert": ("with_head",),
    "similarity.fidelity": ("fidelity", "log_fidelity", "pairwise_fidelity", "pairwise_log_fidelity"),
    "similarity.topk": ("top_k_fidelity",),
    "text.freezing": ("freeze_encoder",),
}
_PLACES = {
    name.split(" as ")[-1]: (module, name.split(" as ")[0]) for module, names in _NAMES.items() for name in names
}
# Reached through the package itself, as in hybrid_qproj.circuits.register.
_MODULES = frozenset({"circuits", "devices", "encoding", "errors", "heads", "plan", "sbert", "similarity", "text"})


def __getattr__(name: str) -> Any:
    """A public name, or a package of this one, imported when somebody asks for it first."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), there)
    return found


def __dir__() -> list[str]:
    """What can be asked for, imported or not."""
    return sorted({*globals(), *__all__, *_MODULES})
