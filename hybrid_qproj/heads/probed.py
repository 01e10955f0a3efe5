"""A head's blocks on a device: what runs their circuits, and what is known of them there."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from hybrid_qproj.blocks.bloch_map import exact_or_probed_maps, framed
from hybrid_qproj.blocks.cache import FixedResponses, ResponseCache
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec, adapter_for
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.errors import ArgumentError


class ProbedBlocks:
    """Blocks of one ansatz on one device, and their responses as long as the weights stay.

    Never changed: another device, or responses that were measured before, are another of these. So whoever reads a
    head's once has an executor and responses that belong together, whatever other threads do to the head meanwhile.

    Args:
        ansatz: of the blocks: a name, ``"package.module:name"`` or an `Ansatz`.
        device: device string.
        remembered: see `BlockExecutor`.
        allow_paid: whether the device may be one that can cost money.

    Attributes:
        executor: what runs the circuits.
        measured: the responses that are served in place of the circuits'; None where circuits run.

    Raises:
        AnsatzError: there is no such ansatz.
        DeviceSpecError: the device string cannot be read.
        DeviceUnavailableError: nobody knows the device. A missing plugin shows at the first run.
    """

    def __init__(
        self, ansatz: str | Ansatz, device: str | DeviceSpec, remembered: bool = False, allow_paid: bool = False
    ) -> None:
        spec = DeviceSpec.parse(device)
        if not remembered:
            check_known(spec.name)
        self.executor = BlockExecutor(get(ansatz), spec, remembered, allow_paid)
        self.measured: FixedResponses | None = None
        self._prober = self.executor
        self._cache = ResponseCache()

    def __call__(self, weights: Tensor, dtype: torch.dtype, training: bool) -> Tensor:
        """Responses of all blocks; see `ResponseCache` and `FixedResponses`.

        Args:
            weights: raw weights, (blocks, parameters), which nobody changes meanwhile.
            dtype: float32 or float64.
            training: whether the caller trains.

        Returns:
            a tensor whose first axis is the blocks.
        """
        return (self.measured or self._cache)(self._prober, weights, dtype, training)

    def on(self, device: str | DeviceSpec, remembered: bool = False, allow_paid: bool = False) -> Self:
        """The same blocks on another device, of which nothing is known yet."""
        return type(self)(self.executor.ansatz, device, remembered, allow_paid)

    def serving(self, measured: FixedResponses) -> Self:
        """The same blocks, whose circuits need not run any more."""
        served = copy.copy(self)
        served.measured = measured
        return served

    def what_a_device_adds(self) -> str | None:
        """What of the device shows in the numbers: its shots and its noise; None where it is exact."""
        if self.measured is not None:
            # No circuit runs: whatever the device is, it adds nothing.
            return "measured"
        spec = self.executor.spec
        if spec.shots is None and spec.noise is None and adapter_for(spec.name).is_exact(spec.option("backend")):
            return None
        # Shots drawn anew, or circuits in other packs, are the same device.
        return str(spec.replace(seed=None, mode="interpolated", pack=None, wires=None, diff_method=None))


class MappedBlocks(ProbedBlocks):
    """Blocks whose responses are maps of whole Bloch vectors, (blocks, ...) of `hybrid_qproj.blocks.bloch_map`.

    Raises:
        ValueError: the device string asks for direct mode too: circuits run for probes only.
    """

    def __init__(
        self, ansatz: str | Ansatz, device: str | DeviceSpec, remembered: bool = False, allow_paid: bool = False
    ) -> None:
        super().__init__(ansatz, device, remembered, allow_paid)
        spec = self.executor.spec
        if spec.mode != "interpolated":
            raise ArgumentError(f"device {str(spec)!r}: a coherent head has no direct mode; leave mode out")
        self._prober = BlockExecutor(framed(self.executor.ansatz), spec, remembered, allow_paid)
        self._cache = ResponseCache(exact_or_probed_maps)
