"""Any QNode as a layer of a PyTorch model: whatever it returns, however its weights are shaped, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pennylane as qml
import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import widened
from hybrid_qproj.blocks.arguments import Shapes, input_argument, weight_shape
from hybrid_qproj.blocks.qnode import QNodeExecutor
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.errors import ArgumentError


class QNodeLayer(qml.qnn.TorchLayer):
    """A QNode, or a quantum function on the device of a string, that owns its weights.

    Unlike its parent it takes functions of one row (``inputs[0]``) as well as of many (``inputs[..., 0]``), lists,
    tuples and measurements of different shapes, states, an empty batch, half precision, and trainable inputs with
    every gradient method; and it never uses stale weights. Its weights have the names that its parent gives them.

    Args:
        circuit: the QNode or quantum function. The argument ``inputs``, or else the first that is no weight, takes a
            row of inputs; the others are weights, by position or by keyword.
        weight_shapes: shape of each weight by its argument's name: a number of entries, or a shape, ``()`` for one
            number.
        device: device string; None keeps a QNode's own device, and is default.qubit for a function.
        generator: source of randomness of the weights, which are uniform in [0, 2 pi).
        allow_paid: whether the string's device may be one that can cost money.

    Raises:
        ArgumentError: the arguments of the function and ``weight_shapes`` do not fit, or a name is taken by torch.
        DeviceSpecError: the device string cannot be read, or has a key of heads.
        DeviceUnavailableError: nobody knows the device.
    """

    def __init__(
        self,
        circuit: qml.QNode | Callable[..., Any],
        weight_shapes: Shapes | None = None,
        device: str | DeviceSpec | None = None,
        generator: torch.Generator | None = None,
        allow_paid: bool = False,
    ) -> None:
        # The parent would keep a second reference to the weights, which goes stale.
        nn.Module.__init__(self)
        shapes = {name: weight_shape(name, shape) for name, shape in (weight_shapes or {}).items()}
        function = circuit.func if isinstance(circuit, qml.QNode) else circuit
        self.executor = QNodeExecutor(circuit, input_argument(function, shapes), device, allow_paid)
        self.names = tuple(shapes)
        for name, shape in shapes.items():
            if hasattr(self, name):
                raise ArgumentError(f"a weight is called {name!r}, as something of torch's modules is; rename it")
            self.register_parameter(name, nn.Parameter(2 * math.pi * torch.rand(shape, generator=generator)))

    def __getattr__(self, name: str) -> Any:
        return nn.Module.__getattr__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        nn.Module.__setattr__(self, name, value)

    @property
    def qnode_weights(self) -> dict[str, Tensor]:
        """The current weights by name, read anew each time."""
        return {name: getattr(self, name) for name in self.names}

    @property
    def qnode(self) -> qml.QNode:
        """The QNode, for drawing and counting; that of a device string once the layer has run."""
        return self.executor.qnode()

    def forward(self, inputs: Tensor) -> Tensor:
        """Run the circuit for every row.

        Args:
            inputs: (..., width), any floating dtype; the circuit sees rows of this width.

        Returns:
            of one measurement its shape, behind the axes of ``inputs`` but the last; of a list or tuple (..., numbers),
            the measurements' numbers side by side, in their order. Real results are of the dtype of ``inputs``, states
            of a complex one.

        Raises:
            ArgumentError: inputs without an axis or not of floating point, or results that are no numbers.
            PaidDeviceError: the device can cost money and is not allowed.
            DeviceUnavailableError: it cannot be built here.
        """
        if not inputs.is_floating_point() or not inputs.shape:
            raise ArgumentError(
                f"got inputs of shape {tuple(inputs.shape)} and dtype {inputs.dtype}; expected floating-point numbers "
                "of shape (..., width)"
            )
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        rows = widened(inputs, dtype).reshape(math.prod(inputs.shape[:-1]), inputs.shape[-1]).cpu()
        weights = {name: widened(value, dtype).cpu() for name, value in self.qnode_weights.items()}
        values = self.executor(rows, weights)
        values = values.reshape((*inputs.shape[:-1], *values.shape[1:]))
        return values.to(inputs.device, dtype.to_complex() if values.is_complex() else inputs.dtype)

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        shapes = "".join(f"{name}={tuple(value.shape)}, " for name, value in self.qnode_weights.items())
        return f"{getattr(self.executor.function, '__name__', 'circuit')}, {shapes}device={self.executor.label!r}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    __str__ = __repr__
