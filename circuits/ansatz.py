"""The declaration of a block circuit: everything the package derives comes from one `Ansatz`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pennylane as qml
import torch

from hybrid_qproj.errors import HybridQprojError

Initializer = Callable[[int, torch.Generator | None], torch.Tensor]
"""(number of blocks, generator) -> raw weights of shape (blocks, parameters), float32."""


class AnsatzError(HybridQprojError, ValueError):
    """A declared ansatz contradicts itself: its circuit, its parameter names or its initialisers."""


def unchanged(raw: Any) -> Any:
    """Raw weights that are the gate angles."""
    return raw


@dataclass(frozen=True)
class Ansatz:
    """A block circuit that reads two encoded qubits and keeps one of them.

    The circuit is written once, as a PennyLane quantum function. The QNode, the TorchLayer, the response
    tensor, the drawings and the resource counts are all made from it.

    Args:
        name: the name under which `hybrid_qproj.circuits.get` finds it.
        circuit: quantum function ``circuit(angles, wires)`` that applies the gates and returns nothing.
            ``angles[i]`` is the gate angle of the i-th parameter in radians, a scalar or one value per
            block; ``wires[0]`` is the control qubit c, ``wires[1]`` the qubit b.
        parameter_names: one name per parameter, in the order of the last axis of the weights.
        initializers: initialisers by name; each returns raw weights of shape (blocks, parameters).
        citation: where the circuit comes from.
        angles: maps raw weights to gate angles, elementwise on any shape; by default they are the same.
        mirror: maps raw weights to those of the block that turns the other way, elementwise on any shape, where there
            are such: the block's response with the sign of sin(b) changed. Only ansaetze that have it can have twins
            (see `hybrid_qproj.plan.Stage`).
        kept: position in ``wires`` of the qubit whose Pauli Z is read and that goes on.
        wires: number of wires of a block; those beyond the first two start in the state 0.

    Raises:
        AnsatzError: the declaration contradicts itself (see `Ansatz.check`).
    """

    name: str
    circuit: Callable[[Sequence[Any], Sequence[Any]], object]
    parameter_names: tuple[str, ...]
    initializers: Mapping[str, Initializer] = field(repr=False)
    citation: str = field(repr=False)
    angles: Callable[[Any], Any] = field(default=unchanged, repr=False)
    mirror: Callable[[Any], Any] | None = field(default=None, repr=False)
    kept: int = 1
    wires: int = 2

    @property
    def parameters(self) -> int:
        """Number of trainable parameters of one block."""
        return len(self.parameter_names)

    @property
    def parameter_shape(self) -> tuple[int, ...]:
        """Shape of one block's weights."""
        return (self.parameters,)

    def initialize(self, scheme: str, blocks: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw raw weights for some blocks.

        Args:
            scheme: name of one of the ansatz's initialisers.
            blocks: number of blocks, at least 0.
            generator: source of randomness; torch's global one when None.

        Returns:
            float32 tensor of shape (blocks, parameters).

        Raises:
            AnsatzError: there is no such initialiser, or it returns a wrong shape.
        """
        if scheme not in self.initializers:
            raise AnsatzError(
                f"ansatz {self.name!r} has no initialiser {scheme!r}; it has: {', '.join(self.initializers)}"
            )
        weights = self.initializers[scheme](blocks, generator)
        if tuple(weights.shape) != (blocks, self.parameters):
            raise AnsatzError(
                f"initialiser {scheme!r} of ansatz {self.name!r} returned shape {tuple(weights.shape)} "
                f"for {blocks} blocks; expected {(blocks, self.parameters)}, one column for each of "
                f"parameter_names {self.parameter_names}"
            )
        return weights.float()

    def queue(self, weights: torch.Tensor, wires: Sequence[Any]) -> object:
        """Queue the gates of a block, or of many at once: what the QNode runs, inside a quantum function.

        Args:
            weights: raw weights, (parameters,), or (blocks, parameters) for gates with a batch of angles.
            wires: the block's wires, control first.

        Returns:
            what the circuit returns: None of a sound one.
        """
        angles = self.angles(weights)
        return self.circuit([angles[..., i] for i in range(self.parameters)], wires)

    def trace(self, weights: torch.Tensor, wires: Sequence[Any] | None = None) -> qml.tape.QuantumScript:
        """The gates of a block, or of many at once, as PennyLane records them.

        Args:
            weights: raw weights, (parameters,), or (blocks, parameters) for gates with a batch of angles.
            wires: the block's wires, control first; 0, 1, ... when None.

        Returns:
            the tape, without encoding and measurement.

        Raises:
            AnsatzError: the circuit measures or returns something. What it raises itself goes through.
        """
        with qml.queuing.AnnotatedQueue() as queue:
            returned = self.queue(weights, range(self.wires) if wires is None else wires)
        tape = qml.tape.QuantumScript.from_queue(queue)
        if returned is not None or tape.measurements:
            raise AnsatzError(
                f"the circuit of ansatz {self.name!r} returns or measures something; it must only apply "
                "gates: the package reads the kept wire itself"
            )
        return tape

    def check(self) -> Ansatz:
        """Trace the circuit once and return the ansatz itself if it holds together.

        Raises:
            AnsatzError: the circuit needs more parameters than it names, uses wires it does not declare,
                measures or returns something, holds gates of a wrong batch shape, or an initialiser
                returns a wrong shape.
        """
        if self.wires < 2 or not 0 <= self.kept < self.wires:  # noqa: PLR2004 - control and kept qubit
            raise AnsatzError(
                f"ansatz {self.name!r} declares {self.wires} wires and kept wire {self.kept}; expected at "
                "least 2 wires and 0 <= kept < wires"
            )
        if not self.initializers:
            raise AnsatzError(f"ansatz {self.name!r} has no initialiser; give at least one, e.g. 'random'")
        blocks = 3
        every = [self.initialize(scheme, blocks) for scheme in self.initializers]
        try:
            many, one = self.trace(every[0]), self.trace(every[0][0])
        except AnsatzError:
            raise
        except Exception as error:
            raise AnsatzError(
                f"the circuit of ansatz {self.name!r} failed on {self.parameters} parameters "
                f"({', '.join(self.parameter_names)}): {type(error).__name__}: {error}"
            ) from error
        unknown = [wire for wire in many.wires if wire not in range(self.wires)]
        if unknown:
            raise AnsatzError(
                f"the circuit of ansatz {self.name!r} acts on wires {unknown}; use only the {self.wires} it is given"
            )
        for operation, alone in zip(many.operations, one.operations, strict=True):
            batch = operation.batch_size
            try:
                separate = qml.transforms.broadcast_expand(qml.tape.QuantumScript([operation]))[0][0].operations[0]
            except Exception as error:
                raise AnsatzError(
                    f"gate {operation.name} in ansatz {self.name!r} takes no batch of angles, one a block "
                    f"({type(error).__name__}: {error}); use one that does, such as PauliRot for an exponential"
                ) from error
            if batch not in (None, blocks) or list(map(qml.math.shape, separate.data)) != list(
                map(qml.math.shape, alone.data)
            ):
                raise AnsatzError(
                    f"gate {operation.name} in ansatz {self.name!r} got a batch of {batch} angles for {blocks} blocks; "
                    "index the parameter axis first, as in angles[0], and apply a template's gates one by one"
                )
        return self


@dataclass(frozen=True)
class Normal:
    """An initialiser that draws independent normal raw weights of mean 0.

    A class, not a closure, so that an ansatz can be pickled to worker processes.

    Args:
        parameters: parameters of a block.
        std: standard deviation.
    """

    parameters: int
    std: float = 1.0

    def __call__(self, blocks: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw weights of shape (blocks, parameters)."""
        return self.std * torch.randn(blocks, self.parameters, generator=generator)


IDENTITY_NOISE = 0.02
"""Standard deviation (raw units) of the noise on top of the identity start: it breaks the symmetry between
blocks without moving the head noticeably away from truncation."""
