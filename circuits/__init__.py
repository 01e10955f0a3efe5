"""Block circuits, one ansatz a file, declared as PennyLane quantum functions."""

from hybrid_qproj.circuits.ansatz import Ansatz, AnsatzError, Normal
from hybrid_qproj.circuits.registry import find, get, names, register

__all__ = ["Ansatz", "AnsatzError", "Normal", "find", "get", "names", "register"]
