"""The quantum projection head."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hybrid_qproj.circuits import Ansatz, AnsatzError, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import AngleEncoding, reprepare
from hybrid_qproj.head import Head
from hybrid_qproj.plan import Plan, make_plan
from hybrid_qproj.qnodes import BlockExecutor, BlockLayer
from hybrid_qproj.response import FixedResponses, ResponseCache, contract
from hybrid_qproj.validation import check_embeddings
from hybrid_qproj.wiring import Wiring


class QuantumProjection(Head):
    """Compresses embeddings of d numbers to k angles with small quantum circuits (arXiv:2501.04591).

    Each number becomes a qubit; two-qubit blocks merge qubits stage by stage as the plan says; each block's
    kept qubit is measured and prepared anew. Two embeddings are compared by the `fidelity` of their angles.

    Args:
        in_features: d, width of the embeddings.
        out_features: k, number of output angles, 1 <= k < d.
        circuit: ansatz of the blocks: a name, ``"package.module:name"`` or an `Ansatz`.
        device: device string, such as ``"default.qubit"`` or ``"lightning.qubit?mode=direct"``.
        plan: ``"chain"`` (published), ``"tree"`` or a `Plan`.
        init: initialiser of the ansatz; ``"identity"`` starts as truncation, ``"random"`` as published.
        normalize: whether embeddings are divided by their norm first.
        scale: factor in front of the embedding, see `AngleEncoding`; None for none.
        learn_scale: whether the scale is trained.
        generator: source of randomness of the initialiser; torch's global one when None.

    Attributes:
        stages: one TorchLayer a stage; ``stages[i].weights`` are raw weights, (blocks, parameters).
        plan: the plan.

    Raises:
        ValueError: sizes, circuit, plan, initialiser, scale or device string are not sound.

    Examples:
        >>> import torch
        >>> from hybrid_qproj import QuantumProjection, fidelity
        >>> head = QuantumProjection(768, 256)
        >>> angles = head(torch.randn(2, 768))
        >>> angles.shape, sum(p.numel() for p in head.parameters())
        (torch.Size([2, 256]), 6144)
        >>> fidelity(angles[0], angles[0])
        tensor(1., grad_fn=<ExpBackward0>)
    """

    similarity: ClassVar[str] = "fidelity"

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
    ) -> None:
        super().__init__(in_features, out_features)
        self.ansatz = get(circuit)
        self.circuit = circuit if isinstance(circuit, str) else circuit.name
        self.plan = make_plan(plan, in_features, out_features)
        self.encoding = AngleEncoding(normalize, scale, learn_scale)
        self.wiring = Wiring(self.plan)
        self._executor = BlockExecutor(self.ansatz, DeviceSpec.parse(device))
        self._responses: ResponseCache | FixedResponses = ResponseCache()
        self.stages = nn.ModuleList(
            BlockLayer(self.ansatz, len(stage), self._executor, init, generator) for stage in self.plan.stages
        )

    @classmethod
    def paper(
        cls,
        in_features: int,
        out_features: int,
        device: str | DeviceSpec = "default.qubit",
        generator: torch.Generator | None = None,
    ) -> QuantumProjection:
        """The published head exactly: u_cu blocks in a chain, random start, no scale, no normalisation.

        Args:
            in_features: d.
            out_features: k.
            device: device string.
            generator: source of randomness of the initialiser.

        Returns:
            a head of 12 (d - k) parameters.
        """
        return cls(in_features, out_features, "u_cu", device, "chain", "random", generator=generator)

    @property
    def device(self) -> DeviceSpec:
        """Where the circuits run."""
        return self._executor.spec

    @property
    def mode(self) -> str:
        """``"interpolated"``: nine probes a block; ``"direct"``: one circuit a block and embedding."""
        return self.device.mode

    @property
    def layers(self) -> list[BlockLayer]:
        """The stages, typed."""
        return [layer for layer in self.stages.children() if isinstance(layer, BlockLayer)]

    def block_weights(self) -> Tensor:
        """Raw weights of all blocks, stage by stage, (blocks, parameters), without gradient."""
        return torch.cat([layer.weights.detach() for layer in self.layers])

    def to_device(self, device: str | DeviceSpec) -> QuantumProjection:
        """Run the circuits elsewhere from now on; the weights stay.

        Args:
            device: device string. This is the quantum device; ``to`` moves tensors.

        Returns:
            the head itself.

        Raises:
            DeviceSpecError: the string cannot be read. A missing plugin shows at the first run.
        """
        self._executor = BlockExecutor(self.ansatz, DeviceSpec.parse(device))
        self._responses = ResponseCache()
        for layer in self.layers:
            layer.executor = self._executor
        return self

    def use_responses(self, weights: Tensor, responses: Tensor) -> QuantumProjection:
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
            raise ValueError(f"device {str(self.device)!r} runs in direct mode, which takes no responses")
        fixed = FixedResponses(weights, responses)
        if weights.shape != (self.plan.blocks, self.ansatz.parameters):
            raise ValueError(
                f"got weights of shape {tuple(weights.shape)}; this head has {self.plan.blocks} blocks of "
                f"{self.ansatz.parameters} parameters"
            )
        fixed(self._executor, self.layers, torch.float64, training=False)
        self.stages.requires_grad_(False)
        self._responses = fixed
        return self

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project.

        Args:
            embeddings: (..., d), float16, bfloat16, float32 or float64. Computed in float32 at least.

        Returns:
            angles theta' in [0, pi], (..., k), of the dtype of ``embeddings``.

        Raises:
            ValueError: wrong width, not floating point, or NaN.
        """
        check_embeddings(embeddings, self.in_features)
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        with torch.autocast(embeddings.device.type, enabled=False):
            cosine, sine = self.encoding(embeddings.to(dtype))
            cosines, sines = [cosine], [sine]
            if self.mode == "interpolated":
                responses = self._responses(self._executor, self.layers, dtype, self.training)
            for number, stage in enumerate(self.layers):
                read_c, read_b = self.wiring.control[number], self.wiring.kept[number]
                control = read_c(cosines), read_c(sines)
                kept = read_b(cosines), read_b(sines)
                if self.mode == "interpolated":
                    z = contract(responses[number], control, kept)
                else:
                    angles = [torch.atan2(sin, cos) for cos, sin in (control, kept)]
                    z = stage(torch.stack(angles, dim=-1).flatten(-2)).clamp(-1, 1)
                cosines.append(z)
                sines.append(reprepare(z))
            cosine, sine = self.wiring.output(cosines), self.wiring.output(sines)
            # A qubit that met no block still stands at -theta: the fidelity of outputs does not see the sign.
            return torch.atan2(sine.abs(), cosine).to(embeddings.dtype)

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
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> QuantumProjection:
        """Build a head from `config`; its weights are those of a new head.

        A device that is missing here is replaced when circuits run, with a warning.
        """
        head = cls(**{**config, "plan": Plan.from_config(config["plan"])})
        head._executor.remembered = True
        return head

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return (
            f"{super().extra_repr()}, circuit={self.circuit!r}, device={str(self.device)!r}, "
            f"mode={self.mode!r}, plan={self.plan!r}"
        )
