"""From a block's QNode to a TorchLayer that owns the weights of many blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import pennylane as qml
import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.tensors import following
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.qnode_layer import QNodeLayer
from hybrid_qproj.circuits import Ansatz, AnsatzError, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.errors import ArgumentError


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
        tied: for each block, the block whose weights it has, see `hybrid_qproj.plan.Stage`; empty if each has its own.
        flipped: for each block, whether it turns the other way than the block that it is tied to.

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
        tied: Sequence[int] = (),
        flipped: Sequence[bool] = (),
    ) -> None:
        # The parent's constructor insists on a live QNode, and so on an installed device; and it keeps a
        # second reference to the weights. Only what the parent's methods need is set up here.
        nn.Module.__init__(self)
        self.blocks = blocks
        self.ansatz = ansatz
        self.executor = executor
        self._own = sorted(set(tied)) if tied else range(blocks)
        self.weights = nn.Parameter(ansatz.initialize(init, len(self._own), generator))
        if any(flipped) and ansatz.mirror is None:
            raise AnsatzError(f"ansatz {ansatz.name!r} has no mirror, so its blocks cannot be tied and flipped")
        # The plan's, no state. No buffers: who averages models averages their buffers too.
        rows = {block: row for row, block in enumerate(self._own)}
        self.row = torch.tensor([rows[t] for t in tied], device="cpu") if tied else None
        self.flipped = torch.tensor(flipped, device="cpu")[:, None] if any(flipped) else None

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.row = None if self.row is None else following(fn, self.row)
        self.flipped = None if self.flipped is None else following(fn, self.flipped)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        """Take over raw weights of each block.

        Args:
            weights: (blocks, parameters), those of tied ones included but not looked at: they are the other's.
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
        """Raw weights of each block, (blocks, parameters), those of tied ones included."""
        weights = self.weights if self.row is None else self.weights[self.row.to(self.weights.device)]
        if self.flipped is None or self.ansatz.mirror is None:
            return weights
        return torch.where(self.flipped.to(weights.device), self.ansatz.mirror(weights), weights)

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
            raise ArgumentError(
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
    circuit: str | Ansatz | qml.QNode | Callable[..., Any] = "u_cu",
    blocks: int = 1,
    device: str | DeviceSpec | None = None,
    init: str | None = None,
    generator: torch.Generator | None = None,
    allow_paid: bool = False,
    weight_shapes: Mapping[str, int | tuple[int, ...]] | None = None,
) -> BlockLayer | QNodeLayer:
    """A TorchLayer for your own model: independent two-qubit blocks, or any QNode.

    Args:
        circuit: name of an ansatz, ``"package.module:name"``, or an `Ansatz`; or a QNode or quantum function of your
            own, see `hybrid_qproj.blocks.qnode_layer.QNodeLayer`.
        blocks: number of blocks, at least 1.
        device: device string; default.qubit, or a QNode's own device, when None.
        init: name of the ansatz's initialiser, ``"identity"`` when None; a QNode's weights are uniform in [0, 2 pi).
        generator: source of randomness of the initialiser.
        allow_paid: whether the device may be one that can cost money.
        weight_shapes: of a QNode or quantum function, the shape of each weight by its argument's name.

    Returns:
        a layer from (..., 2 * blocks) RY angles in radians to (..., blocks) expectation values in [-1, 1]; of a QNode
        from (..., width) to (..., what it measures).

    Raises:
        AnsatzError: the circuit or initialiser is not known.
        DeviceSpecError: the device string cannot be read.
        DeviceUnavailableError: nobody knows the device. A missing plugin shows at the first run, and so does
            `PaidDeviceError`.
        ValueError: ``blocks`` is not a whole number of at least 1, arguments of one kind of circuit are given with
            the other, or a quantum function and its ``weight_shapes`` do not fit.

    Examples:
        >>> import pennylane as qml, torch
        >>> from hybrid_qproj import torch_layer
        >>> model = torch.nn.Sequential(torch.nn.Linear(10, 16), torch_layer("rotor", blocks=8), torch.nn.Linear(8, 1))
        >>> model(torch.zeros(4, 10)).shape
        torch.Size([4, 1])
        >>> def circuit(inputs, weights):
        ...     qml.AngleEmbedding(inputs, wires=range(3))
        ...     qml.BasicEntanglerLayers(weights, wires=range(3))
        ...     return [qml.expval(qml.Z(wire)) for wire in range(3)]
        >>> torch_layer(circuit, device="lightning.qubit", weight_shapes={"weights": (2, 3)})(torch.zeros(4, 3)).shape
        torch.Size([4, 3])
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise ArgumentError(f"blocks={blocks!r}: expected a whole number of at least 1")
    if not isinstance(circuit, str | Ansatz):
        if blocks != 1 or init not in (None, "random"):
            raise ArgumentError("a circuit of your own has no blocks and no initialisers; leave blocks and init out")
        return QNodeLayer(circuit, weight_shapes, device, generator, allow_paid)
    if weight_shapes is not None:
        raise ArgumentError("weight_shapes is for a circuit of your own; an ansatz declares its parameters")
    ansatz = get(circuit)
    spec = DeviceSpec.parse(device or "default.qubit")
    check_known(spec.name)
    return BlockLayer(ansatz, blocks, BlockExecutor(ansatz, spec, allow_paid=allow_paid), init or "identity", generator)
