"""Quantum projection heads for text embeddings, compared by fidelity."""

from hybrid_qproj.blocks.layer import torch_layer
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.heads.linear import ClassicalProjection
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.loading import load
from hybrid_qproj.similarity.fidelity import (
    fidelity,
    log_fidelity,
    pairwise_fidelity,
    pairwise_log_fidelity,
)
from hybrid_qproj.similarity.topk import top_k_fidelity
from hybrid_qproj.text.freezing import freeze_encoder

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
