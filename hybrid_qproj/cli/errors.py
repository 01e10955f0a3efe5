"""What of a command can go wrong, told in one line."""

from __future__ import annotations

import traceback
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
    """Turn errors that a command's input or surroundings explain into one red line and exit code 1.

    Those are the package's own, and those of the system. A ValueError that a library raises is one line too, but says
    that nobody expected it. All else is a bug and shows its traceback, as everything does with ``--debug``.
    """
    from hybrid_qproj.errors import HybridQprojError  # noqa: PLC0415 - keeps --help fast

    try:
        yield
    except KeyboardInterrupt as error:
        _say("interrupted; run again to go on", error)
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError:
        # Whoever read the output has enough; typer ends without a word.
        raise
    except (HybridQprojError, OSError) as error:
        _say(f"error: {error}", error)
        raise typer.Exit(1) from error
    except ValueError as error:
        ours = "hybrid_qproj" in traceback.extract_tb(error.__traceback__)[-1].filename
        _say(f"error: {error}" + ("" if ours else " (not expected; hybrid-qproj --debug shows where)"), error)
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
