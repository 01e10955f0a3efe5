"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(help="Experiment, a TOML file.")]
Ansaetze = Annotated[
    list[str] | None,
    typer.Option("--ansatz", help="Ansatz of your own that a file may name, as package.module:name; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Device = Annotated[str | None, typer.Option("--device", help="Device string that replaces the saved one.")]
Yes = Annotated[bool, typer.Option("--yes", help="Run on a device that can cost money.")]
