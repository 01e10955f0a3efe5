"""The quantum projection head."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit, widened
from hybrid_qproj._util.validation import NotFiniteError, check_embeddings
from hybrid_qproj.blocks.response import rows_of
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.contraction.projector import Projector
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.fitting import FitSettings, Moments, fit_plan, moments_of
from hybrid_qproj.fitting.weights import check_corrections, weights_of
from hybrid_qproj.heads.direct import DirectRun
from hybrid_qproj.heads.fit import Fit
from hybrid_qproj.heads.frozen import FLOOR, FrozenProjection, check_exporting
from hybrid_qproj.heads.measured import MeasuredHead
from hybrid_qproj.heads.probed import ProbedBlocks
from hybrid_qproj.plan import Plan


class _Setting(NamedTuple):
    """What a call computes with from its beginning to its end, whatever other threads do to the head.

    Attributes:
        scale: of the encoding, or None.
        stages: a tensor a stage: response tensors, (blocks, 3, 3), or in direct mode raw weights, (blocks, parameters).
        direct: what runs a circuit for each block and embedding; None in interpolated mode.
    """

    scale: Tensor | None
    stages: list[Tensor]
    direct: DirectRun | None


class QuantumProjection(MeasuredHead):
    """Compresses embeddings of d numbers to k angles with small quantum circuits (arXiv:2501.04591).

    Each number becomes a qubit; two-qubit blocks merge qubits stage by stage as the plan says; each block's
    kept qubit is measured and prepared anew. Two embeddings are compared by the `fidelity` of their angles.

    Arguments and attributes are those of `CircuitHead`, and ``normalize_output``: whether the output's deviations from
    that of an embedding of zeros are scaled to Euclidean norm 1, around pi/2. The ranking by fidelity is then that by
    cosine where they are small, and what a device adds to every readout alike, by damping, a lopsided readout or few
    shots, drops out.

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
        allow_paid: bool = False,
    ) -> None:
        probed = ProbedBlocks(circuit, device, allow_paid=allow_paid)
        options = init, normalize, scale, learn_scale, normalize_output, generator
        super().__init__(in_features, out_features, circuit, probed, plan, *options)
        self.projector = Projector(self.gather, normalize)

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
            out_features: k, 1 <= k < d; with ``FitSettings(mixing=..., merging="select")`` d too, a rotation of all
                numbers, which makes codes better (`hybrid_qproj.codec.Codec`) and compresses nothing by itself.
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
        ansatz = get(circuit)
        head = cls(
            moments.width,
            out_features,
            circuit,
            device,
            fitted.plan if ansatz.mirror is not None else fitted.plan.without_ties(),
            normalize=moments.normalize,
            scale=scale,
            learn_scale=False,
            normalize_output=normalize_output,
            allow_paid=allow_paid,
        )
        head.assign(weights_of(ansatz, fitted))
        return (head.correct(corrections) if corrections else head).eval()

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project.

        Args:
            embeddings: (..., d), float16, bfloat16, float32 or float64. Computed in float32 at least.

        Returns:
            angles theta' in [0, pi], (..., k), of the dtype of ``embeddings``.

        Raises:
            ValueError: wrong width, not floating point, or NaN.
        """
        interpolated = self.device.mode == "interpolated"
        watched = interpolated and isinstance(embeddings, Tensor) and self.projector.watches(embeddings)
        check_embeddings(embeddings, self.in_features, watched)
        check_exporting(self.kind)
        if embeddings.is_meta:
            # Shapes without numbers: there is nothing to run a circuit with.
            return embeddings.new_empty(*embeddings.shape[:-1], self.out_features)
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
        self.projector.compile()

    def frozen(self) -> FrozenProjection:
        """See `Head.frozen`. In direct mode too, the blocks are their response tensors, from nine circuits each."""
        with torch.no_grad():
            weights, scale = self._read()
            responses = self._stagewise(self.probed(weights, torch.float64, training=False))
        frozen = FrozenProjection(self.plan, self.encoding.normalize, scale, responses, self.normalize_output)
        return frozen.to(torch.float32).eval()

    @torch.compiler.disable
    def _setting(self, dtype: torch.dtype) -> _Setting:
        probed = self.probed
        weights, scale = self._read()
        scale = None if scale is None else widened(scale, dtype)
        # In training the loss shows it.
        if scale is not None and not self.training and not bool(scale.isfinite()):
            raise NotFiniteError("the head's scale is not finite; train it again, or load an earlier one")
        if probed.executor.spec.mode == "direct":
            direct = DirectRun(probed.executor, self.layers, self.gather, self.encoding.normalize)
            return _Setting(scale, self._stagewise(weights), direct)
        return _Setting(scale, self._stagewise(probed(weights, dtype, self.training)), None)

    def _project(self, embeddings: Tensor, setting: _Setting) -> Tensor:
        """Angles, (..., k), by the blocks' responses, or in direct mode by circuits."""
        if setting.direct is not None:
            return self.projector.output(*setting.direct.stages(embeddings, setting.scale, setting.stages))
        return self.projector(embeddings, setting.scale, setting.stages)

    def _states(self, embeddings: Tensor) -> list[Tensor]:
        scale, stages, direct = self._setting(embeddings.dtype)
        if direct is not None:
            angles = direct.stages(embeddings, scale, stages)
        else:
            angles = self.projector.stages(embeddings, scale, *map(rows_of, stages))
        # All amplitudes are real: y is 0.
        return [torch.stack([s, torch.zeros_like(s), c], dim=-1) for c, s in zip(*angles, strict=True)]
