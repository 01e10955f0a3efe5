"""What the heads made of circuits share: an encoding, a plan, an ansatz, and a layer of weights a stage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hybrid_qproj._util.tensors import FLOATING, Form
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.layer import BlockLayer
from hybrid_qproj.blocks.threads import weights_locked
from hybrid_qproj.circuits import Ansatz, find
from hybrid_qproj.contraction.gather import PlanGather
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import AngleEncoding
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.heads.base import Content, Head
from hybrid_qproj.heads.config import CircuitConfig, check_findable
from hybrid_qproj.heads.identity import BYTES, KEY, IdentifiedModule, identity
from hybrid_qproj.heads.probed import ProbedBlocks
from hybrid_qproj.heads.replacing import ReplacedAtOnce
from hybrid_qproj.plan import Plan, make_plan


class CircuitHead(IdentifiedModule, ReplacedAtOnce, Head):
    """A head whose stages are layers of two-qubit blocks.

    The constructors of its classes take the arguments below, but for ``probed``, which they make of ``device`` and
    ``allow_paid``.

    Args:
        in_features: d, width of the embeddings.
        out_features: k, number of output qubits, 1 <= k < d; with a `Plan` that keeps all of them d.
        circuit: ansatz of the blocks: a name, ``"package.module:name"`` or an `Ansatz`.
        device: device string, such as ``"default.qubit"`` or ``"lightning.qubit?mode=direct"``.
        probed: the blocks on their device.
        plan: ``"chain"`` (published), ``"tree"`` or a `Plan`.
        init: initialiser of the ansatz; ``"identity"`` starts as truncation, ``"random"`` as published.
        normalize: whether embeddings are divided by their norm first.
        scale: factor in front of the embedding, see `AngleEncoding`; None for none.
        learn_scale: whether the scale is trained.
        normalize_output: whether outputs are scaled, for heads that can do so, see `QuantumProjection`.
        generator: source of randomness of the initialiser; torch's global one when None.
        allow_paid: whether the device may be one that can cost money; else `PaidDeviceError` at the first circuit.
            Neither saved nor pickled nor copied.

    Attributes:
        stages: one TorchLayer a stage; ``stages[i].weights`` are raw weights, (blocks, parameters), or of a plan
            with tied blocks a row for each pair of them.
        plan: the plan.

    Raises:
        ValueError: sizes, circuit, plan, initialiser, scale or device string are not sound.
        DeviceUnavailableError: nobody knows the device. A missing plugin shows at the first run.
    """

    random_start: ClassVar[bool] = True
    has_circuits: ClassVar[bool] = True
    SCHEMA: ClassVar[type[CircuitConfig]] = CircuitConfig
    IMPLIED: ClassVar[frozenset[str]] = frozenset({KEY})

    def __init__(
        self,
        in_features: int,
        out_features: int,
        circuit: str | Ansatz,
        probed: ProbedBlocks,
        plan: str | Plan,
        init: str,
        normalize: bool,
        scale: float | None,
        learn_scale: bool,
        normalize_output: bool,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(in_features, out_features, rotation=isinstance(plan, Plan) and bool(plan.stages))
        self.ansatz = probed.executor.ansatz
        self.circuit = circuit if isinstance(circuit, str) else circuit.name
        self._named_by_file = False
        self.plan = make_plan(plan, in_features, out_features)
        self.encoding = AngleEncoding(normalize, scale, learn_scale)
        self.normalize_output = normalize_output
        self.gather = PlanGather(self.plan)
        self.probed = probed
        self.stages = nn.ModuleList(
            BlockLayer(self.ansatz, len(stage), probed.executor, init, generator, stage.tied, flipped)
            for stage, flipped in zip(self.plan.stages, self.plan.flipped(), strict=True)
        )
        # Weights mean nothing under another plan, so a state dict says which one it is of.
        self.register_buffer(KEY, self.own_identity())

    def _serve_by(self, probed: ProbedBlocks) -> Self:
        self.probed = probed
        for layer in self.layers:
            layer.executor = probed.executor
        return self

    @property
    def executor(self) -> BlockExecutor:
        """What runs the circuits: its ``device`` is the live one, say for ``qml.Tracker``."""
        return self.probed.executor

    @property
    def device(self) -> DeviceSpec:
        """Where the circuits run."""
        return self.executor.spec

    @property
    def replaceable(self) -> bool:
        """Whether default.qubit stands in for its device where that is missing; see `BlockExecutor`."""
        return self.executor.replaceable

    @property
    def allow_paid(self) -> bool:
        """Whether its circuits may run on a device that can cost money."""
        return self.executor.allow_paid

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

    def own_identity(self) -> Tensor:
        """See `IdentifiedModule`."""
        return identity(self.ansatz, self.plan, self.encoding.normalize, self.normalize_output)

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

    def to_device(self, device: str | DeviceSpec, allow_paid: bool = False) -> Self:
        """Run the circuits elsewhere from now on; the weights stay.

        Args:
            device: device string. This is the quantum device; ``to`` moves tensors.
            allow_paid: whether it may be one that can cost money; else `PaidDeviceError` at the first circuit.

        Returns:
            the head itself.

        Raises:
            DeviceSpecError: the string cannot be read.
            DeviceUnavailableError: nobody knows the device. A missing plugin shows at the first run.
        """
        return self._serve_by(self.probed.on(device, allow_paid=allow_paid))

    def config(self) -> dict[str, Any]:
        """See `Head.config`; an ansatz that is found under no name is an `AnsatzError`: nobody could load the head."""
        if not self._named_by_file:
            check_findable(self.circuit, self.ansatz)
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

    def content(self, device: bool = True) -> Content:
        """See `Head.content`; where it lies, and what its plan is called, decide nothing."""
        tensors = self.stored_tensors()
        if device and self.probed.measured is not None:
            tensors["measured responses"] = self.probed.measured.responses
        settings = {
            "features": [self.in_features, self.out_features],
            "ansatz": [self.ansatz.name, self.ansatz.parameter_names, self.ansatz.kept, self.ansatz.wires],
            "plan": self.plan.structure(),
            "normalize": [self.encoding.normalize, self.normalize_output],
            "device": self.probed.what_a_device_adds() if device else None,
        }
        return Content(settings, tensors)

    @classmethod
    def expected_tensors(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> dict[str, Form]:
        """What a state dict that goes with a config holds; see `Head.expected_tensors`."""
        parameters = find(config["circuit"], ansaetze).parameters
        stages = Plan.from_config(config["plan"]).stages
        forms = {f"stages.{n}.weights": Form((stage.rotations, parameters), FLOATING) for n, stage in enumerate(stages)}
        if config.get("scale") is not None:
            forms["encoding.scale"] = Form((), FLOATING)
        return {**forms, KEY: Form((BYTES,), (torch.uint8,))}

    @classmethod
    def from_config(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> Self:
        """See `Head.from_config`. A device that is missing here is replaced when circuits run, with a warning.

        Raises:
            ValueError: the config is not sound, or gives itself leave to cost money.
            AnsatzError: the ansatz is neither registered nor among ``ansaetze``.
            PlanError: the plan contradicts itself, or the sizes.
        """
        if "allow_paid" in config:
            raise ArgumentError(
                "a saved head says allow_paid, which only the caller can say; take it out of the config"
            )
        name, spec = config["circuit"], DeviceSpec.parse(config.get("device", "default.qubit"))
        known = {"circuit": find(name, ansaetze), "plan": Plan.from_config(config["plan"])}
        head = cls(**{**config, **known, "device": DeviceSpec("default.qubit")})
        head.circuit, head._named_by_file = name, True
        return head._serve_by(head.probed.on(spec, remembered=True))

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{super().extra_repr()}, circuit={self.circuit!r}, device={str(self.device)!r}, plan={self.plan!r}"
