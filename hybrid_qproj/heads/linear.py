"""The classical heads that the quantum head is compared with, and must be compared with."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import single_precision, tanh_of_sums, unit, widened
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.config import HeadConfig
from hybrid_qproj.heads.fit import Fit, also_in_place

P = TypeVar("P", bound="PCAProjection")


class ClassicalConfig(HeadConfig):
    """What is saved of a `ClassicalProjection`."""

    init: Literal["random", "truncation"] = "random"


class ClassicalProjection(Head):
    """Linear layer, tanh, compared by cosine: the classical head of arXiv:2501.04591.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d; the head has k (d + 1) parameters.
        init: ``"random"``, torch's own as published, or ``"truncation"``: the first k features, where the quantum
            head's identity start begins too.
        generator: source of randomness of the start; torch's global one when None.

    Raises:
        ValueError: no such start.

    Examples:
        >>> from hybrid_qproj import ClassicalProjection
        >>> sum(p.numel() for p in ClassicalProjection(768, 256).parameters())
        196864
    """

    random_start: ClassVar[bool] = True
    SCHEMA: ClassVar[type[ClassicalConfig]] = ClassicalConfig

    def __init__(
        self, in_features: int, out_features: int, init: str = "random", generator: torch.Generator | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        if init not in ("random", "truncation"):
            raise ArgumentError(f"init={init!r}: expected 'random' or 'truncation'")
        # Made without numbers: a layer of torch draws from the global generator. What is drawn here is what it draws.
        empty = nn.Linear(in_features, out_features, device="meta")
        self.linear = empty.to_empty(device=torch.get_default_device())
        if init == "truncation":
            nn.init.eye_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
        else:
            nn.init.kaiming_uniform_(self.linear.weight, a=5**0.5, generator=generator)
            bound = in_features**-0.5
            nn.init.uniform_(self.linear.bias, -bound, bound, generator=generator)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k) numbers in [-1, 1], of the same dtype; computed in float32 at least."""
        check_embeddings(embeddings, self.in_features)
        return tanh_of_sums(nn.functional.linear, embeddings, self.linear.weight, self.linear.bias)


class Truncation(Head):
    """The first k numbers of the embedding. No parameters."""

    SCHEMA: ClassVar[type[HeadConfig]] = HeadConfig

    def forward(self, embeddings: Tensor) -> Tensor:
        """Truncate (..., d) to (..., k)."""
        check_embeddings(embeddings, self.in_features)
        return embeddings[..., : self.out_features]


class _FixedLinear(Head):
    """A linear map that is saved but not trained, applied to embeddings of unit norm."""

    def __init__(self, in_features: int, out_features: int, rotation: bool = False) -> None:
        super().__init__(in_features, out_features, rotation)
        self.components: Tensor
        self.register_buffer("components", torch.zeros(out_features, in_features))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k)."""
        check_embeddings(embeddings, self.in_features)
        wide = widened(embeddings, torch.promote_types(embeddings.dtype, torch.float32))
        with single_precision(embeddings):
            return self._map(unit(wide)).to(embeddings.dtype)

    def _map(self, units: Tensor) -> Tensor:
        return nn.functional.linear(units, self.components.to(units))


class PCAConfig(HeadConfig):
    """What is saved of a `PCAProjection`."""

    center: bool


class PCAProjection(_FixedLinear):
    """The k principal components of unit-norm embeddings. Fitted, not trained.

    Args:
        in_features: d.
        out_features: k, 1 <= k <= d; with d a rotation.
        center: whether the mean is taken off, before the fit and before use. Without, the components are those of the
            embeddings' second moments, and cosines are not measured from the mean.

    Examples:
        >>> import torch
        >>> head = PCAProjection.fit(torch.randn(100, 8), 2)
        >>> head(torch.randn(3, 8)).shape
        torch.Size([3, 2])
    """

    fitting: ClassVar[Fit | None] = Fit(required=True)
    SCHEMA: ClassVar[type[PCAConfig]] = PCAConfig

    def __init__(self, in_features: int, out_features: int, center: bool = True) -> None:
        super().__init__(in_features, out_features, rotation=True)
        self.center = center
        self.mean: Tensor | None
        self.register_buffer("mean", torch.zeros(in_features) if center else None)

    def _map(self, units: Tensor) -> Tensor:
        return super()._map(units if self.mean is None else units - self.mean.to(units))

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values."""
        return {**super().config(), "center": self.center}

    @also_in_place
    def fit(cls: type[P], embeddings: Tensor, out_features: int, center: bool = True) -> P:  # noqa: N805 - a class
        """A head with the mean and the components of embeddings.

        Args:
            embeddings: (n, d), n >= 2; with n <= k the components beyond the data's rank are arbitrary.
            out_features: k, 1 <= k < d; d too, a rotation of all numbers, which makes codes better
                (`hybrid_qproj.codec.Codec`) and compresses nothing by itself.
            center: see the class.

        Returns:
            the head, in eval mode. ``PCAProjection(d, k).fit(embeddings)`` fits a head that exists, and returns it.

        Raises:
            ValueError: not a matrix of at least two embeddings, or no compression.
        """
        shape = tuple(getattr(embeddings, "shape", ()))
        if len(shape) != 2:  # noqa: PLR2004 - a matrix
            raise ArgumentError(f"got {type(embeddings).__name__} of shape {shape}; expected a tensor (n, d)")
        return cls(shape[1], out_features, center)._fit_in_place(embeddings).eval()

    @fit.by
    @torch.no_grad()
    def _fit_in_place(self, embeddings: Tensor) -> Self:
        check_embeddings(embeddings, self.in_features)
        if embeddings.dim() != 2 or len(embeddings) < 2:  # noqa: PLR2004 - a matrix; a variance needs two rows
            raise ArgumentError(f"got shape {tuple(embeddings.shape)}; expected (n, {self.in_features}), n >= 2")
        units = unit(embeddings.double())
        mean = units.mean(dim=0) * self.center
        # eigh sorts ascending.
        _, vectors = torch.linalg.eigh((units - mean).T @ (units - mean))
        components = vectors.T.flip(0)[: self.out_features]
        # An eigenvector's sign is arbitrary; its largest entry positive makes the fit repeatable.
        largest = components.abs().argmax(dim=1, keepdim=True)
        self.components.copy_(components * components.gather(1, largest).sign())
        if self.mean is not None:
            self.mean.copy_(mean)
        return self


class RandomProjection(_FixedLinear):
    """Gaussian random projection (Johnson and Lindenstrauss, 1984). Neither fitted nor trained.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d.
        generator: source of randomness; torch's global one when None.
    """

    random_start: ClassVar[bool] = True
    SCHEMA: ClassVar[type[HeadConfig]] = HeadConfig

    def __init__(self, in_features: int, out_features: int, generator: torch.Generator | None = None) -> None:
        super().__init__(in_features, out_features)
        noise = torch.randn(out_features, in_features, generator=generator)
        self.components.copy_(noise / out_features**0.5)


def trainable_parameters(head: Head) -> int:
    """Number of trained parameters of a head."""
    return sum(parameter.numel() for parameter in head.parameters() if parameter.requires_grad)


def stored_numbers(head: Head) -> int:
    """Numbers that a head needs at inference: trained parameters, and what was fitted or drawn."""
    return sum(tensor.numel() for tensor in head.stored_tensors().values())
