"""Fitted plans do what their rotations say, and their rotations what a treelet says."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj import QuantumProjection, circuits
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import block_responses
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.fitting import FitSettings, fit_plan, moments_of
from hybrid_qproj.fitting.rotations import principal_angle
from hybrid_qproj.fitting.weights import correct_weights, fit_weights
from hybrid_qproj.plan import Plan


def data(rows=300, width=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    spread = torch.linspace(2, 0.1, width, dtype=torch.float64)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64) * spread @ mixing


def naive_treelet(covariance, outputs):
    """By the definition, with every pair looked at in every round: basis of the outputs and their variances."""
    basis = {i: np.eye(len(covariance))[i] for i in range(len(covariance))}
    while len(basis) > outputs:
        best = None
        for i, j in itertools.combinations(basis, 2):
            pair = np.stack([basis[i], basis[j]])
            values, vectors = np.linalg.eigh(pair @ covariance @ pair.T)
            if best is None or values[0] < best[0] - 1e-12:
                best = values[0], i, j, vectors[:, 1] @ pair
        _, i, j, kept = best
        larger = i if basis[i] @ covariance @ basis[i] >= basis[j] @ covariance @ basis[j] else j
        del basis[i], basis[j]
        basis[larger] = kept
    return np.stack([basis[i] for i in sorted(basis)])


def linear_map(fitted):
    """What the plan does to small numbers: (k, d)."""
    values = dict(enumerate(torch.eye(fitted.plan.features, dtype=torch.float64)))
    written = set()
    for stage, angles in zip(fitted.plan.stages, fitted.angles, strict=True):
        new = {}
        for c, b, angle in zip(stage.control, stage.kept, angles, strict=True):
            sign = 1 if b in written else -1
            new[b] = angle.cos() * values[b] + sign * angle.sin() * values[c]
        values.update(new)
        written.update(new)
    return torch.stack([values[qubit] for qubit in fitted.plan.output])


@pytest.mark.parametrize("power", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("outputs", [1, 3, 8, 11])
def test_is_a_treelet(outputs, power):
    """The same projection as the definition, of the covariance's power, up to sign."""
    covariance = moments_of(data(), normalize=False).covariance
    found = linear_map(fit_plan(covariance, outputs, FitSettings(power=power)))
    values, vectors = np.linalg.eigh(covariance.numpy())
    expected = torch.from_numpy(naive_treelet((vectors * values**power) @ vectors.T, outputs))
    torch.testing.assert_close((found * expected).sum(dim=1).abs(), torch.ones(outputs, dtype=torch.float64))


@given(
    width=st.integers(2, 14),
    outputs=st.integers(1, 13),
    mixing=st.integers(0, 3),
    merging=st.sampled_from(["treelet", "select"]),
    pairs=st.sampled_from(["variance", "correlation"]),
    bounded=st.booleans(),
    power=st.sampled_from([0.25, 0.5, 1.0]),
    seed=st.integers(0, 50),
)
def test_every_setting_gives_an_orthogonal_projection(width, outputs, mixing, merging, pairs, bounded, power, seed):
    """Rows of a rotation, in the depth that was asked for."""
    outputs = min(outputs, width - 1)
    depth = math.ceil(math.log2(width / outputs)) if bounded else None
    settings = FitSettings(mixing, merging, pairs, depth, power)
    fitted = fit_plan(moments_of(data(50, width, seed), normalize=False).covariance, outputs, settings)
    found = linear_map(fitted)
    torch.testing.assert_close(found @ found.T, torch.eye(outputs, dtype=torch.float64), atol=1e-10, rtol=0)
    if depth is not None and merging == "treelet":
        assert len(fitted.plan.stages) <= mixing + depth
    assert Plan.from_config(fitted.plan.config()) == fitted.plan


