"""Fidelity of outputs: of pairs, of all pairs, the closest ones, and of any states through their Bloch vectors."""

from hybrid_qproj.similarity.fidelity import fidelity, log_fidelity, pairwise_fidelity, pairwise_log_fidelity
from hybrid_qproj.similarity.topk import top_k_fidelity

__all__ = ["fidelity", "log_fidelity", "pairwise_fidelity", "pairwise_log_fidelity", "top_k_fidelity"]
