"""PennyLane's own tests of devices on every device string that runs here, beside the bare device of the same string.

Run: ``python -m benchmarks.device_tests``; writes device-tests.json and device-tests.md in docs/results after each
device. What is in the file for the same versions is not run again: ``--again`` forgets it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pennylane.devices.tests import get_device_tests

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.conformance import targets
from hybrid_qproj.devices import DeviceSpec, can_cost, installed_devices

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FILE = RESULTS / "device-tests.json"
SHOTS = 20000
"""The tests allow sampled values an error of 0.05, which 1,000 shots would often miss."""
TRACE = "depolarizing:1e-09,readout:1e-09"
"""Noise that goes through all that noise goes through, and is below the tests' tolerance."""
MORE = ("default.mixed?noise=depolarizing:1e-09", f"reference.qubit?shots={SHOTS}")
PART = tuple(f"test_{name}.py" for name in ("properties", "return_system", "tracker", "wires"))
"""The files for devices that sample and take long: each test that misses is run up to ten times."""
FAILED = ("failed", "error")
TITLES = {
    "passes here only": "passes here only",
    "passes bare only": "passes bare only",
    "fails here only": "fails here only",
    "by name": "of these: by name",
    "by interface": "by interface",
}
"""Entries of a record that list tests, and what the page calls them."""
FOLDER = "$(python -c 'from pennylane.devices.tests import get_device_tests; print(get_device_tests())')"


def strings() -> list[str]:
    """What the conformance suite tests, with shots and noise that leave PennyLane's expected values true."""
    found = []
    for text in (*targets.fast(), *targets.slow(), *MORE):
        spec = DeviceSpec.parse(text)
        spec = spec.replace(shots=spec.shots and SHOTS, noise=spec.noise and TRACE)
        if spec.adapter.built in installed_devices() and not can_cost(spec) and not spec.adapter.gpu:
            found.append(str(spec))
    return list(dict.fromkeys(found))


def files_of(string: str) -> list[str]:
    """Files of PennyLane's tests for a device; all, if there are none."""
    spec = DeviceSpec.parse(string)
    quick = spec.adapter.trials or not spec.adapter.slow_trials
    return list(PART) if spec.shots and not quick else []


def command(string: str, plugins: tuple[str, ...] = ()) -> list[str]:
    """pytest's arguments. ``--device-kwargs`` splits at each ``=``, so the string comes apart here."""
    table = DeviceSpec.parse(string).table()
    name, shots = table.pop("name"), table.pop("shots", None)
    # PennyLane looks for devices when it is imported; its conftest, found first, would put its folder before the path.
    loaded = [word for plugin in ("pennylane", *plugins) for word in ("-p", plugin)]
    given = [f"string={name}", *(f"{key}={value}" for key, value in table.items())]
    return [*loaded, "--device", "hybrid_qproj", "--shots", str(shots), "--skip-ops", "--device-kwargs", *given]


