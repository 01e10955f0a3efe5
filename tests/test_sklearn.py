"""The head as a transformer of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs the extra 'sklearn'")

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from hybrid_qproj import HybridQprojError, PaidDeviceError, QuantumProjection, fidelity
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.sklearn import QuantumProjectionTransformer, fidelity_kernel

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 8)) * np.linspace(2, 0.2, 8)
LABELS = (ROWS[:, 0] > 0).astype(int)


@parametrize_with_checks([QuantumProjectionTransformer()])
def test_scikit_learns_own_checks(estimator, check):
    """What it asks of every estimator and transformer."""
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_angles_are_those_of_the_fitted_head(dtype):
    """For its arguments, in the dtype of the rows."""
    rows = ROWS.astype(dtype)
    settings = FitSettings(mixing=1, power=1.0)
    found = QuantumProjectionTransformer(3, "polar", settings=settings, scale=0.5, normalize_output=False)
    expected = QuantumProjection.fit(rows, 3, "polar", settings=settings, scale=0.5, normalize_output=False)
    angles = found.fit_transform(rows)
    assert angles.dtype == dtype
    np.testing.assert_allclose(angles, expected(torch.from_numpy(rows)).detach().numpy(), rtol=1e-6)
    assert found.head_.plan == expected.plan


def test_k_is_half_the_features_unless_given():
    assert QuantumProjectionTransformer().fit(ROWS).transform(ROWS).shape == (60, 4)
    with pytest.raises(HybridQprojError, match="compresses"):
        QuantumProjectionTransformer(k=8).fit(ROWS)


def test_circuits_run_on_the_device_that_is_asked_for():
    """Corrections run circuits when fitting, and a paid device is refused before."""
    noisy = QuantumProjectionTransformer(3, device="default.mixed?noise=depolarizing:0.1", corrections=1).fit(ROWS)
    assert np.abs(noisy.transform(ROWS) - QuantumProjectionTransformer(3).fit_transform(ROWS)).max() > 1e-3
    with pytest.raises(PaidDeviceError):
        QuantumProjectionTransformer(3, device="braket.aws.qubit?shots=10", corrections=1).fit(ROWS)


def test_in_pipelines_and_searches():
    """Beside PCA, in a grid over its own parameters, in worker processes, and copied."""
    union = FeatureUnion([("quantum", QuantumProjectionTransformer(3)), ("pca", PCA(3))])
    assert union.fit_transform(ROWS).shape == (60, 6)
    pipeline = make_pipeline(QuantumProjectionTransformer(), LogisticRegression(C=100))
    grid = {"quantumprojectiontransformer__k": [2, 4], "quantumprojectiontransformer__circuit": ["rotor", "polar"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(ROWS, LABELS)
    assert search.best_score_ > 0.8
    best = search.best_estimator_[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(best)).transform(ROWS), best.transform(ROWS))  # noqa: S301 - our own
    assert not hasattr(clone(best), "head_")


def test_frames_in_and_out():
    """Names of features are kept, and outputs have their own."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=list("abcdefgh"), index=range(100, 160))
    found = QuantumProjectionTransformer(2).set_output(transform="pandas").fit(frame)
    out = found.transform(frame)
    assert list(out.columns) == ["quantumprojectiontransformer0", "quantumprojectiontransformer1"]
    assert list(out.index) == list(frame.index)
    assert list(found.feature_names_in_) == list("abcdefgh")


def test_fidelity_is_a_kernel():
    """The fidelity of all pairs, symmetric and positive, which a support vector machine takes."""
    angles = QuantumProjectionTransformer(4).fit_transform(ROWS)
    found = fidelity_kernel(angles)
    assert found[3, 5] == pytest.approx(float(fidelity(torch.tensor(angles[3]), torch.tensor(angles[5]))), abs=1e-12)
    assert np.linalg.eigvalsh(found).min() > -1e-9
    model = make_pipeline(QuantumProjectionTransformer(4), SVC(kernel=fidelity_kernel, C=1e4)).fit(ROWS, LABELS)
    assert model.score(ROWS, LABELS) > 0.9
