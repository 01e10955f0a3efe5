"""What of a command can go wrong, told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a command's input or surroundings explain into one red line and exit code 1."""
    from hybrid_qproj.devices import (  # noqa: PLC0415 - keeps --help fast
        DeviceRunError,
        DeviceUnavailableError,
        PaidDeviceError,
    )
    from hybrid_qproj.errors import ExpectedError  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.extras import MissingExtraError  # noqa: PLC0415 - keeps --help fast

    try:
        yield
    except (
        DeviceRunError,
        DeviceUnavailableError,
        ExpectedError,
        MissingExtraError,
        PaidDeviceError,
        ValueError,
        OSError,
    ) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def need_experiments() -> None:
    """Name the pip command for packages that experiments need, before an import of them fails."""
    from hybrid_qproj.extras import require  # noqa: PLC0415 - keeps --help fast

    for module in ("pydantic", "sentence_transformers", "datasets", "accelerate", "pytrec_eval", "scipy", "matplotlib"):
        require(module, "train", "this command")
