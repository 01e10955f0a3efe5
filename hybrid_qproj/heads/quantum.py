"""The quantum projection head."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit, widened
from hybrid_qproj._util.validation import NotFiniteError, check_embeddings
from hybrid_qproj.blocks.cache import FixedResponses, ResponseCache
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import exact_or_probed, rows_of
from hybrid_qproj.blocks.threads import weights_locked
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.contraction.projector import Projector
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.encoding import encode, reprepare
from hybrid_qproj.fitting import FitSettings, Moments, fit_plan, moments_of
from hybrid_qproj.fitting.weights import check_corrections, correct_weights, fit_weights
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.fit import Fit

FLOOR = 1e-5
"""Least norm by which an output is divided."""


class _Setting(NamedTuple):
    """What a call computes with from its beginning to its end, whatever other threads do to the head.

    Attributes:
        scale: of the encoding, or None.
        stages: a tensor a stage: response tensors, (blocks, 3, 3), or in direct mode raw weights, (blocks, parameters).
        direct: what runs a circuit for each block and embedding; None in interpolated mode.
    """

    scale: Tensor | None
    stages: list[Tensor]
    direct: BlockExecutor | None


class QuantumProjection(CircuitHead):
    """Compresses embeddings of d numbers to k angles with small quantum circuits (arXiv:2501.04591).

    Each number becomes a qubit; two-qubit blocks merge qubits stage by stage as the plan says; each block's
    kept qubit is measured and prepared anew. Two embeddings are compared by the `fidelity` of their angles.

    Arguments and attributes are those of `CircuitHead`.

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
    fitting: ClassVar[Fit | None] = Fit(
        settings=FitSettings,
        decides=frozenset({"plan", "init", "normalize", "learn_scale"}),
        own=frozenset({"corrections"}),
    )

    def _connect(self, spec: DeviceSpec, remembered: bool = False, allow_paid: bool = False) -> None:
        super()._connect(spec, remembered, allow_paid)
        self._responses: ResponseCache | FixedResponses = ResponseCache()
        # The arithmetic is the same on every device, and a compiled one stays compiled.
        if not hasattr(self, "_projector"):
            self._projector = Projector(self.wiring, self.encoding.normalize)

    @classmethod
    def paper(
        cls,
        in_features: int,
        out_features: int,
        device: str | DeviceSpec = "default.qubit",
        generator: torch.Generator | None = None,
        allow_paid: bool = False,
    ) -> QuantumProjection:
        """The published head exactly: u_cu blocks in a chain, random start, no scale, no normalisation.

        Args:
            in_features: d.
            out_features: k.
            device: device string.
            generator: source of randomness of the initialiser.
            allow_paid: whether the device may be one that can cost money.

        Returns:
            a head of 12 (d - k) parameters.
        """
        return cls(
            in_features, out_features, "u_cu", device, "chain", "random", generator=generator, allow_paid=allow_paid
        )

    @classmethod
    def fit(
        cls,
        embeddings: Any,
        out_features: int,
        circuit: str | Ansatz = "rotor",
        device: str | DeviceSpec = "default.qubit",
        settings: FitSettings | None = None,
        scale: float = 1.0,
        normalize_output: bool = True,
        corrections: int = 0,
        allow_paid: bool = False,
    ) -> QuantumProjection:
        """A head whose plan and angles come from unlabelled embeddings, without training.

        Args:
            embeddings: (n, d), torch, numpy or memory-mapped, read in slices; or `Moments` of rows that passed by.
                Each row is divided by its norm, here and in the head.
            out_features: k, 1 <= k < d.
            circuit: ansatz of the blocks. A rotor does the fitted rotations as they are; another's weights come as
                close to them as they can.
            device: device string. No circuit runs there while fitting, unless corrections are asked for.
            settings: how pairs are chosen; see `FitSettings`.
            scale: of the encoding, not trained. Small angles are what the fit assumes.
            normalize_output: see `CircuitHead`.
            corrections: rounds of `correct` on ``device``.
            allow_paid: whether the device may be one that can cost money.

        Returns:
            the head, in eval mode; the same for the same embeddings.

        Raises:
            ValueError: sizes that are no compression, rows with NaN, fewer than two rows, or an unsound setting.
            DeviceUnavailableError: nobody knows the device, or it cannot do what is asked.
            PaidDeviceError: there are to be corrections, and the device can cost money and is not allowed.

        Examples:
            >>> embeddings = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
            >>> QuantumProjection.fit(embeddings, 4).plan
            Plan(treelet, 16 -> 4, stages=4, blocks=12; ragged: 2 outputs merge 2 features, 1 merge 4, 1 merge 8)
        """
        check_corrections(device, corrections, allow_paid)
        moments = embeddings if isinstance(embeddings, Moments) else moments_of(embeddings)
        fitted = fit_plan(moments.covariance, out_features, settings)
        mirrors = get(circuit).mirror is not None
        head = cls(
            moments.width,
            out_features,
            circuit,
            device,
            fitted.plan if mirrors else fitted.plan.without_ties(),
            normalize=moments.normalize,
            scale=scale,
            learn_scale=False,
            normalize_output=normalize_output,
            allow_paid=allow_paid,
        )
        weights, targets = torch.cat(fitted.angles)[:, None], torch.cat(fitted.responses())
        if head.ansatz != get("rotor"):
            weights, _ = fit_weights(head.ansatz, targets)
        head._assign(weights)
        return (head.correct(corrections) if corrections else head).eval()

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
            responses = self._responses(self._executor, self._read()[0], torch.float32, training=False)
        # A copy: what the caller does to it must not reach what the head computes with.
        return self._stagewise(responses.clone())

    def correct(self, rounds: int = 2) -> QuantumProjection:
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
        self._assign(correct_weights(self.ansatz, weights, targets, self.device, rounds, self.allow_paid)[0])
        return self

    @torch.no_grad()
    def _assign(self, weights: Tensor) -> None:
        """Take over raw weights of all blocks, (blocks, parameters)."""
        with weights_locked():
            for layer, values in zip(self.layers, self._stagewise(weights), strict=True):
                layer.assign(values)

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
        if responses.shape != (self.plan.blocks, 3, 3) or not bool(responses.isfinite().all()):
            raise ValueError(
                f"got responses of shape {tuple(responses.shape)}; expected finite numbers of shape "
                f"({self.plan.blocks}, 3, 3)"
            )
        fixed(self._executor, self._read()[0], torch.float64, training=False)
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
            computed = widened(embeddings, dtype)
            setting = self._setting(dtype)
            angles = self._project(computed, setting)
            if self.normalize_output:
                zero = self._project(computed.new_zeros(self.in_features), setting)
                # Without a floor, the rounding of an embedding of zeros would become a direction.
                angles = math.pi / 2 - unit(zero - angles, FLOOR)
            return angles.to(embeddings.dtype)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Run the arithmetic through torch.compile from now on: worth its minute for many large batches.

        Circuits are not compiled. Without a C++ compiler this warns, and the head stays as it is.

        Args:
            *args: none; torch.compile's own options are chosen here.
            **kwargs: none.

        Raises:
            TypeError: an argument is given.
        """
        if args or kwargs:
            raise TypeError("a head chooses torch.compile's options itself; call compile() without arguments")
        self._projector.compile()

    @torch.compiler.disable
    def _setting(self, dtype: torch.dtype) -> _Setting:
        # `to_device` sets them in the other order: new responses never come from an old device.
        responses, executor = self._responses, self._executor
        weights, scale = self._read()
        scale = None if scale is None else widened(scale, dtype)
        # In training the loss shows it.
        if scale is not None and not self.training and not bool(scale.isfinite()):
            raise NotFiniteError("the head's scale is not finite; train it again, or load an earlier one")
        if executor.spec.mode == "direct":
            return _Setting(scale, self._stagewise(weights), executor)
        return _Setting(scale, self._stagewise(responses(executor, weights, dtype, self.training)), None)

    def _project(self, embeddings: Tensor, setting: _Setting) -> Tensor:
        """Angles, (..., k), by the blocks' responses, or in direct mode by circuits."""
        if setting.direct is not None:
            return self._projector.output(*self._run_circuits(embeddings, setting, setting.direct))
        return self._projector(embeddings, setting.scale, setting.stages)

    def _run_circuits(
        self, embeddings: Tensor, setting: _Setting, executor: BlockExecutor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Direct mode: cosines and sines of the qubits' angles, of the encoding first, then those a stage writes."""
        cosine, sine = encode(embeddings, setting.scale, self.encoding.normalize)
        cosines, sines = [cosine], [sine]
        reads = zip(self.wiring.control, self.wiring.kept, strict=True)
        for layer, weights, (read_c, read_b) in zip(self.layers, setting.stages, reads, strict=True):
            angles = [torch.atan2(read(sines), read(cosines)) for read in (read_c, read_b)]
            z = layer.run(torch.stack(angles, dim=-1).flatten(-2), weights, executor).clamp(-1, 1)
            cosines.append(z)
            sines.append(reprepare(z))
        return cosines, sines

    def _states(self, embeddings: Tensor) -> list[Tensor]:
        setting = self._setting(embeddings.dtype)
        if setting.direct is not None:
            angles = self._run_circuits(embeddings, setting, setting.direct)
        else:
            angles = self._projector.stages(embeddings, setting.scale, *map(rows_of, setting.stages))
        # All amplitudes are real: y is 0.
        return [torch.stack([s, torch.zeros_like(s), c], dim=-1) for c, s in zip(*angles, strict=True)]
