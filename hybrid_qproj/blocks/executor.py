"""From an ansatz and a device to a QNode, and from a QNode to a TorchLayer.

The QNode of a block encodes two angles by RY, applies the ansatz and reads Pauli Z of the kept wire. Blocks and
inputs ride together on its broadcast dimension.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Self

import pennylane as qml
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.tensors import following
from hybrid_qproj.blocks.exact import is_unitary
from hybrid_qproj.blocks.threads import circuits_locked
from hybrid_qproj.circuits import Ansatz, AnsatzError, get
from hybrid_qproj.devices import ADAPTERS, DeviceSpec, DeviceUnavailableError, adapter_for, can_cost, make_device
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.devices.cost import count
from hybrid_qproj.devices.noise import noise_model, parse_noise

CHUNK = 1 << 17
"""Circuits of one broadcast call: bounds the memory of direct mode (a two-qubit state is 64 bytes)."""


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
        """Whether the blocks' matrices give what this device would: default.qubit, exact, and nothing asked of it."""
        with circuits_locked():
            if "by_matrices" not in self._built:
                self._built["by_matrices"] = str(self.spec) == "default.qubit" and is_unitary(self.ansatz)
            return bool(self._built["by_matrices"])

    @property
    def _gradient(self) -> str:
        """The gradient method of the device that runs."""
        spec, _ = self._connect()
        adapter = adapter_for(spec.name)
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
                adapter = adapter_for(spec.name)
                method = self._gradient if differentiable else None
                node = qml.QNode(BlockCircuit(self.ansatz), device, interface="torch", diff_method=method)
                if spec.noise is not None:
                    node = qml.add_noise(node, noise_model(parse_noise(spec.noise)))
                if not adapter.batches or (spec.pack or 1) > 1 or method not in ("backprop", None):
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
        if not torch.is_grad_enabled() or not (inputs.requires_grad or weights.requires_grad):
            return self._run(inputs, weights, differentiable=False)
        if simulated_by_torch:
            return self._run(inputs, weights, differentiable=True)
        # On the CPU, where a backward pass stays in its thread: one that held the lock and waited for a GPU's thread
        # would wait for ever if that one waited for the lock.
        values: Tensor = _Circuits.apply(self, inputs.cpu(), weights.cpu())
        return values.to(inputs)

    def _run(self, inputs: Tensor, weights: Tensor, differentiable: bool) -> Tensor:
        """Values, (rows,), by the QNode; its own graph where it is differentiable."""
        with circuits_locked():
            node = self.qnode(differentiable)
            results = [
                torch.as_tensor(node(chunk, rows))
                for chunk, rows in zip(inputs.split(CHUNK), weights.split(CHUNK), strict=True)
            ]
        return torch.cat([result.reshape(-1).to(inputs) for result in results])


class _Circuits(torch.autograd.Function):
    """Circuits whose gradient is more circuits, or shifts of them: its backward pass takes the lock too."""

    @staticmethod
    def forward(ctx: Any, executor: BlockExecutor, *given: Tensor) -> Tensor:
        leaves = [
            value.detach().requires_grad_(wanted) for value, wanted in zip(given, ctx.needs_input_grad[1:], strict=True)
        ]
        with torch.enable_grad():
            values = executor._run(leaves[0], leaves[1], differentiable=True)
        # Saved the usual way so that a second backward pass over a freed graph is the usual error.
        ctx.save_for_backward(*given)
        ctx.inner = leaves, values
        return values.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        _ = ctx.saved_tensors
        leaves, values = ctx.inner
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        with circuits_locked():
            found = iter(torch.autograd.grad(values, wanted, upstream, retain_graph=True, allow_unused=True))
        return None, *(next(found) if leaf.requires_grad else None for leaf in leaves)


