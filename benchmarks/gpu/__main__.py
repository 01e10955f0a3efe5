"""Run every check in a process of its own, and write what it found: ``python -m benchmarks.gpu``.

A check that fails or takes too long is reported, and the next one runs. ``--dry`` runs all of it small on a CPU: only
the hardware is missing then.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.bench import table
from benchmarks.gpu import arithmetic, simulators
from benchmarks.gpu.arithmetic import DRY, Sizes
from benchmarks.measure import Section
from hybrid_qproj._util.files import write_atomically

ROOT = Path(__file__).resolve().parents[2]
CHECKS: dict[str, Callable[[str, Sizes], Section]] = {
    "tests": simulators.tests,
    "simulators": simulators.values,
    "pairs": arithmetic.pairs,
    "responses": arithmetic.responses,
    "search": arithmetic.search,
    "training": arithmetic.training,
    "head": arithmetic.head,
    "conformance": simulators.conformance,
}
LIMIT = 170
"""Seconds of one check."""
WHOLE = 520
"""Seconds of all: nine minutes, less what writing takes."""
VERSIONS = ("torch", "triton", "pennylane", "pennylane-lightning", "pennylane-lightning-gpu", "custatevec-cu12")


def setting() -> dict[str, str]:
    """Device, driver and versions."""
    found = {"python": platform.python_version()}
    if torch.cuda.is_available():
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        said = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
        found["device"] = torch.cuda.get_device_name()
        found["driver"] = said.rpartition(",")[2].strip() or "unknown"
        found["cuda"] = str(torch.version.cuda)
    else:
        found["device"] = f"{platform.machine()} CPU, a dry run: not run on a GPU"
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def run(name: str, dry: bool, limit: float) -> dict[str, Any]:
    """A check in a process of its own; its section as plain values, or why there is none."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--only", name, *(["--dry"] if dry else [])]
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT, timeout=limit)
        lines, reason = done.stdout.splitlines(), f"exit status {done.returncode}"
    except subprocess.TimeoutExpired:
        lines, reason = [], f"took longer than {limit:.0f} s"
    took = round(time.monotonic() - began, 1)
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        print("\n".join(lines), flush=True)
        section = Section(name, "failed", missing={name: reason})
        return {**asdict(section), "seconds": took}
    print("\n".join(lines[:-1]), flush=True)
    return {**found, "seconds": took}


def report(found: list[dict[str, Any]], where: dict[str, str]) -> str:
    """Everything as Markdown."""
    sections = [Section(**{key: value for key, value in each.items() if key != "seconds"}) for each in found]
    return table(sections, where)


def main() -> None:
    """Run, write, and exit with 1 if a check did not finish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", choices=[[], *CHECKS], default=[], help="only these")
    parser.add_argument("--dry", action="store_true", help="small, on a CPU")
    parser.add_argument("--only", choices=CHECKS, action="append", help="this check, in this process; prints JSON")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results", help="folder of gpu.md and gpu.json")
    given = parser.parse_args()
    device, sizes = ("cpu", DRY) if given.dry else ("cuda", Sizes())
    if not given.dry and not torch.cuda.is_available():
        parser.error(f"torch {torch.__version__} sees no GPU; --dry runs all of it small on a CPU")
    if given.only:
        for name in given.only:
            print(json.dumps(asdict(CHECKS[name](device, sizes))))
        return
    began, found = time.monotonic(), []
    for name in given.checks or CHECKS:
        left = WHOLE - (time.monotonic() - began)
        print(f"{name} ...", flush=True)
        found.append(run(name, given.dry, min(LIMIT, left)))
        print(report(found[-1:], {}), f"{found[-1]['seconds']} s\n", flush=True)
        # After each, so that nothing found is lost if the machine goes.
        where = setting()
        given.out.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"setting": where, "sections": found}, indent=1)
        write_atomically(given.out / "gpu.json", content.encode())
        write_atomically(given.out / "gpu.md", report(found, where).encode())
    raise SystemExit(any(each["missing"] for each in found))


if __name__ == "__main__":
    main()
