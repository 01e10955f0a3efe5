"""Every command meets a kill, a full disk, a disk that is only read, a second writer, and damaged inputs.

What must hold each time: one line and no traceback, the exit code that is documented, the earlier result or the new one
(never a mixture), and a next run that ends as an undisturbed one does and leaves nothing. By default a few places
a command; ``HYBRID_QPROJ_FAULTS=all`` takes every place at which a command touches a file, and prints the table.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from helpers import fault_world
from hybrid_qproj._util.locks import exclusive

pytestmark = pytest.mark.slow

NAMES = ["train", "evaluate", "compare", "fit", "encode", "index", "search", "calibrate", "draw", "gallery"]
READERS = ["estimate", "devices"]
PLACES = {"kill": 5, "full": 3, "readonly": 2}
"""Of faults in a run, unless all are asked for."""
DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "flipped": lambda content: (
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 0x55]) + content[len(content) // 2 + 1 :]
    ),
    "garbage": lambda content: b"\x00\xff\x93NUMPY[[[[{{{{" * 4 + content[52:],
}
TABLE: Counter[tuple[str, str]] = Counter()


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    kinds = ["kill", "full", "readonly", "writer", "damaged"]
    print("\n| command | " + " | ".join(kinds) + " |\n|---|" + "--:|" * len(kinds))
    for name in dict.fromkeys(name for name, _ in TABLE):
        print(f"| {name} | " + " | ".join(str(TABLE[name, kind] or "-") for kind in kinds) + " |")


@pytest.fixture(scope="module")
def undisturbed(server, world, tmp_path_factory):
    """Command -> its number of events, the earlier result, and the one after a run."""
    found = {}

    def get(command):
        if command.name not in found:
            folder = fault_world.copy(world, tmp_path_factory.mktemp(f"straight-{command.name}") / "world")
            before = result(command, folder)
            answer = server.run(command.argv, folder, "count")
            assert answer["code"] == 0, answer["output"]
            assert not fault_world.leftovers(folder)
            found[command.name] = answer["events"], before, result(command, folder)
        return found[command.name]

    return get


def result(command, folder: Path):
    """What the result is worth, None where there is none yet."""
    if command.out is None or not (folder / command.out).exists():
        return None
    try:
        return command.value(folder / command.out)
    except Exception as error:
        return f"unreadable: {type(error).__name__}: {error}"


def places(count: int, most: int) -> list[int]:
    """Places of a fault, from the first to the last."""
    if os.environ.get("HYBRID_QPROJ_FAULTS") == "all" or count <= most:
        return list(range(1, count + 1))
    return sorted({round(1 + number * (count - 1) / max(1, most - 1)) for number in range(most)})


def check_message(answer) -> None:
    """One line that says what happened, and no traceback."""
    output = answer["output"]
    assert "Traceback" not in output, output[-3000:]
    errors = [line for line in output.splitlines() if "error:" in line]
    assert len(errors) == 1, output[-2000:]


def by_name(name):
    return next(command for command in fault_world.COMMANDS if command.name == name)


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_cut(name, kind, server, world, undisturbed, tmp_path):
    """A run that is cut at any place: the earlier result or the new one; the next run is as an undisturbed one."""
    command = by_name(name)
    events, before, after = undisturbed(command)
    for at in places(events, PLACES[kind]):
        folder = fault_world.copy(world, tmp_path / "world")
        answer = server.run(command.argv, folder, kind, at)
        where = f"{name}, {kind} at {at} of {events}: {answer['output'][-1500:]}"
        if kind == "kill":
            assert answer["code"] in (9, 0), where
            assert "Traceback" not in answer["output"], where
        elif answer["code"] != 0:
            # Where only what is thrown away could not be written, the run is whole.
            assert answer["code"] == 1, where
            check_message(answer)
        found = result(command, folder)
        unfinished = command.resumes and before is None and (found is None or str(found).startswith("unreadable"))
        assert (
            found in (before, after) or unfinished or (command.resumes and not str(found).startswith("unreadable"))
        ), where
        again = server.run(command.argv, folder)
        assert again["code"] == 0, f"{where}\nthen: {again['output'][-1500:]}"
        assert result(command, folder) == after, where
        assert not fault_world.leftovers(folder), where
        TABLE[name, kind] += 1


@pytest.mark.parametrize("name", NAMES)
def test_second_writer(name, server, world, undisturbed, tmp_path):
    """A second run is refused with the first one's name, and changes nothing."""
    command = by_name(name)
    if command.lock is None:
        pytest.skip("files of one step each: the last one stays")
    _, before, after = undisturbed(command)
    folder = fault_world.copy(world, tmp_path / "world")
    lock = folder / command.lock
    lock.parent.mkdir(exist_ok=True)
    with exclusive(lock, "the test"):
        answer = server.run(command.argv, folder)
        assert answer["code"] == 1, answer["output"]
        check_message(answer)
        assert f"is being written by process {os.getpid()}" in " ".join(answer["output"].split())
        assert result(command, folder) == before or before is None
    assert server.run(command.argv, folder)["code"] == 0
    assert result(command, folder) == after
    TABLE[name, "writer"] += 1


