"""What the heads made of circuits share: an encoding, a plan, an ansatz, and a layer of weights a stage."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hybrid_qproj._util.tensors import FLOATING, Form
from hybrid_qproj.circuits import Ansatz, AnsatzError, find, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import AngleEncoding
from hybrid_qproj.head import Head
from hybrid_qproj.head_config import CircuitConfig
from hybrid_qproj.plan import Plan, make_plan
from hybrid_qproj.qnodes import BlockExecutor, BlockLayer
from hybrid_qproj.validation import check_embeddings
from hybrid_qproj.wired_as import BYTES, WiringError, describe, identity, same
from hybrid_qproj.wiring import Wiring


class CircuitHead(Head):
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

    SCHEMA: ClassVar[type[CircuitConfig]] = CircuitConfig
    IMPLIED: ClassVar[frozenset[str]] = frozenset({"wired_as"})

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
        self._named_by_file = False
        self.plan = make_plan(plan, in_features, out_features)
        self.encoding = AngleEncoding(normalize, scale, learn_scale)
        self.normalize_output = normalize_output
        self.wiring = Wiring(self.plan)
        self._connect(DeviceSpec.parse(device))
        self.stages = nn.ModuleList(
            BlockLayer(self.ansatz, len(stage), self._executor, init, generator, stage.twin, mirrored)
            for stage, mirrored in zip(self.plan.stages, self.plan.mirrored(), strict=True)
        )
        # Weights mean nothing under another plan, so a state dict says which one it is of.
        self.wired_as: Tensor
        self.register_buffer("wired_as", identity(self.ansatz, self.plan, normalize, normalize_output))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        key = f"{prefix}wired_as"
        own = identity(self.ansatz, self.plan, self.encoding.normalize, self.normalize_output)
        if key in state_dict:
            if not same(state_dict[key], own):
                raise WiringError(
                    f"the state dict is of another head: {describe(state_dict[key])}; this one is {describe(own)}. Its "
                    "weights mean nothing here; build the head with the plan, circuit and options of the other"
                )
            # A caller may have cast a whole state dict, and this is no number.
            state_dict = {**state_dict, key: own.to(state_dict[key].device)}
        elif any(name.startswith(f"{prefix}stages.") for name in state_dict):
            # Written before state dicts said so; a part of a model without the head says nothing either, rightly.
            state_dict = {**state_dict, key: own}
            warnings.warn(
                f"the state dict does not say how its head is wired; it is taken to be of {describe(own)}. Save it "
                "again, or use head.save and load_head",
                stacklevel=2,
            )
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[no-untyped-call]  # torch's

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
        return torch.cat([layer.block_weights().detach() for layer in self.layers])

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
        if not self._named_by_file:
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
    def expected_tensors(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> dict[str, Form]:
        """What a state dict that goes with a config holds; see `Head.expected_tensors`."""
        parameters = find(config["circuit"], ansaetze).parameters
        stages = Plan.from_config(config["plan"]).stages
        forms = {
            f"stages.{number}.weights": Form((stage.rotations, parameters), FLOATING)
            for number, stage in enumerate(stages)
        }
        if config.get("scale") is not None:
            forms["encoding.scale"] = Form((), FLOATING)
        return {**forms, "wired_as": Form((BYTES,), (torch.uint8,))}

    @classmethod
    def from_config(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> Self:
        """Build a head from `config`; its weights are those of a new head.

        A device that is missing here is replaced when circuits run, with a warning.

        Args:
            config: plain values. What they name is not imported.
            ansaetze: that they may name beside the registered ones; see `hybrid_qproj.circuits.find`.

        Returns:
            the head.

        Raises:
            AnsatzError: the ansatz is neither registered nor among these.
            PlanError: the plan contradicts itself, or the sizes.
        """
        name = config["circuit"]
        head = cls(**{**config, "circuit": find(name, ansaetze), "plan": Plan.from_config(config["plan"])})
        head.circuit, head._named_by_file = name, True
        head._executor.remembered = True
        return head

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{super().extra_repr()}, circuit={self.circuit!r}, device={str(self.device)!r}, plan={self.plan!r}"
