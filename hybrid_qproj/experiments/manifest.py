"""What an experiment ran on: versions, configuration, seeds, and hashes of its data."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.experiments.config import ExperimentConfig

PACKAGES = (
    "hybrid-qproj",
    "torch",
    "pennylane",
    "pennylane-lightning",
    "numpy",
    "scipy",
    "sentence-transformers",
    "transformers",
    "datasets",
    "accelerate",
    "ir_datasets",
    "pytrec_eval-terrier",
)


def write_manifest(folder: Path, config: ExperimentConfig, table: dict[str, Any]) -> None:
    """Write ``manifest.json``: enough to run the experiment again and to see whether the data are the same.

    No name of a machine or a person is in it, and no path beyond those that the configuration itself has.

    Args:
        folder: of the experiment.
        config: the experiment.
        table: the same as it stands in its file.
    """
    found = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": versions(PACKAGES),
        "seeds": list(config.all_seeds),
        "config": table,
        "drop_self": {test.name: test.drops_self for test in config.test},
        "data": {str(path): digest for path, digest in data_hashes(config, table).items()},
    }
    write_atomically(folder / "manifest.json", json.dumps(found, indent=2).encode())


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Versions of packages; None of one that is not installed."""
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def data_hashes(config: ExperimentConfig, table: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of every data file that a configuration names.

    Args:
        config: the experiment, whose paths are resolved.
        table: the same as it stands in its file, whose paths name the files.

    Returns:
        path as in the file -> 64 hexadecimal digits.
    """
    resolved = config.model_dump(mode="python", exclude={"encoder"})
    return {named: file_hash(path) for named, path in _files(table, resolved)}


def file_hash(path: Path) -> str:
    """SHA-256 of a file; read once as long as neither its size nor its time of change differs.

    Of a folder (of BEIR): of the names and hashes of the files of its collection.
    """
    if path.is_dir():
        files = sorted(p for pattern in ("*.jsonl*", "qrels/*.tsv*") for p in path.glob(pattern) if p.is_file())
        lines = [f"{file.relative_to(path).as_posix()} {file_hash(file)}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    state = path.stat()
    return _file_hash(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_contents(table: Any) -> Any:
    """A table with hashes of files in place of their paths: where they lie makes no difference to a result."""
    if isinstance(table, dict):
        return {str(key): with_contents(value) for key, value in table.items()}
    if isinstance(table, list | tuple):
        return [with_contents(value) for value in table]
    return file_hash(table) if isinstance(table, Path) else table


def _files(table: Any, resolved: Any) -> list[tuple[str, Path]]:
    """Pairs of a path as given and as resolved."""
    if isinstance(table, dict):
        return [pair for key in table if key in resolved for pair in _files(table[key], resolved[key])]
    if isinstance(table, list):
        return [pair for a, b in zip(table, resolved, strict=True) for pair in _files(a, b)]
    return [(str(table), resolved)] if isinstance(resolved, Path) else []
