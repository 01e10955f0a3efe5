"""Whatever finite numbers come, in whatever dtype: outputs, scores and every gradient are finite."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj._util.validation import NotFiniteError
from hybrid_qproj.contraction import projector
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.controls import LinearAngles, UnboundedLinear
from hybrid_qproj.heads.fixed import LowRankLinear, Uncompressed, UncompressedQubits
from hybrid_qproj.heads.grouped import GroupedLinear
from hybrid_qproj.heads.linear import PCAProjection, RandomProjection, Truncation
from hybrid_qproj.similarity.fidelity import PAIRED, PAIRWISE, fidelity, pairwise_fidelity

D, K = 10, 3
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
HEADS = {
    "quantum": lambda: QuantumProjection(D, K, init="random"),
    "quantum, identity": lambda: QuantumProjection(D, K, "rotor"),
    "quantum, all options": lambda: QuantumProjection(
        D, K, plan="tree", normalize=True, scale=2.0, normalize_output=True, init="random"
    ),
    "quantum, normalised output": lambda: QuantumProjection(D, K, "rotor", normalize_output=True),
    "quantum, scale": lambda: QuantumProjection(D, K, "rotor", scale=50.0, init="random"),
    "quantum, fitted": lambda: QuantumProjection.fit(torch.randn(40, D, generator=torch.Generator().manual_seed(0)), K),
    "quantum, direct": lambda: QuantumProjection(
        D, K, "rotor", "default.qubit?mode=direct", normalize=True, scale=1.0, normalize_output=True
    ),
    "quantum, eval": lambda: QuantumProjection(D, K, normalize=True, init="random").eval(),
    "coherent": lambda: CoherentProjection(D, K, init="random"),
    "coherent, all options": lambda: CoherentProjection(D, K, "rotor", plan="tree", normalize=True, scale=2.0),
    "classical": lambda: ClassicalProjection(D, K),
    "classical, truncation": lambda: ClassicalProjection(D, K, "truncation"),
    "truncation": lambda: Truncation(D, K),
    "PCA": lambda: PCAProjection(D, K).fit(torch.randn(40, D, generator=torch.Generator().manual_seed(0))),
    "random": lambda: RandomProjection(D, K),
    "grouped": lambda: GroupedLinear(D, K),
    "linear angles": lambda: LinearAngles(D, K),
    "unbounded": lambda: UnboundedLinear(D, K),
    "low rank": lambda: LowRankLinear(D, K, 2),
    "uncompressed": lambda: Uncompressed(D),
    "uncompressed, tanh": lambda: Uncompressed(D, tanh=True),
    "uncompressed, qubits": lambda: UncompressedQubits(D),
}


def rows(dtype, seed):
    """Zeros, tiny, ordinary and huge rows, of one sign and of both, equal ones, and mixtures."""
    limits = torch.finfo(dtype)
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (D,), generator=generator) * 2.0 - 1
    magnitudes = [
        0.0,
        limits.smallest_normal * limits.eps,
        limits.smallest_normal,
        1e-13,
        1e-7,
        1e-5,
        1.0,
        60.0,
        6e4,
        limits.max**0.51,
        limits.max / 4,
        limits.max,
    ]
    scales = torch.tensor(magnitudes, dtype=torch.float64)[:, None]
    everything = [scales.expand(-1, D), scales * signs]
    mixed = scales[torch.randint(0, len(magnitudes), (6, D), generator=generator), 0]
    ordinary = torch.randn(2, D, dtype=torch.float64, generator=generator)
    batch = torch.cat([*everything, mixed, -mixed, ordinary, ordinary]).to(dtype)
    return batch[batch.isfinite().all(dim=1)]


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(
    ("dtype", "weights"),
    [(dtype, torch.float32) for dtype in DTYPES] + [(dtype, dtype) for dtype in DTYPES if dtype != torch.float32],
    ids=str,
)
def test_heads(name, dtype, weights, monkeypatch):
    """In one piece and in several, with weights in single precision and in that of the embeddings."""
    torch.manual_seed(0)
    head = HEADS[name]().to(weights)
    x = rows(dtype, 0).requires_grad_()
    for tile in (1 << 19, 3 * D):
        monkeypatch.setattr(projector, "NUMBERS_PER_PIECE", tile)
        outputs = head(x)
        assert outputs.dtype == dtype
        assert outputs.isfinite().all()
        with torch.no_grad():
            torch.testing.assert_close(
                head(x), outputs, atol=1e-2 if torch.finfo(dtype).bits == 16 else 1e-5, rtol=1e-2
            )
        parameters = [p for p in head.parameters() if p.requires_grad]
        for gradient in torch.autograd.grad(outputs.double().sum(), [x, *parameters], retain_graph=True):
            assert gradient.isfinite().all()
        scores = PAIRWISE[head.similarity](outputs, outputs)
        assert scores.isfinite().all()
        for gradient in torch.autograd.grad(scores.mean(), [x, *parameters], retain_graph=True):
            assert gradient.isfinite().all()


SCORES = {**{f"{n}, paired": f for n, f in PAIRED.items()}, **{f"{n}, all pairs": f for n, f in PAIRWISE.items()},
          "F, paired": fidelity, "F, all pairs": pairwise_fidelity}  # fmt: skip


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=30)
@given(
    dtypes=st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)),
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["any", "equal", "orthogonal", "nearly orthogonal", "opposite"]),
)
@example(dtypes=(torch.float16, torch.float16), seed=0, kind="orthogonal")
def test_similarities(name, dtypes, seed, kind):
    """Of anything with anything, with itself, and of states at right angles."""
    width = 9
    a = rows(dtypes[0], seed)[:, :width]
    b = rows(dtypes[1], seed + 1)[:, :width]
    if kind != "any":
        a = b = (torch.rand(8, width, generator=torch.Generator().manual_seed(seed)) * math.pi).to(dtypes[0])
    if kind == "orthogonal":
        a, b = torch.zeros_like(a), torch.full_like(b, math.pi)
    if kind == "nearly orthogonal":
        b = a + math.pi
    if kind == "opposite":
        b = -a
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = SCORES[name](a[:, None], b[None]) if "paired" in name else SCORES[name](a, b)
    assert value.isfinite().all()
    for gradient in torch.autograd.grad(value.sum(), (a, b)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_not_served(value, device):
    head = QuantumProjection(D, K, "rotor", device, init="random", scale=1.0).eval()
    x = torch.ones(2, D)
    expected = head(x)
    with torch.no_grad():
        head.encoding.scale.fill_(value)
    with pytest.raises(NotFiniteError, match="scale"):
        head(x)
    with torch.no_grad():
        head.encoding.scale.fill_(1.0)
        before = head.stages[0].weights[0, 0].item()
        head.stages[0].weights[0, 0] = value
    with pytest.raises(NotFiniteError, match="weights"):
        head(x)
    with torch.no_grad():
        head.stages[0].weights[0, 0] = before
    assert torch.equal(head(x), expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_responses_that_are_no_numbers_are_not_served(value):
    head = QuantumProjection(D, K, "rotor", init="random").eval()
    x = torch.ones(2, D)
    expected, responses = head(x), torch.cat(head.responses()).double()
    if value is None:
        responses = responses[1:]
    else:
        responses[0, 0, 0] = value
    with pytest.raises(ValueError, match="responses"):
        head.use_responses(head.block_weights().double(), responses)
    assert torch.equal(head(x), expected)
