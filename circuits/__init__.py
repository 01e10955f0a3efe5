"""Block circuits, one ansatz a file, declared as PennyLane quantum functions."""

from hybrid_qproj.circuits.ansatz import Ansatz, AnsatzError, Normal
from hybrid_qproj.circuits.registry import get, names, register

__all__ = ["Ansatz", "AnsatzError", "Normal", "get", "names", "register"]
