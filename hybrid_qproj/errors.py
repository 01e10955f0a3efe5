"""The base of errors that their message explains whole, so that a command prints it and no traceback."""

from __future__ import annotations


class ExpectedError(RuntimeError):
    """Work that cannot go on for a reason outside the program; the message says which, and what to do."""
