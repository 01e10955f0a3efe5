"""The quantum head without measurement between its stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import torch

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.blocks.bloch_map import apply_maps
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import encode
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.config import CircuitConfig
from hybrid_qproj.heads.frozen import FrozenCoherent, check_exporting
from hybrid_qproj.heads.probed import MappedBlocks
from hybrid_qproj.plan import Plan, PlanError

NEVER = frozenset({"normalize_output"})
"""What is said of heads of circuits, and of outputs that are states would mean nothing."""


class CoherentConfig(CircuitConfig):
    """What is saved of a `CoherentProjection`."""

    normalize_output: Literal[False] = False


class CoherentProjection(CircuitHead):
    """Compresses embeddings of d numbers to k qubits that go on unmeasured from stage to stage.

    Where `QuantumProjection` measures a kept qubit and prepares it anew, this readout hands its whole Bloch vector on:
    each output is one circuit of n qubits, n the number of features that merge into it, whose last kept qubit is in a
    mixed state. Outputs are compared by the fidelity of products of such states, in closed form.

    Control qubits are discarded after their block, so the groups stay trees and a block's effect is a fixed bilinear
    map of two Bloch vectors, found by 48 circuits a block (`hybrid_qproj.blocks.bloch_map`) whatever the batch, or by
    the block's matrix on default.qubit.

    Arguments and attributes are those of `CircuitHead` but for ``normalize_output``, since outputs are states and no
    angles. An output has 3 k numbers, and circuits run for probes only, so there is no direct mode.

    Raises:
        ValueError: sizes, circuit, plan, initialiser, scale or device string are not sound.
        PlanError: the plan uses a qubit again after it was a control.

    Examples:
        >>> head = CoherentProjection(16, 4, "rotor", plan="tree", scale=2.0)
        >>> bloch = head(torch.randn(5, 16))
        >>> bloch.shape
        torch.Size([5, 12])
    """

    similarity: ClassVar[str] = "bloch_fidelity"

    SCHEMA: ClassVar[type[CoherentConfig]] = CoherentConfig

    def __init__(
        self,
        in_features: int,
        out_features: int,
        circuit: str | Ansatz = "u_cu",
        device: str | DeviceSpec = "default.qubit",
        plan: str | Plan = "chain",
        init: str = "identity",
        normalize: bool = False,
        scale: float | None = None,
        learn_scale: bool = True,
        generator: torch.Generator | None = None,
        allow_paid: bool = False,
    ) -> None:
        probed = MappedBlocks(circuit, device, allow_paid=allow_paid)
        super().__init__(
            in_features, out_features, circuit, probed, plan, init, normalize, scale, learn_scale, False, generator
        )
        _check_forest(self.plan)

    def config(self) -> dict[str, Any]:
        """See `CircuitHead.config`."""
        return {key: value for key, value in super().config().items() if key not in NEVER}

    @classmethod
    def from_config(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> Self:
        """See `CircuitHead.from_config`. Heads that were saved before say of an option of angles that they lack it."""
        return super().from_config({key: value for key, value in config.items() if key not in NEVER}, ansaetze)

    @property
    def output_width(self) -> int:
        """Numbers of an output: three a qubit."""
        return 3 * self.out_features

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Project.

        Args:
            embeddings: (..., d), floating point. Computed in float32 at least.

        Returns:
            Bloch vectors, (..., 3 k): x of all outputs, then y, then z; of the dtype of ``embeddings``.

        Raises:
            ValueError: wrong width, not floating point, or NaN.
        """
        check_embeddings(embeddings, self.in_features)
        check_exporting(self.kind)
        if embeddings.is_meta:
            return embeddings.new_empty(*embeddings.shape[:-1], self.output_width)
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.gather.output(self._run(widened(embeddings, dtype))).flatten(-2).to(embeddings.dtype)

    def frozen(self) -> FrozenCoherent:
        """See `Head.frozen`."""
        with torch.no_grad():
            weights, scale = self._read()
            maps = self._stagewise(self.probed(weights, torch.float64, training=False))
        return FrozenCoherent(self.plan, self.encoding.normalize, scale, maps).to(torch.float32).eval()

    def _run(self, embeddings: torch.Tensor) -> list[torch.Tensor]:
        """Bloch vectors, (..., 3, qubits): those of the encoding first, then those that each stage writes."""
        scale, maps = self._setting(embeddings.dtype)
        cosine, sine = encode(embeddings, scale, self.encoding.normalize)
        states = [torch.stack([sine, torch.zeros_like(sine), cosine], dim=-2)]
        for number, stage_maps in enumerate(maps):
            control, kept = self.gather.control[number](states), self.gather.kept[number](states)
            states.append(apply_maps(stage_maps, control, kept))
        return states

    @torch.compiler.disable
    def _setting(self, dtype: torch.dtype) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """The encoding's scale, and the blocks' maps stage by stage: what a call computes with from its beginning."""
        probed = self.probed
        weights, scale = self._read()
        scale = None if scale is None else widened(scale, dtype)
        return scale, self._stagewise(probed(weights, dtype, self.training))

    def _states(self, embeddings: torch.Tensor) -> list[torch.Tensor]:
        return [state.mT for state in self._run(embeddings)]


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
