"""The published head's own outputs, on its own weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hybrid_qproj import QuantumProjection, fidelity


def _names(k, stage):
    if k == 256:
        return (("c_zyz", "b_zyz", "cb_c_zyz"), ("b_cb_zyz", "a_zyz", "ba_c_zyz"))[stage]
    control, kept = 768 - k * (stage + 1), 768 - k * (stage + 2)
    c, b = f"{control}_{control + k}", f"{kept}_{kept + k}"
    return f"u_{c}_{stage}", f"u_{b}_{stage}", f"cu_{b}_{c}_{stage}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [384, 256, 128, 64])
def test_outputs_of_the_published_head(reference, k, dtype):
    """Amplitudes within 2e-6, fidelity within 1e-4 of the published code's."""
    data = np.load(reference / f"seed1_k{k}.npz")
    head = QuantumProjection.paper(768, k)
    with torch.no_grad():
        for number, stage in enumerate(head.stages):
            columns = [
                data[f"raw.{module}.{angle}"].reshape(-1)
                for module in _names(k, number)
                for angle in ("alpha", "beta", "gamma", "delta")
            ]
            stage.weights.copy_(torch.tensor(np.stack(columns, axis=-1)))
        angles = head(torch.tensor(data["embeddings"], dtype=dtype))
    amplitudes = torch.stack([(angles / 2).cos(), (angles / 2).sin()], dim=-1).numpy()
    np.testing.assert_allclose(amplitudes, data["output_amplitudes"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(fidelity(angles[:, 0], angles[:, 1]), data["fidelity"][:, 0], rtol=1e-4)


@pytest.mark.parametrize(("k", "parameters"), [(384, 4608), (256, 6144), (128, 7680), (64, 8448)])
def test_published_parameter_counts(k, parameters):
    """The preset is the published head: its size, no scale, no normalisation, standard normal raw weights."""
    head = QuantumProjection.paper(768, k)
    assert sum(p.numel() for p in head.parameters()) == parameters
    assert head.encoding.scale is None
    assert not head.encoding.normalize
    raw = torch.cat([stage.weights.detach() for stage in head.stages])
    assert abs(raw.mean()) < 0.1
    assert abs(raw.std() - 1) < 0.1
