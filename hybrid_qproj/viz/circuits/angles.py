"""Numbers of gates as expressions of parameters, found from what they are at many values of the parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

DENOMINATORS = 64
"""Largest denominator of a coefficient that is written as a fraction."""

EXACT = 1e-10
"""Relative difference up to which a computed coefficient is taken for a fraction, or for one times pi."""

SAME = 1e-10
"""Difference, relative to what was added up, up to which an expression agrees with a value."""


@dataclass(frozen=True)
class Angle:
    """A number of a gate: ``constant + sum of coefficient * symbol``, or some function of symbols.

    Args:
        constant: what is added; all there is where there are no terms.
        terms: symbol (its number) and coefficient; coefficients mean nothing in a function.
        function: letter of a function of the symbols that is no such sum; empty for a sum.
    """

    constant: complex = 0.0
    terms: tuple[tuple[int, float], ...] = ()
    function: str = ""

    @property
    def symbols(self) -> tuple[int, ...]:
        """Numbers of the symbols it depends on."""
        return tuple(symbol for symbol, _ in self.terms)

    def renumbered(self, numbers: Sequence[int]) -> Angle:
        """The same expression of other symbols.

        Args:
            numbers: for each symbol of this expression its new number.
        """
        return replace(self, terms=tuple((numbers[symbol], factor) for symbol, factor in self.terms))

    def value(self, values: Sequence[float]) -> complex:
        """What a sum is at some values of all symbols."""
        return self.constant + sum(factor * values[symbol] for symbol, factor in self.terms)

    def bound(self, values: dict[int, float]) -> Angle:
        """A sum with numbers for some of its symbols."""
        rest = tuple(term for term in self.terms if term[0] not in values)
        known = sum(factor * values[symbol] for symbol, factor in self.terms if symbol in values)
        return Angle(self.constant + known, rest)


def linear(points: np.ndarray, values: np.ndarray) -> Angle | None:
    """The sum of multiples of parameters, and of a constant, that numbers are.

    Args:
        points: values of the parameters, (points, parameters), the first ``2 * parameters + 4`` of moderate size and in
            no special position.
        values: the numbers there, (points,), real.

    Returns:
        the sum, whose symbols are the columns of ``points``; None where no sum agrees at every point.
    """
    if not np.isfinite(values).all():
        return None
    count = 2 * points.shape[1] + 4
    columns = np.hstack([points[:count], np.ones((count, 1))])
    found = np.linalg.lstsq(columns, values[:count], rcond=None)[0]
    noise = 1e-12 * max(1.0, np.abs(values[:count]).max())
    # A parameter with no part in a sum gets rounding errors for a coefficient.
    factors = [0.0 if abs(factor) < 10 * noise else _rounded(factor, noise) for factor in found]
    sums = np.column_stack([points * factors[:-1], np.full(len(points), factors[-1])])
    scale = np.maximum(1.0, np.abs(sums).sum(axis=1))
    if (np.abs(sums.sum(axis=1) - values) > SAME * scale).any():
        return None
    return Angle(factors[-1], tuple((number, factor) for number, factor in enumerate(factors[:-1]) if factor))


def _rounded(factor: float, noise: float) -> float:
    """A coefficient without its rounding errors."""
    multiple = as_multiple(factor)
    if multiple is not None:
        fraction, of_pi = multiple
        return float(fraction) * (math.pi if of_pi else 1.0)
    return round(float(factor), 1 - math.floor(math.log10(noise)))


def as_multiple(value: float) -> tuple[Fraction, bool] | None:
    """A number as a small fraction, perhaps of pi.

    Args:
        value: the number.

    Returns:
        the fraction, and whether it is one of pi; None for other numbers.

    Examples:
        >>> as_multiple(-1.5), as_multiple(math.pi / 4), as_multiple(0.123456)
        ((Fraction(-3, 2), False), (Fraction(1, 4), True), None)
    """
    if not math.isfinite(value) or value == 0:
        return None
    for unit, of_pi in ((1.0, False), (math.pi, True)):
        fraction = Fraction(value / unit).limit_denominator(DENOMINATORS)
        if abs(value - float(fraction) * unit) <= EXACT * abs(value):
            return fraction, of_pi
    return None