class BlockLayer(qml.qnn.TorchLayer):
    """A TorchLayer of independent blocks that owns their weights.

    Unlike its parent it never uses stale weights (``load_state_dict(assign=True)``, ``functional_call``), takes
    an empty batch and half precision, builds its device on first use, and forwards no attribute to the QNode.

    Args:
        ansatz: the block's ansatz.
        blocks: number of blocks, at least 1.
        executor: what runs the circuits.
        init: name of the ansatz's initialiser.
        generator: source of randomness of the initialiser.
        twin: for each block, the block whose weights it has, see `hybrid_qproj.plan.Stage`; None if each has its own.
        mirrored: for each block, whether it turns the other way than its twin.

    Attributes:
        weights: raw weights, Parameter (blocks with weights of their own, parameters), float32.

    Raises:
        AnsatzError: a block is to turn the other way, and the ansatz does not say how.
    """

    def __init__(
        self,
        ansatz: Ansatz,
        blocks: int,
        executor: BlockExecutor,
        init: str = "identity",
        generator: torch.Generator | None = None,
        twin: Sequence[int] = (),
        mirrored: Sequence[bool] = (),
    ) -> None:
        # The parent's constructor insists on a live QNode, and so on an installed device; and it keeps a
        # second reference to the weights. Only what the parent's methods need is set up here.
        nn.Module.__init__(self)
        self.blocks = blocks
        self.ansatz = ansatz
        self.executor = executor
        self._own = sorted(set(twin)) if twin else range(blocks)
        self.weights = nn.Parameter(ansatz.initialize(init, len(self._own), generator))
        if any(mirrored) and ansatz.mirror is None:
            raise AnsatzError(f"ansatz {ansatz.name!r} has no mirror, so its blocks cannot share weights as twins")
        # The plan's, no state. No buffers: who averages models averages their buffers too.
        rows = {block: row for row, block in enumerate(self._own)}
        self.row = torch.tensor([rows[t] for t in twin], device="cpu") if twin else None
        self.turned = torch.tensor(mirrored, device="cpu")[:, None] if any(mirrored) else None

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.row = None if self.row is None else following(fn, self.row)
        self.turned = None if self.turned is None else following(fn, self.turned)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        """Take over raw weights of each block.

        Args:
            weights: (blocks, parameters), those of twins included; a twin's are its partner's and are not looked at.
        """
        self.weights.copy_(weights[list(self._own)])

    @property
    def qnode(self) -> qml.QNode:
        """The QNode of one block, for drawing and counting: ``qml.draw(layer.qnode)(inputs, weights)``."""
        return self.executor.qnode()

    @property
    def qnode_weights(self) -> dict[str, Tensor]:
        """The current weights, read anew each time: the parent's copy of them goes stale."""
        return {"weights": self.weights}

    def block_weights(self) -> Tensor:
        """Raw weights of each block, (blocks, parameters), those of twins included."""
        weights = self.weights if self.row is None else self.weights[self.row.to(self.weights.device)]
        if self.turned is None or self.ansatz.mirror is None:
            return weights
        return torch.where(self.turned.to(weights.device), self.ansatz.mirror(weights), weights)

    def __getattr__(self, name: str) -> Any:
        return nn.Module.__getattr__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        nn.Module.__setattr__(self, name, value)

    def forward(self, inputs: Tensor) -> Tensor:
        """Run every block once for every input.

        Args:
            inputs: RY angles in radians, (..., 2 * blocks), any floating dtype; block g reads the pair
                ``inputs[..., 2 * g]`` (control) and ``inputs[..., 2 * g + 1]`` (kept).

        Returns:
            <Z> of each kept qubit in [-1, 1], (..., blocks), of the dtype of ``inputs``.

        Raises:
            ValueError: wrong width, or not floating point.
        """
        if not inputs.is_floating_point() or not inputs.shape or inputs.shape[-1] != 2 * self.blocks:
            raise ValueError(
                f"got inputs of shape {tuple(inputs.shape)} and dtype {inputs.dtype}; expected floating-point "
                f"angles of shape (..., {2 * self.blocks}): a pair for each of the {self.blocks} blocks"
            )
        return self.run(inputs, self.block_weights(), self.executor)

    def run(self, inputs: Tensor, weights: Tensor, executor: BlockExecutor) -> Tensor:
        """`forward` with weights and device of the caller's choice, who may have read them for several layers at once.

        Args:
            inputs: RY angles in radians, (..., 2 * blocks), floating point.
            weights: raw weights of each block, (blocks, parameters).
            executor: what runs the circuits.

        Returns:
            <Z> of each kept qubit, (..., blocks), of the dtype of ``inputs``.
        """
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        rows = widened(inputs, dtype).reshape(-1, 2)
        repeats = inputs.numel() // (2 * self.blocks)
        values = executor(rows, widened(weights.to(inputs.device), dtype).repeat(repeats, 1))
        return values.reshape(*inputs.shape[:-1], self.blocks).to(inputs.dtype)

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{self.ansatz.name}, blocks={self.blocks}, device={str(self.executor.spec)!r}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    __str__ = __repr__


def torch_layer(
    circuit: str | Ansatz = "u_cu",
    blocks: int = 1,
    device: str | DeviceSpec = "default.qubit",
    init: str = "identity",
    generator: torch.Generator | None = None,
    allow_paid: bool = False,
) -> BlockLayer:
    """A TorchLayer of independent two-qubit blocks for your own model.

    Args:
        circuit: name of an ansatz, ``"package.module:name"``, or an `Ansatz`.
        blocks: number of blocks, at least 1.
        device: device string.
        init: name of the ansatz's initialiser.
        generator: source of randomness of the initialiser.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        a layer from (..., 2 * blocks) RY angles in radians to (..., blocks) expectation values in [-1, 1].

    Raises:
        AnsatzError: the circuit or initialiser is not known.
        DeviceSpecError: the device string cannot be read.
        DeviceUnavailableError: nobody knows the device. A missing plugin shows at the first run, and so does
            `PaidDeviceError`.
        ValueError: ``blocks`` is not a whole number of at least 1.

    Examples:
        >>> import torch
        >>> from hybrid_qproj import torch_layer
        >>> model = torch.nn.Sequential(torch.nn.Linear(10, 16), torch_layer("rotor", blocks=8), torch.nn.Linear(8, 1))
        >>> model(torch.zeros(4, 10)).shape
        torch.Size([4, 1])
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise ValueError(f"blocks={blocks!r}: expected a whole number of at least 1")
    ansatz = get(circuit)
    spec = DeviceSpec.parse(device)
    check_known(spec.name)
    return BlockLayer(ansatz, blocks, BlockExecutor(ansatz, spec, allow_paid=allow_paid), init, generator)
