"""The two locks of a process, which make a head in eval mode safe to call from any number of threads.

They belong to the process and not to a head because what they guard does: PennyLane keeps the circuit that is being
recorded in one list for all threads, every operator that any of them makes meanwhile (a decomposition, a shifted
circuit of a gradient) goes into it, and pausing the recording pauses it for all. So heads hold no lock, and can be
pickled, copied and sent to other processes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _ProcessLock:
    """A reentrant lock that is free in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            # A fork waits until no other thread is inside: the child would get half of what that one does, for ever.
            os.register_at_fork(before=self._take, after_in_parent=self._give_back, after_in_child=self._renew)

    def _take(self) -> None:
        self._lock.acquire()

    def _give_back(self) -> None:
        self._lock.release()

    def _renew(self) -> None:
        # The thread that forked may itself be inside, and its child not come back to where it would let go.
        self._lock = threading.RLock()

    @contextmanager
    def held(self) -> Iterator[None]:
        # By its own name: in a child that was forked inside, another lock is let go than was taken.
        lock = self._lock
        with lock:
            yield


# Forks take them in the order opposite to that of their making. Whoever takes both takes weights first, too: what is
# called while weights are replaced may run circuits, and no circuit replaces weights.
_CIRCUITS = _ProcessLock()
_WEIGHTS = _ProcessLock()


@contextmanager
def circuits_locked() -> Iterator[None]:
    """Build or run circuits while no other thread of this package does.

    Put your own PennyLane code inside where other threads call heads: PennyLane records for all threads at once.

    Examples:
        >>> import pennylane as qml
        >>> with circuits_locked():
        ...     print(qml.QNode(lambda: qml.expval(qml.Z(0)), qml.device("default.qubit"))())
        1.0
    """
    with _CIRCUITS.held():
        yield


@contextmanager
def weights_locked() -> Iterator[None]:
    """Replace weights of heads as one step: a head in another thread computes with all the old or all the new ones.

    ``head.load_state_dict`` does this by itself.

    Examples:
        >>> import torch
        >>> from hybrid_qproj import QuantumProjection
        >>> head = QuantumProjection(8, 2)
        >>> with weights_locked(), torch.no_grad():
        ...     for stage in head.stages:
        ...         _ = stage.weights.mul_(0.5)
    """
    with _WEIGHTS.held():
        yield
