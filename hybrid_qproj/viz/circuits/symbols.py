"""Symbols of a circuit, and expressions of them, in each format."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hybrid_qproj.viz.circuits.angles import Angle, as_multiple
from hybrid_qproj.viz.circuits.names import distinct, latex_name, qasm_name, text_name


@dataclass(frozen=True)
class Notation:
    """How a format writes expressions.

    Args:
        names: of the symbols.
        pi: the number.
        times: between a number and a name; empty where they are written side by side.
        after_pi: between pi and a name.
        latex: whether powers of ten are raised.
        exact: whether numbers are written to the last digit.
    """

    names: tuple[str, ...]
    pi: str
    times: str = ""
    after_pi: str = "·"
    latex: bool = False
    exact: bool = False

    def write(self, angle: Angle) -> str:
        """An expression.

        Args:
            angle: of the symbols that have names here.
        """
        if angle.function:
            return f"{angle.function}({', '.join(self.names[symbol] for symbol in angle.symbols)})"
        terms = [self._term(factor, self.names[symbol]) for symbol, factor in angle.terms]
        if angle.constant or not terms:
            terms.append(self._number(angle.constant, bool(terms)))
        return terms[0] + "".join(f" - {term[1:]}" if term.startswith("-") else f" + {term}" for term in terms[1:])

    def _term(self, factor: float, name: str) -> str:
        multiple = as_multiple(factor)
        if multiple is None or (multiple[0].denominator > DRAWN and not self.exact):
            sign, size = ("-" if factor < 0 else ""), self._decimal(abs(factor))
            between = self.times or (r"\," if self.latex else "·" if "e" in size else "")
            return f"{sign}{size}{between}{name}"
        fraction, of_pi = multiple
        parts = [str(abs(fraction.numerator))] if abs(fraction.numerator) != 1 else []
        product = self.times.join([*parts, self.pi + self.after_pi + name if of_pi else name])
        return f"{'-' * (fraction < 0)}{product}" + (f"/{fraction.denominator}" if fraction.denominator > 1 else "")

    def _number(self, value: complex, beside: bool) -> str:
        if isinstance(value, complex):
            return f"{value:.3g}"
        if self.exact:
            multiple = as_multiple(value) if beside else None
            if multiple is not None and multiple[1]:
                fraction = multiple[0]
                factor = "" if abs(fraction.numerator) == 1 else f"{abs(fraction.numerator)}*"
                below = f"/{fraction.denominator}" if fraction.denominator > 1 else ""
                return f"{'-' * (fraction < 0)}{factor}{self.pi}{below}"
            return decimal(value)
        return self._raised(number(value, self.pi))

    def _decimal(self, value: float) -> str:
        return decimal(value) if self.exact else self._raised(f"{value:.3g}")

    def _raised(self, text: str) -> str:
        if not self.latex:
            return text
        text = re.sub(r"nan|inf", lambda m: rf"\mathrm{{{m[0]}}}", text)
        return re.sub(r"e([+-]\d+)", lambda m: rf"\times 10^{{{int(m[1])}}}", text)


DRAWN = 16
"""Largest denominator of a coefficient that is drawn as a fraction; beyond, decimals say more."""


NEAR = 1e-6
"""How near, relative to it, to a multiple of pi a number is drawn as one: weights are in single precision."""

MULTIPLES = 4.5
"""Multiples of pi below which a number is drawn as one."""


@dataclass(frozen=True)
class Symbol:
    """A name for a number that a picture leaves open.

    Args:
        name: its own within a picture.
        meaning: for people.
        neutral: a value that stands for nothing in particular, where there is one.
    """

    name: str
    meaning: str = "a parameter of the ansatz"
    neutral: float | None = None


class Symbols:
    """The symbols of a picture, by number.

    Args:
        symbols: in order; their names differ.

    Examples:
        >>> symbols = Symbols([Symbol("beta_c"), Symbol("b")])
        >>> symbols.text.write(Angle(math.pi / 2, ((0, -0.5), (1, 3.0))))
        '-β_c/2 + 3b + π/2'
    """

    def __init__(self, symbols: Iterable[Symbol] = ()) -> None:
        self.all = tuple(symbols)
        names = [symbol.name for symbol in self.all]
        shown = distinct(names, text_name, lambda name, number: f"{name}#{number}")
        self.text = Notation(tuple(shown), "π")
        shown = distinct(names, latex_name, lambda name, number: f"{{{name}}}^{{({number})}}")
        self.latex = Notation(tuple(shown), r"\pi", after_pi=r"\,", latex=True)
        shown = distinct(names, qasm_name, lambda name, number: f"{name}_{number}")
        self.qasm = Notation(tuple(shown), "pi", times="*", after_pi="*", exact=True)

    def __len__(self) -> int:
        return len(self.all)


def number(value: float, pi: str) -> str:
    """A number to three digits, or a small multiple of pi.

    Examples:
        >>> number(math.pi / 2, "π"), number(-math.pi, "π"), number(0.12345, "π")
        ('π/2', '-π', '0.123')
    """
    if math.isfinite(value) and abs(value) < MULTIPLES * math.pi:
        for denominator in (1, 2, 3, 4, 6, 8, 16):
            multiple = value * denominator / math.pi
            whole = round(multiple)
            if whole and abs(multiple - whole) <= NEAR * abs(whole):
                factor = {1: "", -1: "-"}.get(whole, str(whole))
                return f"{factor}{pi}" + (f"/{denominator}" if denominator > 1 else "")
    return f"{value:.3g}"


def decimal(value: float) -> str:
    """A number to its last digit, with the decimal point that OpenQASM 2 wants.

    Examples:
        >>> decimal(-1e-7), decimal(1e22), decimal(0.5), decimal(3.0)
        ('-1.0e-07', '1.0e+22', '0.5', '3.0')
    """
    text = repr(float(value))
    mantissa, e, exponent = text.partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + e + exponent
