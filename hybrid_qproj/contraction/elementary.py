"""Functions of angles by polynomials, for single precision: a large batch spends most of its time in these.

Each is within rounding of float32 of the function that it stands for; the tests measure that against float64. Double
precision gets torch's own. Coefficients are literals where they are used: what has a name a compiler takes for a
variable.

Chebyshev fits in u = t^2 or |z| on [0, 1], and of tanh a rational fit in x^2 up to 81, where it is 1 in single
precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent.

    Args:
        x: float32 or float64.

    Returns:
        same shape, in [-1, 1]; in single precision off by at most 4e-7.
    """
    if x.dtype != torch.float32:
        return x.tanh()
    if not torch.compiler.is_compiling():
        # One pass over memory instead of ten; its rounding is that of 1, not of x.
        return torch.sigmoid(2 * x).mul_(2).sub_(1)
    x = x.clamp(-9.0, 9.0)
    u = x * x
    above = (((1.33518548e-08 * u + 2.06068453e-05) * u + 0.00349544255) * u + 0.133808996) * u + 0.999999979
    below = (((7.77534782e-07 * u + 0.000328540362) * u + 0.0258764179) * u + 0.46714215) * u + 1.0
    return (x * above / below).clamp(-1.0, 1.0)


def turned(t: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of -pi/2 (1 + t), the angle of an encoded qubit.

    Args:
        t: in [-1, 1].

    Returns:
        -sin(pi/2 t) and -cos(pi/2 t), same shape; in single precision off by at most 2e-7.
    """
    if t.dtype != torch.float32:
        half = t * (math.pi / 2)
        return half.sin().neg_(), half.cos().neg_()
    u = t * t
    sine = (((0.000151675118 * u).sub_(0.00467415067).mul_(u).add_(0.0796899226)).mul_(u).sub_(0.64596376)).mul_(u)
    cosine = (((2.3601098e-05 * u).sub_(0.000893536312).mul_(u).add_(0.0199686067)).mul_(u).sub_(0.233700506)).mul_(u)
    # With 1 - t^2 as a factor, which is zero at the poles.
    return sine.add_(1.57079632).mul_(t).neg_(), cosine.add_(0.999999999).mul_(u.sub_(1))


def arccos(z: Tensor) -> Tensor:
    """Arc cosine.

    Args:
        z: in [-1, 1].

    Returns:
        same shape, in [0, pi]; in single precision off by at most 4e-7.
    """
    if z.dtype != torch.float32:
        return z.acos()
    a = z.abs()
    p = (-0.00123700485 * a).add_(0.00658088524).mul_(a).sub_(0.016965472).mul_(a).add_(0.0308082534).mul_(a)
    p = p.sub_(0.050145025).mul_(a).add_(0.0889740993).mul_(a).sub_(0.214598494).mul_(a).add_(1.5707963)
    # pi/2 - arcsin z, whose sign is that of z: what is chosen element by element is not vectorised.
    return (p.mul_((1 - a).sqrt_()) - math.pi / 2).copysign_(z).neg_().add_(math.pi / 2)
