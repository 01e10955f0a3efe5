"""The fitted head as a transformer of scikit-learn: NumPy in, NumPy out, in pipelines and searches."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hybrid_qproj._util.extras import require
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity

# Before the imports below, so that a missing package is reported with its pip command.
require("sklearn", "sklearn", "a transformer of scikit-learn")

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin  # noqa: E402
from sklearn.utils import Tags  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

FLOATS = (np.float64, np.float32)
LEAST = 2
"""Samples that have a spread, and features of which one can go."""


class QuantumProjectionTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Compresses rows to the angles of a fitted `QuantumProjection`: what PCA does, with far fewer numbers stored.

    Fitting is `QuantumProjection.fit`: it uses no labels and draws nothing, so that the same rows give the same
    transformer. Each row is divided by its norm.

    Args:
        k: angles of a row, 1 <= k < features; None for half the features.
        circuit: ansatz of the blocks.
        device: device string.
        settings: how pairs are chosen; None for the default.
        scale: of the encoding.
        normalize_output: see `QuantumProjection`.
        corrections: rounds in which the device corrects the weights.
        allow_paid: whether the device may be one that can cost money.

    Attributes:
        head_: the fitted `QuantumProjection`.
        n_features_in_: features of a row.
        feature_names_in_: their names, where there were such.

    Examples:
        >>> import numpy as np
        >>> from hybrid_qproj.sklearn import QuantumProjectionTransformer
        >>> rows = np.random.default_rng(0).normal(size=(200, 16))
        >>> transformer = QuantumProjectionTransformer(k=4).fit(rows)
        >>> transformer.transform(rows).shape, transformer.get_feature_names_out()[0]
        ((200, 4), 'quantumprojectiontransformer0')
    """

    def __init__(
        self,
        k: int | None = None,
        circuit: str | Ansatz = "rotor",
        device: str | DeviceSpec = "default.qubit",
        settings: FitSettings | None = None,
        scale: float = 1.0,
        normalize_output: bool = True,
        corrections: int = 0,
        allow_paid: bool = False,
    ) -> None:
        self.k = k
        self.circuit = circuit
        self.device = device
        self.settings = settings
        self.scale = scale
        self.normalize_output = normalize_output
        self.corrections = corrections
        self.allow_paid = allow_paid

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit plan and angles to rows.

        Args:
            X: (samples, features), two of each at least.
            y: not used.

        Returns:
            the transformer itself.

        Raises:
            ValueError: no such matrix, or k, ansatz or settings that are not sound.
            DeviceUnavailableError: nobody knows the device, or it cannot do what is asked.
            PaidDeviceError: there are to be corrections, and the device can cost money and is not allowed.
        """
        del y
        rows = validate_data(self, X, dtype=FLOATS, ensure_min_samples=LEAST, ensure_min_features=LEAST)
        self.head_ = QuantumProjection.fit(
            rows,
            rows.shape[1] // 2 if self.k is None else self.k,
            self.circuit,
            self.device,
            self.settings,
            self.scale,
            self.normalize_output,
            self.corrections,
            self.allow_paid,
        )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:  # noqa: N803 - scikit-learn's name
        """Project rows.

        Args:
            X: (samples, features), those of the fit.

        Returns:
            angles in [0, pi], (samples, k), float32 of float32, else float64.

        Raises:
            ValueError: no such matrix.
            NotFittedError: there is no head yet.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        with torch.no_grad():
            # Copied: memory-mapped rows may not be written to, and torch takes no negative strides.
            angles: NDArray[np.floating] = self.head_(torch.from_numpy(np.array(rows, order="C"))).numpy()
        return angles

    @property
    def _n_features_out(self) -> int:
        return int(self.head_.out_features)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [dtype.__name__ for dtype in FLOATS]
        return tags


def fidelity_kernel(X: ArrayLike, Y: ArrayLike | None = None) -> NDArray[np.floating]:  # noqa: N803 - scikit-learn's names
    """Fidelities of angles, a kernel for what takes one: ``SVC(kernel=fidelity_kernel)`` behind the transformer.

    Args:
        X: angles, (n, k).
        Y: angles, (m, k); those of X when None.

    Returns:
        (n, m), each in [0, 1]; a positive semidefinite matrix where Y is X.

    Examples:
        >>> fidelity_kernel([[0.0, 0.0]], [[0.0, 0.0], [0.0, np.pi]]).round(3)
        array([[1., 0.]])
    """
    left = torch.from_numpy(np.array(X, dtype=np.float64))
    right = left if Y is None else torch.from_numpy(np.array(Y, dtype=np.float64))
    scores: NDArray[np.floating] = pairwise_log_fidelity(left, right).exp().numpy()
    return scores
