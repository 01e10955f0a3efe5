"""Quantum projection heads for text embeddings, compared by fidelity."""

from hybrid_qproj.baselines import ClassicalProjection
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.freezing import freeze_encoder
from hybrid_qproj.loading import load
from hybrid_qproj.projection import QuantumProjection
from hybrid_qproj.qnodes import torch_layer
from hybrid_qproj.similarity import (
    fidelity,
    log_fidelity,
    pairwise_fidelity,
    pairwise_log_fidelity,
)
from hybrid_qproj.top_k import top_k_fidelity

__all__ = [
    "ClassicalProjection",
    "DeviceSpec",
    "QuantumProjection",
    "fidelity",
    "freeze_encoder",
    "load",
    "log_fidelity",
    "pairwise_fidelity",
    "pairwise_log_fidelity",
    "top_k_fidelity",
    "torch_layer",
]