def test_mixing_gathers_variance():
    """More mixing stages leave the k largest features with more of the variance, towards PCA's."""
    covariance = moments_of(data(), normalize=False).covariance
    kept = []
    for mixing in (0, 1, 4, 40):
        found = linear_map(fit_plan(covariance, 3, FitSettings(mixing, "select", power=1.0)))
        kept.append((found @ covariance @ found.T).trace().item())
    best = torch.linalg.eigvalsh(covariance)[-3:].sum().item()
    assert kept == sorted(kept)
    assert kept[-1] == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("merging", ["treelet", "select"])
def test_budget(merging):
    """Angles beyond those of the merging bring the kept features to the principal subspace."""
    covariance = moments_of(data()).covariance
    kept = []
    for angles in (8, 12, 20, 40, 400):
        fitted = fit_plan(covariance, 4, FitSettings(merging=merging, power=1.0, angles=angles))
        assert fitted.plan.rotations <= angles
        found = linear_map(fitted)
        kept.append((found @ covariance @ found.T).trace().item())
    assert kept == sorted(kept)
    assert kept[-1] == pytest.approx(torch.linalg.eigvalsh(covariance)[-4:].sum().item(), rel=1e-6)
    head = QuantumProjection.fit(data(), 4, settings=FitSettings(merging=merging, power=1.0, angles=20))
    plan = fit_plan(covariance, 4, FitSettings(merging=merging, power=1.0, angles=20)).plan
    assert sum(layer.weights.numel() for layer in head.layers) == plan.rotations


def test_what_no_output_needs_is_left_out():
    """Of a last stage that both mixes and is selected from, only what an output reads stays."""
    covariance = moments_of(data()).covariance
    plan = fit_plan(covariance, 2, FitSettings(1, "select")).plan
    assert (len(plan.stages), plan.blocks, plan.rotations) == (1, 2, 2)


def test_training_keeps_rotations():
    """The two halves of a rotation share their angle, so a trained mixing stage still turns features."""
    x = data().float()
    head = QuantumProjection.fit(x, 11, settings=FitSettings(1, "select"), scale=1e-3, normalize_output=False)
    with torch.no_grad():
        for layer in head.layers:
            layer.weights.add_(torch.randn(layer.weights.shape, generator=torch.Generator().manual_seed(1)))
    unit = torch.eye(12)
    rows = (head(unit).detach() - head(torch.zeros(1, 12)).detach()).double() / (math.pi / 2 * 1e-3)
    torch.testing.assert_close(rows.T @ rows, torch.eye(11, dtype=torch.float64), atol=2e-3, rtol=0)


def test_small_embeddings_are_projected_as_the_map_says():
    """The circuits' output deviates from pi/2 in proportion to the linear map, where numbers are small."""
    x = data()
    fitted = fit_plan(moments_of(x).covariance, 3, FitSettings(mixing=2))
    head = QuantumProjection.fit(x, 3, settings=FitSettings(mixing=2), scale=1e-3, normalize_output=False).double()
    assert head.plan == fitted.plan
    unit = torch.nn.functional.normalize(x, dim=1)
    found = (head(x) - math.pi / 2).detach()
    torch.testing.assert_close(found, math.pi / 2 * 1e-3 * unit @ linear_map(fitted).T, atol=1e-8, rtol=0)


def test_normalized_output():
    """Log fidelity orders as cosine of the deviations does; a zero deviation stays."""
    x = data()
    plain = QuantumProjection.fit(x, 4, normalize_output=False)(x.float())
    head = QuantumProjection.fit(x, 4)
    found = head(x.float())
    unit = torch.nn.functional.normalize(math.pi / 2 - plain, dim=1)
    torch.testing.assert_close(found, math.pi / 2 - unit)
    torch.testing.assert_close(head(x[0].float()), found[0])
    torch.testing.assert_close(head(x[:6].float().view(2, 3, 12)), found[:6].view(2, 3, 4))
    torch.testing.assert_close(head(torch.zeros(1, 12)).detach(), torch.full((1, 4), math.pi / 2), atol=0.02, rtol=0)