def outcomes(string: str, plugins: tuple[str, ...], limit: int, files: list[str]) -> dict[str, Any]:
    """What became of each test, and how long it took; what did not end within the limit is said."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        places = [str(Path(get_device_tests(), file)) for file in files] or [get_device_tests()]
        start = time.perf_counter()
        arguments = [*places, "-q", "-W", "ignore", "--no-flaky-report", "--tb=line", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}", *command(string, plugins)],
                capture_output=True, text=True, check=False, timeout=limit,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"ended": False, "seconds": limit, "tests": {}, "why": {}}
        if not report.exists():
            raise RuntimeError(f"{string}: pytest wrote no report: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - our own pytest wrote it
        tests, why = {}, {}
        for case in cases:
            name = f"{case.get('classname', '').rpartition('tests.')[2]}.{case.get('name')}"
            kind, message = _outcome(case)
            tests[name] = kind
            if kind in FAILED:
                why[name] = message or kind
        return {"ended": True, "seconds": round(time.perf_counter() - start), "tests": tests, "why": why}


def _outcome(case: ET.Element) -> tuple[str, str]:
    for tag in ("failure", "error", "skipped"):
        found = case.find(tag)
        if found is not None:
            kind = {"failure": "failed", "skipped": "skipped"}.get(tag, tag)
            if "xfail" in found.get("type", ""):
                kind = "unsupported"
            return kind, (found.get("message") or "").strip().splitlines()[0][:160] if found.get("message") else ""
    return "passed", ""


def record(string: str, limit: int) -> dict[str, Any]:
    """Both runs of a string, and where they differ."""
    files = files_of(string)
    ours = outcomes(string, (), limit, files)
    bare = outcomes(string, ("benchmarks.bare_device",), limit, files)
    here, there = ({name for name, kind in run["tests"].items() if kind == "passed"} for run in (ours, bare))
    if not (ours["ended"] and bare["ended"]):
        here = there = set()
    lost = there - here
    failed = {name for name in ours["why"] if name in bare["tests"] and name not in bare["why"]}
    by_name, by_interface = _explained(string, lost | failed, ours, bare, limit)
    plugin = DeviceSpec.parse(string).adapter.plugin[0]
    return {
        "device": string,
        "plugin": [plugin, version(plugin)],
        "pennylane": version("pennylane"),
        "files": files,
        "command": " ".join(["pytest", *([f"{FOLDER}/{file}" for file in files] or [FOLDER]), *command(string)]),
        "ours": _summary(ours),
        "bare": _summary(bare),
        "fails here only": _reasons(failed, ours),
        "passes here only": _reasons(here - there, bare),
        "passes bare only": _reasons(lost, ours),
        "by name": by_name,
        "by interface": by_interface,
        "fails in both": {name: why for name, why in _reasons(set(ours["why"]), ours).items() if bare["why"].get(name)},
    }


def _explained(
    string: str, names: set[str], ours: dict[str, Any], bare: dict[str, Any], limit: int
) -> tuple[list[str], list[str]]:
    """Tests that end as bare where ours has the bare device's name; that end as ours where the bare one is wrapped."""
    if not names:
        return [], []
    places = sorted({f"{name.partition('.')[0]}.py" for name in names})
    named, wrapped = (
        outcomes(string, (f"benchmarks.{plugin}",), limit, places)["tests"]
        for plugin in ("plain_name", "new_interface")
    )
    by_name = {name for name in names if named.get(name) == bare["tests"].get(name)}
    by_interface = {name for name in names - by_name if wrapped.get(name) == ours["tests"].get(name)}
    return sorted(by_name), sorted(by_interface)


def _reasons(names: set[str], run: dict[str, Any]) -> dict[str, str]:
    """Why each of these tests did not pass in a run."""
    return {name: run["why"].get(name) or run["tests"].get(name, "not run") for name in sorted(names)}


def _summary(run: dict[str, Any]) -> dict[str, Any]:
    return {"ended": run["ended"], "seconds": run["seconds"], **Counter(run["tests"].values())}


def table(records: list[dict[str, Any]]) -> str:
    """The page: a row a device, ours and the bare one's figures in pairs."""
    kinds = ("passed", "failed", "error", "skipped", "unsupported")
    titles = ("device", "plugin", "passed", "failed", "errors", "skipped", "unsupported", *TITLES.values())
    lines = [f"| {' | '.join(titles)} |", f"|---|---|{'--:|' * (len(titles) - 2)}"]
    for row in records:
        ours, bare = row["ours"], row["bare"]
        if not (ours["ended"] and bare["ended"]):
            late = " and ".join(n for n, run in (("ours", ours), ("the bare one", bare)) if not run["ended"])
            lines.append(f"| `{row['device']}` | {' '.join(row['plugin'])} | not ended in time: {late} ||||||||")
            continue
        name = f"`{row['device']}`{', part' if row['files'] else ''}"
        cells = [f"{ours.get(kind, 0)} / {bare.get(kind, 0)}" for kind in kinds]
        counts = [str(len(row[key])) for key in TITLES]
        lines.append(" | ".join([f"| {name}", " ".join(row["plugin"]), *cells, *counts]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing, and write both files after each device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs="*", help="device strings; all that run here, if none is given")
    parser.add_argument("--limit", type=int, default=600, help="seconds for a run, of two for a device")
    parser.add_argument("--again", action="store_true", help="run what the file has, too")
    arguments = parser.parse_args()
    wanted = arguments.devices or strings()
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    records = {row["device"]: row for row in known}
    for string in wanted:
        old = records.get(string)
        same = old and (old["pennylane"], old["files"]) == (version("pennylane"), files_of(string))
        if same and old["plugin"][1] == version(old["plugin"][0]) and not arguments.again:
            continue
        records[string] = record(string, arguments.limit)
        print(json.dumps({k: v for k, v in records[string].items() if k != "command"}, indent=1), flush=True)
        rows = [records[name] for name in dict.fromkeys((*strings(), *records)) if name in records]
        write_atomically(FILE, (json.dumps(rows, indent=1) + "\n").encode())
        write_atomically(RESULTS / "device-tests.md", table(rows).encode())


if __name__ == "__main__":
    main()
