"""Quantum projection heads for text embeddings, compared by fidelity."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

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
from hybrid_qproj.similarity.fidelity import (
    fidelity,
    log_fidelity,
    pairwise_fidelity,
    pairwise_log_fidelity,
)
from hybrid_qproj.similarity.topk import top_k_fidelity
from hybrid_qproj.text.freezing import freeze_encoder

if TYPE_CHECKING:
    from hybrid_qproj.sbert import with_head

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


def __getattr__(name: str) -> Any:
    """`with_head` when somebody asks for it: sentence-transformers is an extra, and takes seconds to import."""
    if name == "with_head":
        from hybrid_qproj.sbert import with_head  # noqa: PLC0415

        return with_head
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