@pytest.mark.parametrize("device", ["default.mixed?noise=amplitude_damping:0.05", "default.qubit?shots=200&seed=3"])
def test_what_a_device_adds_to_every_readout_drops_out(device):
    """Damping and few shots shift all readouts of a block alike: measured from the zero embedding, that is gone."""
    x = data(width=64).float()
    exact = QuantumProjection.fit(x, 4)
    noisy = QuantumProjection.fit(x, 4).to_device(device)
    unit = torch.nn.functional.normalize
    plain = QuantumProjection.fit(x, 4, normalize_output=False).to_device(device)
    wrong = math.pi / 2 - unit(math.pi / 2 - plain(x), dim=1)
    assert (noisy(x) - exact(x)).norm() < (wrong - exact(x)).norm() / 2


def test_direct_mode_measures_from_the_same_zero():
    """Circuits for every embedding give what the responses give, the noise's shift taken off in both."""
    x = data(4, 6).float()
    device = "default.mixed?noise=amplitude_damping:0.05"
    head = QuantumProjection.fit(data(width=6).float(), 3, device=device)
    expected = head(x)
    torch.testing.assert_close(head.to_device(f"{device}&mode=direct")(x), expected, atol=1e-5, rtol=0)


def test_saved_and_loaded(tmp_path):
    """Plan, angles and normalisation come back."""
    x = data().float()
    head = QuantumProjection.fit(x, 4)
    head.save(tmp_path)
    torch.testing.assert_close(QuantumProjection.load(tmp_path)(x), head(x), atol=0, rtol=0)


@pytest.mark.parametrize("mixing", [0, 1])
@pytest.mark.parametrize("name", ["u_cu", "free_rotor", "polar"])
def test_other_ansaetze(name, mixing):
    """Those that can rotate do; the head is the rotor's. Without a mirror, both halves have weights of their own."""
    x = data(width=8).float()
    expected = QuantumProjection.fit(x, 3, settings=FitSettings(mixing))
    head = QuantumProjection.fit(x, 3, name, settings=FitSettings(mixing))
    assert head.plan == expected.plan.without_ties()
    torch.testing.assert_close(head(x), expected(x), atol=2e-4, rtol=0)


def test_weights_say_how_close_they_come():
    """A response that no block has is approached, and the deviation says how far it stays."""
    target = torch.zeros(2, 3, 3)
    target[0, 0, 1] = 1
    target[1, 0, 1] = target[1, 1, 0] = 0.9  # <Z> = 0.9 (cos a + cos b), which exceeds 1
    weights, deviation = fit_weights(circuits.get("rotor"), target)
    assert weights.shape == (2, 1)
    assert deviation[0] < 1e-5
    assert deviation[1] > 0.1


@pytest.mark.parametrize("name", ["rotor", "u_cu"])
def test_corrected_on_a_device(name):
    """Dephasing takes from one part of a response more than from the other; corrected weights allow for it."""
    device = "default.mixed?noise=phase_damping:0.1"
    ansatz, target = circuits.get(name), torch.cat(fit_plan(moments_of(data()).covariance, 4).responses())
    weights, _ = fit_weights(ansatz, target)
    before = (block_responses(BlockExecutor(ansatz, DeviceSpec.parse(device)), weights) - target).square()
    corrected, deviation = correct_weights(ansatz, weights, target, device, 2)
    after = (block_responses(BlockExecutor(ansatz, DeviceSpec.parse(device)), corrected) - target).square()
    torch.testing.assert_close(after.mean(dim=(1, 2)).sqrt(), deviation)
    assert (after.sum(dim=(1, 2)) <= before.sum(dim=(1, 2)) + 1e-12).all()
    assert after.mean().sqrt() < 0.95 * before.mean().sqrt()
    head = QuantumProjection.fit(data(), 4, name, device, corrections=2)
    with pytest.raises(ValueError, match="expected 1 or more"):
        head.correct(0)
    torch.testing.assert_close(head.block_weights().double(), corrected, atol=1e-5, rtol=0)