@pytest.mark.parametrize("name", [*NAMES, *READERS])
def test_damaged_inputs(name, server, world, undisturbed, tmp_path):
    """Each file that a command reads, damaged in several ways: a result, or one line, and the earlier result."""
    command = by_name(name)
    if not command.inputs:
        pytest.skip("reads no file")
    _, before, after = undisturbed(command)
    every = os.environ.get("HYBRID_QPROJ_FAULTS") == "all"
    wrong = []
    for number, pattern in enumerate(command.inputs):
        for place, (damage, change) in enumerate(DAMAGES.items()):
            if not every and (number + place) % len(DAMAGES):
                continue
            folder = fault_world.copy(world, tmp_path / "world")
            path = next(iter(sorted(folder.glob(pattern))), None)
            if path is None or not path.stat().st_size:
                continue
            path.write_bytes(change(path.read_bytes()))
            answer = server.run(command.argv, folder)
            where = f"{name}, {pattern} {damage}: {answer['code']} {answer['output'][-800:]}"
            if answer["code"] not in (0, 1) or "Traceback" in answer["output"]:
                wrong.append(where)
            elif answer["code"] == 1:
                errors = [line for line in answer["output"].splitlines() if "error:" in line]
                if len(errors) != 1 or "not expected" in errors[0]:
                    wrong.append(where)
                # The damaged file may be a part of the result itself.
                elif path.parent != folder / str(command.out) and result(command, folder) not in (before, after):
                    wrong.append(f"{where}\nthe earlier result is gone")
            TABLE[name, "damaged"] += 1
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_small_disk(name, server, world, undisturbed, tmp_path):
    """A disk that is really full, at several sizes; where libraries write without Python, no hook sees it."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    command = by_name(name)
    _, before, after = undisturbed(command)
    place = tmp_path / "disk"
    place.mkdir()
    mount = [str(shutil.which("mount")), "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        for spare in (0, 24 << 10, 120 << 10):
            folder = fault_world.copy(world, place / "world")
            filler = place / "filler"
            filler.write_bytes(bytes(max(0, shutil.disk_usage(place).free - spare)))
            answer = server.run(command.argv, folder)
            where = f"{name}, {spare} bytes: {answer['code']} {answer['output'][-1500:]}"
            assert answer["code"] in (0, 1), where
            assert "Traceback" not in answer["output"], where
            if answer["code"] == 1:
                check_message(answer)
            found = result(command, folder)
            readable = not str(found).startswith("unreadable")
            assert found in (before, after) or (command.resumes and (readable or before is None)), f"{where}: {found}"
            filler.unlink()
            again = server.run(command.argv, folder)
            assert again["code"] == 0, f"{where}\nthen: {again['output'][-1500:]}"
            assert result(command, folder) == after, where
            assert not fault_world.leftovers(folder), where
            TABLE[name, "full"] += 1
    finally:
        # Lazily: the server may still stand in it.
        subprocess.run([str(shutil.which("umount")), "-l", str(place)], check=False)
