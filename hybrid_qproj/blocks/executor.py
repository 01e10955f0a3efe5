"""From an ansatz and a device to a QNode, and rows of inputs and weights through it.

The QNode of a block encodes two angles by RY, applies the ansatz and reads Pauli Z of the kept wire. Blocks and
inputs ride together on its broadcast dimension.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import pennylane as qml
import torch
from torch import Tensor

from hybrid_qproj.blocks.exact import is_unitary
from hybrid_qproj.blocks.gradients import LockedGradient
from hybrid_qproj.blocks.threads import circuits_locked
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import ADAPTERS, DeviceSpec, DeviceUnavailableError, can_cost, make_device
from hybrid_qproj.devices.cost import count
from hybrid_qproj.devices.noise import noise_model, parse_noise

CIRCUITS_PER_CALL = 1 << 17
"""Of one broadcast call: bounds the memory of direct mode (a two-qubit state is 64 bytes)."""


class BlockCircuit:
    """The quantum function of a block, ``(inputs, weights) -> <Z>`` of the kept wire.

    A class, not a closure, so that QNodes made of it can be pickled.

    Args:
        ansatz: the block's ansatz.
    """

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self.__name__ = ansatz.name

    def __call__(self, inputs: Any, weights: Any) -> Any:
        """Queue the circuit: inputs (..., 2) RY angles, weights (..., parameters)."""
        wires = range(self.ansatz.wires)
        qml.RY(inputs[..., 0], wires=wires[0])
        qml.RY(inputs[..., 1], wires=wires[1])
        self.ansatz.queue(weights, wires)
        return qml.expval(qml.Z(wires[self.ansatz.kept]))


class BlockExecutor:
    """Runs block circuits of one ansatz on one device; shared by all stages of a head.

    The live device and its QNodes are built on first use and left out of pickles and copies, so that a head
    can be loaded where its device's plugin is missing, and every worker process builds its own, a forked one too.
    All threads may call it: one of them builds and runs circuits at a time.

    Args:
        ansatz: the block's ansatz.
        spec: the device.
        remembered: whether the spec came with a saved model. If its device cannot be built here, circuits then run on
            default.qubit, with a warning at the first one; a spec that somebody asks for, or that can cost money, is an
            error instead.
        allow_paid: whether the device may be one that can cost money. Pickles and copies come without it, so that no
            file gives it: whoever unpickles says so again.
    """

    def __init__(self, ansatz: Ansatz, spec: DeviceSpec, remembered: bool = False, allow_paid: bool = False) -> None:
        self.ansatz = ansatz
        self.spec = spec
        self.remembered = remembered
        self.allow_paid = allow_paid
        self._live: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": {}, "allow_paid": False}

    @property
    def _built(self) -> dict[str, Any]:
        """What is live in this process; read and filled where circuits are locked."""
        # A fork copies a device, but not the threads, pools and GPU that it works with.
        if self._live.get("process") != os.getpid():
            self._live = {"process": os.getpid()}
        return self._live

    @property
    def device(self) -> qml.devices.Device:
        """The live device.

        Raises:
            PaidDeviceError: it can cost money, and nobody has allowed that.
            DeviceUnavailableError: it cannot be built here, and was asked for.
        """
        with circuits_locked():
            return self._connect()[1]

    @property
    def replaceable(self) -> bool:
        """Whether default.qubit stands in for the device where that is missing: it was saved, and costs nothing."""
        return self.remembered and not (self.spec.name in ADAPTERS and can_cost(self.spec))

    def _connect(self, work: str = "") -> tuple[DeviceSpec, qml.devices.Device]:
        """The spec that runs, and its device; ``work`` is what is to run, for the error of one that can cost money."""
        if "device" not in self._built:
            spec = self.spec
            try:
                device = make_device(spec, self.ansatz.wires, self.allow_paid, work)
            except DeviceUnavailableError as error:
                if not self.replaceable:
                    raise
                spec = DeviceSpec("default.qubit", shots=spec.shots, seed=spec.seed, mode=spec.mode)
                warnings.warn(
                    f"the model was saved for a device that is not available here ({error}). Its circuits run on "
                    f"{str(spec)!r} instead, without that device's noise",
                    stacklevel=2,
                )
                device = make_device(spec, self.ansatz.wires)
            self._built["device"] = spec, device
        return self._built["device"]

    @property
    def by_matrices(self) -> bool:
        """Whether the blocks' matrices give what this device would: it is exact, and nothing is asked of it."""
        with circuits_locked():
            if "by_matrices" not in self._built:
                adapter, plain = self.spec.adapter, self.spec == DeviceSpec(self.spec.name)
                # What a wrapper changes, matrices would not show.
                exact = plain and adapter.exact_matrices and not adapter.wrappers
                self._built["by_matrices"] = exact and is_unitary(self.ansatz)
            return bool(self._built["by_matrices"])

    @property
    def _gradient(self) -> str:
        """The gradient method of the device that runs."""
        spec, _ = self._connect()
        adapter = spec.adapter
        return spec.diff_method or (adapter.gradient if spec.shots is None else adapter.sampled_gradient)

    def qnode(self, differentiable: bool = True) -> qml.QNode:
        """The QNode of a block.

        Args:
            differentiable: False gives a QNode without gradient: adjoint devices compute the Jacobian with
                every forward pass, under torch.no_grad too.

        Returns:
            the QNode, taking ``inputs`` (batch, 2) and ``weights`` (batch, parameters).
        """
        key = "qnode" if differentiable else "qnode without gradient"
        with circuits_locked():
            if key not in self._built:
                spec, device = self._connect()
                method = self._gradient if differentiable else None
                node = qml.QNode(BlockCircuit(self.ansatz), device, interface="torch", diff_method=method)
                if spec.noise is not None:
                    node = qml.add_noise(node, noise_model(parse_noise(spec.noise)))
                if not spec.adapter.batches or (spec.pack or 1) > 1 or method not in ("backprop", None):
                    # Gradient transforms refuse a trainable broadcast parameter (PennyLane issue 4462), and only
                    # separate circuits can be packed.
                    node = qml.transforms.broadcast_expand(node)
                self._built[key] = qml.set_shots(node, spec.shots)
            return self._built[key]

    @torch.compiler.disable
    def __call__(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Run one circuit for every row.

        Args:
            inputs: RY angles of control and kept qubit in radians, (rows, 2), float32 or float64.
            weights: raw weights, (rows, parameters).

        Returns:
            <Z> of the kept wire, (rows,), of the dtype and on the torch device of ``inputs``. By simulators that torch
            differentiates it can be differentiated any number of times, elsewhere once.
        """
        if not len(inputs):
            return inputs.new_zeros(0) + 0 * (inputs.sum() + weights.sum())
        with circuits_locked():
            self._connect(count(len(inputs), self.spec.shots))
            simulated_by_torch = self._gradient == "backprop"
        # Circuits run from the CPU, whatever they run on: PennyLane 0.45 multiplies a state that it made there with
        # gates that are where the weights are. A backward pass stays in its thread there, too: one that held the lock
        # and waited for a GPU's thread would wait for ever if that one waited for the lock.
        here = inputs.cpu(), weights.cpu()
        if not torch.is_grad_enabled() or not (inputs.requires_grad or weights.requires_grad):
            values = self._run(*here, differentiable=False)
        elif simulated_by_torch:
            values = self._differentiable(*here)
        else:
            values = LockedGradient.apply(self._differentiable, *here)
        return values.to(inputs)

    def _run(self, inputs: Tensor, weights: Tensor, differentiable: bool) -> Tensor:
        """Values, (rows,), by the QNode; its own graph where it is differentiable."""
        with circuits_locked():
            node = self.qnode(differentiable)
            results = [
                torch.as_tensor(node(chunk, rows))
                for chunk, rows in zip(inputs.split(CIRCUITS_PER_CALL), weights.split(CIRCUITS_PER_CALL), strict=True)
            ]
        return torch.cat([result.reshape(-1).to(inputs) for result in results])

    def _differentiable(self, inputs: Tensor, weights: Tensor) -> Tensor:
        return self._run(inputs, weights, differentiable=True)
