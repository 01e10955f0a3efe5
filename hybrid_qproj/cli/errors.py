"""What of a command can go wrong, told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

INTERRUPTED = 130
"""Exit code of a command that was interrupted from the keyboard, as shells have it."""

debugging: ContextVar[bool] = ContextVar("debugging", default=False)
"""Whether this run of the command line shows tracebacks."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the package's errors into one red line and exit code 1: what a command's input or surroundings explain.

    All else is a bug and shows its traceback, as everything does with ``--debug``.
    """
    from hybrid_qproj.errors import HybridQprojError  # noqa: PLC0415 - keeps --help fast

    try:
        yield
    except KeyboardInterrupt as error:
        _say("interrupted; run again to go on", error)
        raise typer.Exit(INTERRUPTED) from error
    except HybridQprojError as error:
        _say(f"error: {error}", error)
        raise typer.Exit(1) from error


def _say(message: str, error: BaseException) -> None:
    if debugging.get():
        raise error
    # On one line, without characters that a terminal would obey: files and libraries had their say in it.
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    typer.secho(line, fg="red", err=True)


def need_experiments(extra: str = "train") -> None:
    """Name the pip command for packages that experiments need, before an import of them fails.

    Args:
        extra: that brings them.
    """
    from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

    for module in ("pydantic", "sentence_transformers", "datasets", "accelerate", "pytrec_eval", "matplotlib"):
        require(module, extra, "this command")
