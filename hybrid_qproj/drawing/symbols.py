"""Names for the angles of a circuit: found again in its gates by their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

# fmt: off
_UNICODE = {
    "alpha": "\N{GREEK SMALL LETTER ALPHA}", "beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}", "delta": "δ",
    "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "\N{GREEK SMALL LETTER IOTA}", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "\N{GREEK SMALL LETTER NU}", "xi": "ξ", "pi": "π",
    "rho": "\N{GREEK SMALL LETTER RHO}", "sigma": "\N{GREEK SMALL LETTER SIGMA}", "tau": "τ",
    "upsilon": "\N{GREEK SMALL LETTER UPSILON}", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}
# fmt: on
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

FACTORS = ((1.0, ""), (-1.0, "-"), (0.5, "/2"), (-0.5, "-/2"), (2.0, "2"), (-2.0, "-2"))
"""How a gate may use a parameter: as it is, negated, halved, doubled."""

Symbol = tuple[str, str]
"""How a parameter is used, a second entry of `FACTORS`, and its name."""


class Symbols:
    """Names of angles.

    Args:
        values: name -> the value it has in the circuit; values that tell the names apart, drawn at random say.

    Examples:
        >>> Symbols({"alpha_c": 0.3}).find(-0.3)
        ('-', 'alpha_c')
    """

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = dict(values)

    def find(self, value: float) -> Symbol | None:
        """The name whose value, perhaps negated, halved or doubled, is this one.

        Args:
            value: a gate's angle.

        Returns:
            how it is used, and its name; None for a value that no name has.
        """
        for name, known in self.values.items():
            for factor, text in FACTORS:
                if np.isclose(value, factor * known, rtol=1e-9, atol=1e-12):
                    return text, name
        return None

    def latex(self, value: float) -> str:
        """A gate's angle for LaTeX and matplotlib's mathtext."""
        found = self.find(value)
        return number(value, r"\pi") if found is None else _with_factor(found[0], latex_name(found[1]))

    def text(self, value: float) -> str:
        """A gate's angle for a terminal."""
        found = self.find(value)
        return number(value, "π") if found is None else _with_factor(found[0], text_name(found[1]))


def random_angles(names: tuple[str, ...], seed: int = 0) -> np.ndarray:
    """Values that no two names share, not even negated, halved or doubled."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, len(names))


def latex_name(name: str) -> str:
    r"""A parameter's name as LaTeX.

    Examples:
        >>> print(latex_name("alpha_cu"), latex_name("theta'_1"), latex_name("coupling"), latex_name("phi_c2"))
        \alpha_{cu} \theta'_{1} \mathrm{coupling} \phi_{c2}
    """
    head, primes, index = _parts(name)
    stem = rf"\{head}" if head in _UNICODE else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    stem += primes
    return f"{stem}_{{{index.replace('_', ',')}}}" if index else stem


def text_name(name: str) -> str:
    """A parameter's name for a terminal.

    Examples:
        >>> text_name("beta_cu"), text_name("theta_1"), text_name("coupling")
        ('β_cu', 'θ₁', 'coupling')
    """
    head, primes, index = _parts(name)
    stem = _UNICODE.get(head, head) + primes
    if not index:
        return stem
    return stem + (index.translate(_SUBSCRIPTS) if re.fullmatch(r"\d+", index) else f"_{index}")


def _parts(name: str) -> tuple[str, str, str]:
    """Letter, primes and index of a name."""
    head, _, index = name.partition("_")
    stem = head.rstrip("'")
    return stem, head[len(stem) :], index


def number(value: float, pi: str) -> str:
    """A number to three digits, or a small multiple of pi.

    Examples:
        >>> number(math.pi / 2, "π"), number(-math.pi, "π"), number(0.12345, "π")
        ('π/2', '-π', '0.123')
    """
    for denominator in (1, 2, 3, 4):
        multiple = value * denominator / math.pi
        if value and np.isclose(multiple, round(multiple), atol=1e-9) and abs(round(multiple)) <= 4:  # noqa: PLR2004
            whole = round(multiple)
            factor = {1: "", -1: "-"}.get(whole, str(whole))
            return f"{factor}{pi}" + (f"/{denominator}" if denominator > 1 else "")
    return f"{value:.3g}"


def _with_factor(factor: str, name: str) -> str:
    return f"{factor.removesuffix('/2')}{name}{'/2' if factor.endswith('/2') else ''}"
