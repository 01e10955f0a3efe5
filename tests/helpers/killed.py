"""Kills a writer at each of its steps, in a child process, and says what was left.

Run as a script by tests/models/test_saving.py: python tests/helpers/killed.py head|model FOLDER BERT
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import torch

import hybrid_qproj
from hybrid_qproj import QuantumProjection

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STEPS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "ctypes.call_function")


class Killer:
    """An audit hook that ends the process before its n-th step that changes files."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, event: str, arguments: tuple) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        if event in STEPS or writes:
            self.left -= 1
            if self.left < 0:
                os._exit(9)


def killed_at(number: int, save, place: Path) -> bool:
    """Whether a child that saves was killed at that step; it may have needed fewer."""
    child = os.fork()
    if child == 0:
        sys.addaudithook(Killer(number))
        save(str(place))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def main(what: str, folder: Path, bert: str) -> None:
    """For each step: old, new or nothing; and what a save after it leaves."""
    torch.set_num_threads(1)
    heads = [QuantumProjection(24, 8, "rotor", init="random"), QuantumProjection(24, 6, plan="tree", init="random")]
    if what == "head":
        x = torch.randn(3, 24)
        savers = [head.save for head in heads]

        def output(place):
            return QuantumProjection.load(place)(x)
    else:
        from hybrid_qproj.sbert import with_head  # noqa: PLC0415 - an extra

        encoders = [with_head(bert, head, device="cpu") for head in heads]
        savers = [encoder.save_pretrained for encoder in encoders]

        def output(place):
            return hybrid_qproj.load(place, device="cpu").encode(["a cat"], convert_to_tensor=True)

    old, new = folder / "old", folder / "new"
    savers[0](str(old))
    savers[1](str(new))
    outputs = {"old": output(old), "new": output(new)}
    found, step = {}, 0
    while True:
        place = folder / "place" / "it"
        shutil.rmtree(place.parent, ignore_errors=True)
        shutil.copytree(old, place)
        (place / "notes.txt").write_text("mine")
        if not killed_at(step, savers[1], place):
            break
        try:
            given = output(place)
            names = [name for name, expected in outputs.items() if torch.equal(given, expected)]
        except Exception as error:
            names = [f"{type(error).__name__}: {error}"]
        savers[0](str(place))
        expected = {*(path.relative_to(old).as_posix() for path in old.rglob("*")), "notes.txt"}
        left = {path.relative_to(place).as_posix() for path in place.rglob("*")} ^ expected
        left |= {path.name for path in place.parent.iterdir()} - {"it"}
        again = torch.equal(output(place), outputs["old"])
        found[step] = {"is": names, "left": sorted(left), "again": again}
        step += 1
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