def test_corrections_of_a_device_without_errors_change_nothing():
    """What is right stays, where blocks share weights too."""
    x, settings = data(), FitSettings(1)
    plain = QuantumProjection.fit(x, 4, settings=settings)
    head = QuantumProjection.fit(x, 4, device="lightning.qubit", settings=settings, corrections=1)
    torch.testing.assert_close(head.block_weights(), plain.block_weights(), atol=1e-6, rtol=0)


def test_degenerate_columns():
    """Constant and duplicate columns go first, and lose nothing."""
    x = data(width=6)
    wide = torch.cat([x, torch.full((300, 1), 2.0, dtype=x.dtype), x[:, :1]], dim=1)
    found = linear_map(fit_plan(moments_of(wide, normalize=False).covariance, 6))
    covariance = moments_of(wide, normalize=False).covariance
    kept = (found @ covariance @ found.T).trace()
    torch.testing.assert_close(kept, covariance.trace())
    few = fit_plan(moments_of(data(3, 10)).covariance, 9)
    assert few.plan.blocks == 1


def test_refusals():
    """Sizes, depths, words, matrices."""
    covariance = torch.eye(8, dtype=torch.float64)
    for arguments, message in (
        ((covariance, 8), "a projection compresses"),
        ((covariance[:4], 2), r"shape \(4, 8\)"),
        ((covariance * math.nan, 2), "finite"),
        ((covariance + torch.ones(8, 8).triu(1), 2), "not symmetric"),
        ((covariance, 2, FitSettings(depth=1)), "8 features merge to 2 in 2 stages at least"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_plan(*arguments)
    with pytest.raises(ValueError, match="angles=5: mixing and merging alone take 6 from 8 to 2; raise"):
        fit_plan(covariance, 2, FitSettings(angles=5))
    wrongs = ({"power": 0.0}, {"power": 5.0}, {"angles": 0})
    for wrong in ({"merging": "prune"}, {"pairs": "best"}, {"mixing": -1}, {"depth": 0}, *wrongs):
        with pytest.raises(ValueError, match="expected"):
            FitSettings(**wrong)


@pytest.mark.parametrize(("a", "b", "c"), [(2.0, 1.0, 0.5), (1.0, 1.0, -0.3), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
def test_principal_angle(a, b, c):
    """It decorrelates, the larger variance first."""
    t = principal_angle(a, b, c)
    first = a * math.cos(t) ** 2 + b * math.sin(t) ** 2 + c * math.sin(2 * t)
    assert (b - a) / 2 * math.sin(2 * t) + c * math.cos(2 * t) == pytest.approx(0, abs=1e-12)
    assert first >= a + b - first - 1e-12


def test_a_rotation_of_all_features():
    """Mixing that merges nothing may keep every feature: its map is orthogonal."""
    covariance = moments_of(data()).covariance
    fitted = fit_plan(covariance, 12, FitSettings(mixing=3, merging="select"))
    assert fitted.plan.output == tuple(range(12))
    matrix = linear_map(fitted)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(12, dtype=torch.float64))
    # Nothing is dropped, so that there is nothing to exchange with.
    within = fit_plan(covariance, 12, FitSettings(mixing=3, merging="select", angles=1000))
    assert within.plan.stages == fitted.plan.stages


@pytest.mark.parametrize("settings", [None, FitSettings(mixing=2), FitSettings(merging="select")])
def test_no_rotation(settings):
    """What merges, or does nothing, keeps fewer features than there are."""
    with pytest.raises(ValueError, match="in_features=12, out_features=12: a projection compresses"):
        fit_plan(moments_of(data()).covariance, 12, settings)
