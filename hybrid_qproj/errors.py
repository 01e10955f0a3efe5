"""The root of the package's errors: a message explains each whole, so that a command prints it and no traceback."""

from __future__ import annotations


class HybridQprojError(Exception):
    """Anything that went wrong for a reason outside the program; the message says which, and what to do.

    Mixed into every error of the package beside the built-in one that it also is, so ``except ValueError`` works too.
    """


class ExpectedError(HybridQprojError, RuntimeError):
    """Work that cannot go on."""


class ArgumentError(HybridQprojError, ValueError):
    """An argument that cannot be meant: what was given, and what is expected."""


class DataError(HybridQprojError, ValueError):
    """Data that cannot be read, or from which nothing is left."""


def on_one_line(error: BaseException) -> str:
    r"""What a library's error says, as a part of a message of ours.

    Examples:
        >>> on_one_line(ValueError("shapes differ:\n  (2,)"))
        'shapes differ: (2,)'
    """
    return " ".join(str(error).split())
