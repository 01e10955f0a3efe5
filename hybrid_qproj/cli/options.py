"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(help="Experiment, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
