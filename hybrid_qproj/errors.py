"""The root of the package's errors: a message explains each whole, so that a command prints it and no traceback."""

from __future__ import annotations


class HybridQprojError(Exception):
    """Anything that went wrong for a reason outside the program; the message says which, and what to do.

    Mixed into every error of the package beside the built-in one that it also is, so ``except ValueError`` works too.
    """


class ExpectedError(HybridQprojError, RuntimeError):
    """Work that cannot go on."""
