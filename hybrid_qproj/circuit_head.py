"""What the heads made of circuits share: an encoding, a plan, an ansatz, and a layer of weights a stage."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn

from hybrid_qproj.circuits import Ansatz, AnsatzError, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import AngleEncoding
from hybrid_qproj.head import Head
from hybrid_qproj.plan import Plan, make_plan
from hybrid_qproj.qnodes import BlockExecutor, BlockLayer
from hybrid_qproj.replacing import ReplacedAtOnce
from hybrid_qproj.threads import weights_locked
from hybrid_qproj.validation import check_embeddings
from hybrid_qproj.wiring import Wiring


class CircuitHead(ReplacedAtOnce, Head):
    """A head whose stages are layers of two-qubit blocks.

    Args:
        in_features: d, width of the embeddings.
        out_features: k, number of output qubits, 1 <= k < d.
        circuit: ansatz of the blocks: a name, ``"package.module:name"`` or an `Ansatz`.
        device: device string, such as ``"default.qubit"`` or ``"lightning.qubit?mode=direct"``.
        plan: ``"chain"`` (published), ``"tree"`` or a `Plan`.
        init: initialiser of the ansatz; ``"identity"`` starts as truncation, ``"random"`` as published.
        normalize: whether embeddings are divided by their norm first.
        scale: factor in front of the embedding, see `AngleEncoding`; None for none.
        learn_scale: whether the scale is trained.
        normalize_output: whether the output's deviations from that of an embedding of zeros are scaled to Euclidean
            norm 1, around pi/2. The ranking by fidelity is then that by cosine where they are small, and what a device
            adds to every readout alike, by damping, a lopsided readout or few shots, drops out.
        generator: source of randomness of the initialiser; torch's global one when None.

    Attributes:
        stages: one TorchLayer a stage; ``stages[i].weights`` are raw weights, (blocks, parameters), or of a plan with
            twins a row for each pair of them.
        plan: the plan.

    Raises:
        ValueError: sizes, circuit, plan, initialiser, scale or device string are not sound.
    """

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
        normalize_output: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        self.ansatz = get(circuit)
        self.circuit = circuit if isinstance(circuit, str) else circuit.name
        self.plan = make_plan(plan, in_features, out_features)
        self.encoding = AngleEncoding(normalize, scale, learn_scale)
        self.normalize_output = normalize_output
        self.wiring = Wiring(self.plan)
        self._connect(DeviceSpec.parse(device))
        self.stages = nn.ModuleList(
            BlockLayer(self.ansatz, len(stage), self._executor, init, generator, stage.twin, mirrored)
            for stage, mirrored in zip(self.plan.stages, self.plan.mirrored(), strict=True)
        )

    def _connect(self, spec: DeviceSpec) -> None:
        """Forget what was computed on another device; a head with more to forget says so here."""
        self._executor = BlockExecutor(self.ansatz, spec)

    @property
    def device(self) -> DeviceSpec:
        """Where the circuits run."""
        return self._executor.spec

    @property
    def layers(self) -> list[BlockLayer]:
        """The stages, typed."""
        return [layer for layer in self.stages.children() if isinstance(layer, BlockLayer)]

    def block_weights(self) -> Tensor:
        """Raw weights of all blocks, stage by stage, (blocks, parameters), without gradient."""
        return self._read()[0].detach()

    def _read(self) -> tuple[Tensor, Tensor | None]:
        """Raw weights of all blocks, (blocks, parameters), and the encoding's scale, as they are at one moment.

        Copies, so that a call goes on with what it began with while another thread replaces them.
        """
        with weights_locked():
            scale = self.encoding.scale
            return torch.cat([layer.block_weights() for layer in self.layers]), None if scale is None else scale.clone()

    def _stagewise(self, blocks: Tensor) -> list[Tensor]:
        """What is given for all blocks, stage by stage."""
        return list(blocks.split([layer.blocks for layer in self.layers]))

    def bloch_vectors(self, embeddings: Tensor) -> list[Tensor]:
        """Where the qubits stand before the first stage and after each.

        Args:
            embeddings: (..., d), floating point.

        Returns:
            Bloch vectors x, y, z, (..., d, 3), of all d qubits: one tensor before the first stage and one after each. A
            qubit that a stage does not write stays as it was.

        Raises:
            ValueError: wrong width, not floating point, or NaN.
        """
        check_embeddings(embeddings, self.in_features)
        with torch.no_grad():
            written = self._states(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))
        qubits = [written[0]]
        for stage, states in zip(self.plan.stages, written[1:], strict=True):
            after = qubits[-1].clone()
            after[..., list(stage.kept), :] = states
            qubits.append(after)
        return qubits

    @abstractmethod
    def _states(self, embeddings: Tensor) -> list[Tensor]:
        """Bloch vectors of the encoded qubits, (..., d, 3), and of those that each stage writes, (..., blocks, 3)."""

    def to_device(self, device: str | DeviceSpec) -> Self:
        """Run the circuits elsewhere from now on; the weights stay.

        Args:
            device: device string. This is the quantum device; ``to`` moves tensors.

        Returns:
            the head itself.

        Raises:
            DeviceSpecError: the string cannot be read. A missing plugin shows at the first run.
        """
        self._connect(DeviceSpec.parse(device))
        for layer in self.layers:
            layer.executor = self._executor
        return self

    def config(self) -> dict[str, Any]:
        """The constructor's keywords as plain values; with the state dict it is all that a saved head holds.

        Raises:
            AnsatzError: the ansatz is not found under a name, so nobody could load the head.
        """
        try:
            found = get(self.circuit)
        except AnsatzError:
            found = None
        # Equal, not identical: a head that came back from a worker process holds a copy.
        if found != self.ansatz:
            raise AnsatzError(
                f"ansatz {self.ansatz.name!r} cannot be saved: it is found under no name. Register it, or give "
                "the head its circuit as 'package.module:name'"
            )
        return {
            **super().config(),
            "circuit": self.circuit,
            "device": str(self.device),
            "plan": self.plan.config(),
            "normalize": self.encoding.normalize,
            "scale": None if self.encoding.scale is None else self.encoding.scale.item(),
            "learn_scale": self.encoding.scale is None or self.encoding.scale.requires_grad,
            "normalize_output": self.normalize_output,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build a head from `config`; its weights are those of a new head.

        A device that is missing here is replaced when circuits run, with a warning.
        """
        head = cls(**{**config, "plan": Plan.from_config(config["plan"])})
        head._executor.remembered = True
        return head

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{super().extra_repr()}, circuit={self.circuit!r}, device={str(self.device)!r}, plan={self.plan!r}"
