"""Heads whose blocks are response tensors: these can be read, corrected on a device, and served from a measurement."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from hybrid_qproj.blocks.cache import FixedResponses
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import exact_or_probed
from hybrid_qproj.blocks.threads import weights_locked
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.fitting.weights import correct_weights
from hybrid_qproj.heads.circuit import CircuitHead


class MeasuredHead(CircuitHead):
    """A head that measures a kept qubit and prepares it anew, so that <Z> is all it must know of a block.

    Arguments and attributes are those of `CircuitHead`.
    """

    @property
    def mode(self) -> str:
        """``"interpolated"``: nine probes a block; ``"direct"``: one circuit a block and embedding."""
        return self.device.mode

    def responses(self) -> list[Tensor]:
        """What the blocks do, whatever their inputs: response tensors R of z(a, b) = sum_ij R[i, j] f_i(a) f_j(b).

        Returns:
            one tensor a stage, (blocks, 3, 3), float32, without gradient; f(t) = (1, cos t, sin t) of the RY angles, a
            of the control and b of the kept qubit.
        """
        with torch.no_grad():
            responses = self.probed(self._read()[0], torch.float32, training=False)
        # A copy: what the caller does to it must not reach what the head computes with.
        return self._stagewise(responses.clone())

    def correct(self, rounds: int = 2) -> Self:
        """Correct the weights for the errors of the head's device.

        Blocks are measured there and brought closer to what an exact simulation says that they do now. Ask for all
        rounds in one call: a second one would take the corrected weights for what is wanted.

        Args:
            rounds: each runs nine circuits a block, and so does one more at the start; see
                `hybrid_qproj.fitting.weights.correct_weights`.

        Returns:
            the head itself.

        Raises:
            ValueError: ``rounds`` is below 1.
            PaidDeviceError: the head's device can cost money, and nobody has allowed that.
        """
        weights = self.block_weights().double().cpu()
        targets = exact_or_probed(BlockExecutor(self.ansatz, DeviceSpec("default.qubit")), weights)
        self.assign(correct_weights(self.ansatz, weights, targets, self.device, rounds, self.allow_paid)[0])
        return self

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        """Take over raw weights, as one step for other threads.

        Args:
            weights: of all blocks, stage by stage, (blocks, parameters), those of twins included.
        """
        with weights_locked():
            for layer, values in zip(self.layers, self._stagewise(weights), strict=True):
                layer.assign(values)

    def use_responses(self, weights: Tensor, responses: Tensor) -> Self:
        """Serve from response tensors that were measured before; see `hybrid_qproj.calibration`.

        The weights are frozen, since their gradient would need circuits; ``to_device`` goes back to running them.

        Args:
            weights: raw weights that were measured, (blocks, parameters), float64.
            responses: their response tensors, (blocks, 3, 3).

        Returns:
            the head itself.

        Raises:
            ValueError: they were measured on other weights, or the head runs in direct mode.
        """
        if self.mode != "interpolated":
            raise ArgumentError(f"device {str(self.device)!r} runs in direct mode, which takes no responses")
        if weights.shape != (self.plan.blocks, self.ansatz.parameters):
            raise ArgumentError(
                f"got weights of shape {tuple(weights.shape)}; this head has {self.plan.blocks} blocks of "
                f"{self.ansatz.parameters} parameters"
            )
        if responses.shape != (self.plan.blocks, 3, 3) or not bool(responses.isfinite().all()):
            raise ArgumentError(
                f"got responses of shape {tuple(responses.shape)}; expected finite numbers of shape "
                f"({self.plan.blocks}, 3, 3)"
            )
        served = self.probed.serving(FixedResponses(weights, responses))
        served(self._read()[0], torch.float64, training=False)
        self.stages.requires_grad_(False)
        return self._serve_by(served)
