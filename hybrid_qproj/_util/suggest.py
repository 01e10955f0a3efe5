"""What somebody probably meant by a name that does not exist, in the one wording of all errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100
"""Characters of a name that is compared: the comparison takes time quadratic in them."""
LEAST_LIKENESS = 0.7
"""Share of letters in common, in order, from which names are near: one wrong letter in four."""


def suggestion(name: str, known: Iterable[str], otherwise: str = "", most: int = 1) -> str:
    """A clause for an error about an unknown name; upper and lower case do not matter.

    Args:
        name: what was given. It is not repeated.
        known: names that exist.
        otherwise: what stands there where no known name is near.
        most: names to suggest at most.

    Returns:
        ``"; did you mean 'a'?"``, with the nearest name first, or ``otherwise``.

    Examples:
        >>> suggestion("rotr", ["rotor", "u_cu"])
        "; did you mean 'rotor'?"
        >>> suggestion("zz", ["rotor", "u_cu"], otherwise=";")
        ';'
    """
    if len(name) > LONGEST_NAME:
        return otherwise
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=most, cutoff=LEAST_LIKENESS)
    return f"; did you mean {' or '.join(repr(folded[each]) for each in near)}?" if near else otherwise
