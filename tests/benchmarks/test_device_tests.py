"""What docs/results says of PennyLane's own tests of devices: the records' table, and each difference explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import device_tests
from hybrid_qproj.devices import DeviceSpec, can_cost

RECORDS = json.loads(device_tests.FILE.read_text(encoding="utf-8"))


def test_the_table_is_the_records():
    """Line by line."""
    page = device_tests.FILE.with_suffix(".md").read_text(encoding="utf-8")
    assert page == device_tests.table(RECORDS)


def test_all_kinds_of_devices_are_there():
    """Each string that the conformance suite tests and that needs no GPU; none that can cost money."""
    devices = [row["device"] for row in RECORDS]
    assert set(device_tests.strings()) <= set(devices)
    assert not any(can_cost(DeviceSpec.parse(device)) for device in devices)


@pytest.mark.parametrize("row", RECORDS, ids=lambda row: row["device"])
def test_differences_are_explained(row):
    """What the bare device passes and ours does not, or fails only here: by name, or a readout of what has no bits."""
    if not (row["ours"]["ended"] and row["bare"]["ended"]):
        pytest.skip("not ended in time, as the table says")
    unexplained = {**row["passes bare only"], **row["fails here only"]}
    for name in row["by name"] + row["by interface"]:
        unexplained.pop(name, None)
    if "readout" in row["device"]:
        unexplained = {name: why for name, why in unexplained.items() if "DeviceRunError" not in why}
    assert unexplained == {}


def test_a_command():
    """A string comes apart where the option of PennyLane's tests would split it."""
    words = device_tests.command("lightning.qubit?shots=10&c_dtype=complex64")
    assert words[words.index("--device-kwargs") :] == ["--device-kwargs", "string=lightning.qubit", "c_dtype=complex64"]
    assert words[words.index("--shots") + 1] == "10"


def test_the_page_of_neighbours():
    """Its figures are the sums over all devices."""
    page = Path(device_tests.RESULTS.parent, "neighbours.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("| PennyLane |")]
    ended = [row["ours"] for row in RECORDS if row["ours"]["ended"]]
    passed = sum(run.get("passed", 0) for run in ended)
    failed = sum(run.get("failed", 0) + run.get("error", 0) for run in ended)
    apart = sum(run.get("skipped", 0) + run.get("unsupported", 0) for run in ended)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert [int(re.match(r"[\d,]+", cell)[0].replace(",", "")) for cell in cells[3:6]] == [passed, failed, apart]
