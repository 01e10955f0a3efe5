"""The quantum head without measurement between its stages."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import AngleEncoding
from hybrid_qproj.head import Head
from hybrid_qproj.plan import Plan, PlanError, make_plan
from hybrid_qproj.qnodes import BlockExecutor, BlockLayer
from hybrid_qproj.response import ResponseCache
from hybrid_qproj.tomography import apply_maps, block_maps, framed
from hybrid_qproj.validation import check_embeddings
from hybrid_qproj.wiring import Wiring


class CoherentProjection(Head):
    """Compresses embeddings of d numbers to k qubits that go on unmeasured from stage to stage.

    Where `QuantumProjection` measures a kept qubit and prepares it anew, this readout hands its whole Bloch vector on:
    each output is one circuit of n qubits, n the number of features that merge into it, whose last kept qubit is in a
    mixed state. Outputs are compared by the fidelity of products of such states, in closed form.

    Control qubits are discarded after their block, so the groups stay trees and a block's effect is a fixed bilinear
    map of two Bloch vectors, found by 48 circuits a block (`hybrid_qproj.tomography`) whatever the batch.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d; an output has 3 k numbers.
        circuit: ansatz of the blocks.
        device: device string; circuits run for probes only, so there is no direct mode.
        plan: ``"chain"``, ``"tree"`` or a `Plan` without mixing.
        init: initialiser of the ansatz.
        normalize: whether embeddings are divided by their norm first.
        scale: factor in front of the embedding; None for none.
        learn_scale: whether the scale is trained.
        generator: source of randomness of the initialiser.

    Raises:
        ValueError: sizes, circuit, plan, initialiser, scale or device string are not sound.
        PlanError: the plan uses a qubit again after it was a control.

    Examples:
        >>> head = CoherentProjection(16, 4, "rotor", scale=2.0)
        >>> bloch = head(torch.randn(5, 16))
        >>> bloch.shape
        torch.Size([5, 12])
    """

    similarity: ClassVar[str] = "bloch_fidelity"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        circuit: str | Ansatz = "u_cu",
        device: str | DeviceSpec = "default.qubit",
        plan: str | Plan = "tree",
        init: str = "identity",
        normalize: bool = False,
        scale: float | None = None,
        learn_scale: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        self.ansatz = get(circuit)
        self.circuit = circuit if isinstance(circuit, str) else circuit.name
        self.plan = make_plan(plan, in_features, out_features)
        _check_forest(self.plan)
        spec = DeviceSpec.parse(device)
        if spec.mode != "interpolated":
            raise ValueError(f"device {str(spec)!r}: a coherent head has no direct mode; leave mode out")
        self.encoding = AngleEncoding(normalize, scale, learn_scale)
        self.wiring = Wiring(self.plan)
        self._executor = BlockExecutor(framed(self.ansatz), spec)
        self._maps = ResponseCache(block_maps)
        self.stages = nn.ModuleList(
            BlockLayer(self.ansatz, len(stage), BlockExecutor(self.ansatz, spec), init, generator)
            for stage in self.plan.stages
        )

    @property
    def output_width(self) -> int:
        """Numbers of an output: three a qubit."""
        return 3 * self.out_features

    @property
    def device(self) -> DeviceSpec:
        """Where the circuits run."""
        return self._executor.spec

    @property
    def layers(self) -> list[BlockLayer]:
        """The stages, typed."""
        return [layer for layer in self.stages.children() if isinstance(layer, BlockLayer)]

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project.

        Args:
            embeddings: (..., d), floating point. Computed in float32 at least.

        Returns:
            Bloch vectors, (..., 3 k): x of all outputs, then y, then z; of the dtype of ``embeddings``.

        Raises:
            ValueError: wrong width, not floating point, or NaN.
        """
        check_embeddings(embeddings, self.in_features)
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        with torch.autocast(embeddings.device.type, enabled=False):
            cosine, sine = self.encoding(embeddings.to(dtype))
            states = [torch.stack([sine, torch.zeros_like(sine), cosine], dim=-2)]
            maps = self._maps(self._executor, self.layers, dtype, self.training)
            for number, stage_maps in enumerate(maps):
                control, kept = self.wiring.control[number](states), self.wiring.kept[number](states)
                states.append(apply_maps(stage_maps, control, kept))
            return self.wiring.output(states).flatten(-2).to(embeddings.dtype)

    def config(self) -> dict[str, Any]:
        """The constructor's keywords as plain values."""
        return {
            **super().config(),
            "circuit": self.circuit,
            "device": str(self.device),
            "plan": self.plan.config(),
            "normalize": self.encoding.normalize,
            "scale": None if self.encoding.scale is None else self.encoding.scale.item(),
            "learn_scale": self.encoding.scale is None or self.encoding.scale.requires_grad,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CoherentProjection:
        """Build a head from `config`; its weights are those of a new head."""
        head = cls(**{**config, "plan": Plan.from_config(config["plan"])})
        head._executor.remembered = True
        return head

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{super().extra_repr()}, circuit={self.circuit!r}, device={str(self.device)!r}, plan={self.plan!r}"


def _check_forest(plan: Plan) -> None:
    spent: set[int] = set()
    for number, stage in enumerate(plan.stages):
        again = spent & {*stage.control, *stage.kept} or set(stage.control) & set(stage.kept)
        if again or len(set(stage.control)) < len(stage.control):
            raise PlanError(
                f"stage {number} of {plan!r} uses a qubit that is a control elsewhere; a coherent head discards "
                "control qubits, so plans that mix need the measured readout of QuantumProjection"
            )
        spent |= set(stage.control)
    if spent & set(plan.output):
        raise PlanError(f"{plan!r} puts out a control qubit, which a coherent head discards")
