"""The schemes that need nothing but the package."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj.codec import Codec


def error(codec, outputs):
    return float((codec.decode(codec.encode(outputs)) - outputs).square().mean())


def test_bits_follow_the_variance(angles):
    codec = Codec.fit(angles, 12)
    bits = codec.scheme.bits.long()
    assert int(bits.sum()) == 96
    assert bits[-1] > bits[0] == 0
    assert (bits.diff() >= -1).all()
    assert codec.stored_numbers == 3 * 48


def test_errors_are_those_of_the_theory():
    """Within a few percent of the sum of v times the error of a normal number in so many bits."""
    deviations = torch.linspace(0.01, 0.2, 48)
    angles = 1.5 + deviations * torch.randn(20_000, 48, generator=torch.Generator().manual_seed(0))
    codec = Codec.fit(angles, 12)
    known = torch.tensor([1.0, 0.3634, 0.1175, 0.03454, 0.009497])
    expected = (deviations.square() * known[codec.scheme.bits.long()]).mean()
    assert error(codec, angles) == pytest.approx(float(expected), rel=0.02)


def test_more_bytes_lose_less(angles):
    errors = [error(Codec.fit(angles, size), angles) for size in (1, 3, 6, 12, 24, 48)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


def test_a_constant_output():
    """Gets no bit before the others have all of theirs, and comes back as it is."""
    angles = 1.5 + 0.1 * torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    angles[:, 2] = 1.25
    codec = Codec.fit(angles, 3)
    assert codec.scheme.bits.tolist()[2] == 0
    assert codec.decode(codec.encode(angles))[:, 2].tolist() == [1.25] * 100
    assert Codec.fit(angles, 4).decode(Codec.fit(angles, 4).encode(angles))[:, 2].tolist() == [1.25] * 100


def test_signs(angles):
    """A bit is on which side of the mean an output lies."""
    codec = Codec.fit(angles, 6, "signs")
    codes, above = codec.encode(angles), angles > codec.scheme.mean
    assert codes[0, 0] == sum(int(bit) << 7 - place for place, bit in enumerate(above[0, :8]))
    decoded = codec.decode(codes) - codec.scheme.mean
    assert torch.equal(decoded > 0, above)
    assert float(decoded.abs().std()) < 1e-6
    assert codec.stored_numbers == 48 + 1


def test_signs_of_the_largest_variances(angles):
    codec = Codec.fit(angles, 2, "signs")
    assert codec.scheme.chosen.tolist() == list(range(32, 48))
    decoded = codec.decode(codec.encode(angles))
    assert torch.equal(decoded[:, :32], codec.scheme.mean[:32].expand(600, -1))
    assert codec.stored_numbers == 48 + 1 + 16


def test_signs_of_a_width_that_fills_no_byte():
    angles = 1.5 + 0.1 * torch.randn(100, 11, generator=torch.Generator().manual_seed(0))
    codec = Codec.fit(angles, 2, "signs")
    codes = codec.encode(angles)
    assert (codes[:, 1] & 0b11111).max() == 0
    assert torch.equal(codec.decode(codes) > codec.scheme.mean, angles > codec.scheme.mean)


@pytest.mark.parametrize(("scheme", "size", "steps"), [("int8", 48, 255), ("sq4", 24, 15)])
def test_scalar_codes(angles, scheme, size, steps):
    """Off by half a step at most."""
    codec = Codec.fit(angles, size, scheme)
    step = (angles.amax(dim=0) - angles.amin(dim=0)) / steps
    off = (codec.decode(codec.encode(angles)) - angles).abs()
    assert bool((off <= step / 2 * 1.001).all())
    assert codec.stored_numbers == 2 * 48


def test_an_odd_width_in_half_bytes():
    angles = 1.5 + 0.1 * torch.randn(100, 11, generator=torch.Generator().manual_seed(0))
    codec = Codec.fit(angles, 6, "sq4")
    assert float((codec.decode(codec.encode(angles)) - angles).abs().max()) < 0.03


def test_an_int8_beyond_what_was_fitted():
    """Is the nearest that there is."""
    angles = 1.0 + torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    codec = Codec.fit(angles, 3, "int8")
    decoded = codec.decode(codec.encode(torch.tensor([[0.0, 1.5, math.pi]])))[0]
    assert decoded[0] == pytest.approx(float(angles[:, 0].min()), abs=1e-5)
    assert decoded[2] == pytest.approx(float(angles[:, 2].max()), abs=1e-5)
