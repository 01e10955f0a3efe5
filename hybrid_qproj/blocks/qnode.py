"""A QNode of somebody's own on a live device, and rows through it: what `hybrid_qproj.blocks.executor` is to blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pennylane as qml
import torch
from pennylane.measurements import MeasurementProcess
from pennylane.tape import QuantumScript
from torch import Tensor

from hybrid_qproj.blocks.batches import takes_batches
from hybrid_qproj.blocks.gradients import LockedGradient
from hybrid_qproj.blocks.outputs import joined, row_shape, stacked
from hybrid_qproj.blocks.threads import circuits_locked
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.devices.cost import count
from hybrid_qproj.devices.plugin import OF_HEADS, check_keys, open_device
from hybrid_qproj.errors import ArgumentError

Weights = Mapping[str, Tensor]


class QNodeExecutor:
    """Runs a QNode, or a quantum function on the device of a string; builds both on first use, in every process anew.

    Args:
        circuit: the QNode or quantum function.
        argument: name of the argument that takes inputs.
        device: device string; None keeps a QNode's own device, and is default.qubit for a function.
        allow_paid: whether the string's device may be one that can cost money. Pickles and copies come without it.

    Raises:
        DeviceSpecError: the device string cannot be read, or has a key of heads.
        DeviceUnavailableError: nobody knows the device.
    """

    def __init__(
        self,
        circuit: qml.QNode | Callable[..., Any],
        argument: str,
        device: str | DeviceSpec | None = None,
        allow_paid: bool = False,
    ) -> None:
        self.given = circuit if isinstance(circuit, qml.QNode) else None
        self.function = circuit.func if isinstance(circuit, qml.QNode) else circuit
        self.argument = argument
        self.spec = None if device is None and self.given is not None else DeviceSpec.parse(device or "default.qubit")
        self.allow_paid = allow_paid
        self._live: dict[str, Any] = {}
        if self.spec is not None:
            check_known(self.spec.name)
            check_keys(self.spec, OF_HEADS)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": {}, "allow_paid": False}

    @property
    def label(self) -> str:
        """The device, in words."""
        return str(self.spec) if self.given is None or self.spec is not None else str(self.given.device.name)

    @torch.compiler.disable
    def __call__(self, rows: Tensor, weights: Weights) -> Tensor:
        """Run the circuit for every row.

        Args:
            rows: inputs, (rows, width), on the CPU.
            weights: the other arguments, there too.

        Returns:
            (rows, ...), see `hybrid_qproj.blocks.outputs.joined`. On devices that torch differentiates it can be
            differentiated any number of times, elsewhere once.
        """
        with circuits_locked():
            self._connect(rows, weights)
            if not len(rows):
                return self._none(rows, weights)
            together = self._together(rows, weights)
            wanted = torch.is_grad_enabled() and any(value.requires_grad for value in (rows, *weights.values()))
            method = self._method if wanted else None
            if method in ("backprop", None):
                return self._run(method is not None, together, rows, *weights.values(), names=tuple(weights))

        def run(*values: Tensor) -> Tensor:
            with circuits_locked():
                return self._run(True, together, *values, names=tuple(weights))

        return LockedGradient.apply(run, rows, *weights.values())

    def qnode(self, differentiable: bool = True) -> qml.QNode:
        """The QNode on the live device, for single rows.

        Args:
            differentiable: False gives one without gradient: adjoint devices compute the Jacobian with every forward
                pass, under torch.no_grad too.

        Raises:
            ArgumentError: the device of a string is not built yet, or the QNode has a vector of shots.
        """
        if "device" not in self._live:
            if self.given is not None and self.spec is None:
                return self.given
            raise ArgumentError("the device is built when the layer first runs, which shows what wires it needs")
        key = "with gradient" if differentiable else "without"
        if key not in self._live:
            settings = {"interface": "torch", "diff_method": self._method if differentiable else None}
            device = self._live["device"]
            if self.given is None:
                node = qml.QNode(self.function, device, **settings)
            else:
                node = self.given.update(device=device, **settings)
            self._live[key] = node if self.spec is None else qml.set_shots(node, self.spec.shots)
        if self._live[key].shots.has_partitioned_shots:
            raise ArgumentError("the QNode has a vector of shots; a layer takes one number of them")
        return self._live[key]

    @property
    def _method(self) -> Any:
        """The gradient method: the QNode's own, the string's, or the device's best."""
        own = "best" if self.given is None else self.given.diff_method
        if self.spec is None:
            assert self.given is not None
            config = qml.devices.ExecutionConfig(gradient_method="backprop")
            by_torch = own == "best" and not self.given.shots and self.given.device.supports_derivatives(config)
            return "backprop" if by_torch else own
        # A row names the method that is best for a block's expectation value; other measurements may want another.
        by_torch = self.spec.shots is None and self.spec.adapter.gradient == "backprop"
        return self.spec.diff_method or ("backprop" if by_torch and own == "best" else own)

    def _connect(self, rows: Tensor, weights: Weights) -> None:
        """Build the device, with the wires of the circuit of a row."""
        # A fork copies a device, but not the threads, pools and GPU that it works with.
        if self._live.get("process") != os.getpid():
            self._live = {"process": os.getpid()}
        if "device" in self._live:
            return
        own = None if self.given is None else self.given.device
        if self.spec is None:
            self._live["device"] = own
            return
        declared = None if own is None else own.wires
        labels = list(declared or _labels(self._trace(rows, weights)[0]))
        self._live["device"] = open_device(self.spec, labels, self.allow_paid, count(len(rows), self.spec.shots))

    def _trace(self, rows: Tensor, weights: Weights) -> tuple[QuantumScript, bool]:
        """The circuit of one row, and whether it returns a measurement as it is, not in a list."""
        row = rows.detach()[0] if len(rows) else rows.new_ones(rows.shape[1])
        with qml.queuing.AnnotatedQueue() as queue:
            returned = self.function(**{self.argument: row}, **{k: w.detach() for k, w in weights.items()})
        return QuantumScript.from_queue(queue), isinstance(returned, MeasurementProcess)

    def _together(self, rows: Tensor, weights: Weights) -> bool:
        """Whether rows may run as one batch; found out once for each width."""
        key = f"together, {rows.shape[1]} wide"
        if key not in self._live:
            pair = rows.detach()[[0, -1]]
            if torch.equal(*pair):
                return False
            named = {name: weight.detach() for name, weight in weights.items()}
            self._live[key] = takes_batches(self.function, self.argument, pair, named)
        return self._live[key]

    def _run(
        self, differentiable: bool, together: bool, rows: Tensor, *weights: Tensor, names: tuple[str, ...]
    ) -> Tensor:
        node = self.qnode(differentiable)
        named = dict(zip(names, weights, strict=True))
        if not together:
            return stacked([node(**{self.argument: row}, **named) for row in rows])
        if differentiable and self._method != "backprop":
            # Gradient transforms refuse a trainable batch (PennyLane issue 4462).
            node = qml.transforms.broadcast_expand(node)
        return joined(node(**{self.argument: rows}, **named), len(rows))

    def _none(self, rows: Tensor, weights: Weights) -> Tensor:
        """Results of no rows, of the shape that others have, with a graph to the weights."""
        tape, single = self._trace(rows, weights)
        shots = self.qnode(differentiable=False).shots
        shape = row_shape(tape.copy(shots=shots), single, len(self._live["device"].wires or tape.wires))
        return rows.new_zeros(0, *shape) + 0 * torch.stack([v.sum() for v in (rows, *weights.values())]).sum()


def _labels(tape: QuantumScript) -> list[Any]:
    """Wires of a device for a circuit: 0, 1, ... where it counts so, whatever it begins with."""
    wires = tape.wires.tolist()
    counted = all(isinstance(wire, int) and wire >= 0 for wire in wires)
    return list(range(max(wires) + 1)) if counted else wires
