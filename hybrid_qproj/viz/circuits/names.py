"""Names of symbols in each format: escaped for it, and different wherever the symbols are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

# fmt: off
UNICODE = {
    "alpha": "\N{GREEK SMALL LETTER ALPHA}", "beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}", "delta": "δ",
    "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "\N{GREEK SMALL LETTER IOTA}", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "\N{GREEK SMALL LETTER NU}", "xi": "ξ",
    "rho": "\N{GREEK SMALL LETTER RHO}", "sigma": "\N{GREEK SMALL LETTER SIGMA}", "tau": "τ",
    "upsilon": "\N{GREEK SMALL LETTER UPSILON}", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "pi": "π",
}
_LATEX = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\wedge ", "~": r"\sim ", " ": r"\ ", "'": r"\prime ",
    "`": r"\prime ", '"': r"\prime\prime ",
}
RESERVED = frozenset((
    "OPENQASM", "include", "defcalgrammar", "def", "cal", "defcal", "gate", "extern", "box", "let", "break",
    "continue", "end", "if", "else", "for", "while", "in", "return", "switch", "case", "default", "pragma",
    "input", "output", "const", "readonly", "mutable", "qreg", "qubit", "creg", "bool", "bit", "int", "uint",
    "float", "angle", "complex", "array", "void", "duration", "stretch", "gphase", "inv", "pow", "ctrl",
    "negctrl", "dim", "durationof", "delay", "reset", "measure", "barrier", "true", "false", "im", "pi", "tau",
    "euler", "opaque", "U", "CX", "arccos", "arcsin", "arctan", "ceiling", "cos", "exp", "floor", "log", "mod",
    "popcount", "real", "rotl", "rotr", "sin", "sizeof", "sqrt", "tan", "ln", "p", "x", "y", "z", "h", "s", "sdg",
    "t", "tdg", "sx", "rx", "ry", "rz", "cx", "cy", "cz", "cp", "crx", "cry", "crz", "ch", "swap", "ccx", "cswap",
    "cu", "phase", "cphase", "id", "u1", "u2", "u3", "u", "u0", "cu1", "cu3", "nop", "q", "c",
))
"""Words of OpenQASM 2 and 3, names of the gates of their standard files, and the names of our registers."""
# fmt: on
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_GREEK = {letter: name for name, letter in UNICODE.items()}
_REGULAR = re.compile(r"([A-Za-z][A-Za-z0-9]*|[%s])('*)((?:_[A-Za-z0-9]+)*)" % "".join(_GREEK))  # noqa: UP031 - braces


def latex_name(name: str) -> str:
    r"""A parameter's name as LaTeX.

    Examples:
        >>> print(latex_name("alpha_cu"), latex_name("theta'_1"), latex_name("coupling"), latex_name("phi_c2"))
        \alpha_{cu} \theta'_{1} \mathrm{coupling} \phi_{c2}
        >>> print(latex_name("50%_a"), latex_name("pi"))
        [\mathrm{50\%\_a}] \mathrm{pi}
    """
    regular = _REGULAR.fullmatch(name)
    if regular is None:
        return rf"[\mathrm{{{latex_text(name)}}}]"
    head, primes, index = regular.groups()
    head = _GREEK.get(head, head)
    # A name pi is no number.
    greek = head in UNICODE and name not in ("pi", "π")
    stem = rf"\{head}" if greek else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    return f"{stem}{primes}" + (f"_{{{index[1:].replace('_', ',')}}}" if index else "")


def latex_text(text: str) -> str:
    r"""Any text within \mathrm, in ASCII.

    Examples:
        >>> print(latex_text("C(U_1)^2"), latex_text("é"))
        C(U\_1)\wedge 2 e
    """
    return "".join(_LATEX.get(letter, letter) for letter in _ascii(text)) or r"\ "


def mathtext(latex: str) -> str:
    r"""LaTeX's mathematics for matplotlib; see `matplotlib_text`.

    Examples:
        >>> print(mathtext(latex_name("a&b")), mathtext(latex_name("a#b")))
        $[\mathrm{a&b}]$ $[\mathrm{a{\#}b}]$
    """
    return matplotlib_text(f"${latex}$")


def matplotlib_text(text: str) -> str:
    """Text with LaTeX's mathematics in it for matplotlib.

    It has an ampersand without a backslash only, and reads a backslash, a number sign and a letter as a name.
    """
    return text.replace(r"\&", "&").replace(r"\#", r"{\#}")


def wire_label(label: str) -> str:
    r"""A wire's label for LaTeX and matplotlib: a name with an index as mathematics, anything else as text.

    Examples:
        >>> print(wire_label("x_12"), wire_label("ancilla 1"), wire_label("50% $"))
        $x_{12}$ ancilla 1 $\mathrm{50\%\ \$}$
    """
    if re.fullmatch(r"[A-Za-z]+_[A-Za-z0-9]+", label):
        head, _, index = label.partition("_")
        return f"${head}_{{{index}}}$"
    return label if re.fullmatch(r"[A-Za-z0-9 ]*", label) else rf"$\mathrm{{{latex_text(label)}}}$"


def text_name(name: str) -> str:
    """A parameter's name for a terminal.

    Examples:
        >>> text_name("beta_cu"), text_name("theta_1"), text_name("coupling"), text_name("a + b"), text_name("pi")
        ('β_cu', 'θ₁', 'coupling', '[a + b]', 'pi')
    """
    regular = _REGULAR.fullmatch(name)
    if name in ("pi", "π"):
        return "pi"
    if regular is None:
        shown = "".join(letter if letter.isprintable() else " " for letter in name)
        return shown if re.fullmatch(r"[^\W\d][\w']*", shown) else f"[{shown}]"
    head, primes, index = regular.groups()
    stem = UNICODE.get(head, head) + primes
    return stem + (index[1:].translate(_SUBSCRIPTS) if re.fullmatch(r"_\d+", index) else index)


def qasm_name(name: str) -> str:
    """A parameter's name as an identifier of OpenQASM.

    Examples:
        >>> qasm_name("alpha_c"), qasm_name("gate"), qasm_name("θ'_1"), qasm_name("2a")
        ('alpha_c', 'gate_', 'theta_prime_1', 'p_2a')
    """
    spelt = "".join(_GREEK.get(letter, letter) for letter in name.replace("'", "_prime"))
    found = re.sub(r"\W", "_", _ascii(spelt), flags=re.ASCII)
    if not re.match(r"[A-Za-z]", found):
        found = f"p_{found}"
    return f"{found}_" if found in RESERVED else found


def _ascii(text: str) -> str:
    """Letters without their accents; other signs by their numbers."""
    letters = []
    for letter in unicodedata.normalize("NFKD", text):
        if letter in _GREEK:
            letters.append(_GREEK[letter])
        elif unicodedata.combining(letter):
            continue
        elif " " <= letter <= "~":
            letters.append(letter)
        else:
            letters.append(" " if letter.isspace() else f"U{ord(letter):04X}")
    return "".join(letters)


def distinct(names: Sequence[str], shown: Callable[[str], str], again: Callable[[str, int], str]) -> list[str]:
    """How names are shown, each in its own way.

    Args:
        names: of the symbols.
        shown: how a name is shown; it may show two names alike.
        again: makes another out of what is shown, by a number.
    """
    found: list[str] = []
    for name in names:
        found.append(fresh(shown(name), found, again))
    return found


def fresh(name: str, taken: Iterable[str], again: Callable[[str, int], str]) -> str:
    """A name, or one made of it that is not taken."""
    used, chosen, number = set(taken), name, 2
    while chosen in used:
        chosen, number = again(name, number), number + 1
    return chosen
