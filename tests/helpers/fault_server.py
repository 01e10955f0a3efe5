"""Runs commands in forked processes, with a fault at the n-th thing that one does to files under a folder.

Reads cases as JSON lines and answers each with a line. Everything slow is imported once, before the first fork. Faults
are raised by an audit hook: Python tells it of every file that is opened, made, renamed or removed.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from pathlib import Path
from types import ModuleType

EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ERRORS = {"full": errno.ENOSPC, "readonly": errno.EROFS}
GROWS = {"open", "os.rename", "os.mkdir"}
"""What a full disk refuses; removing always works there."""


def warm() -> list[ModuleType]:
    """Everything that commands import when they run."""
    import importlib  # noqa: PLC0415 - the process that only counts needs none

    names = ["cli", "cli.drawing", "cli.fitting", "cli.tables", "viz.circuits.gallery", "estimate", "calibration"]
    names += [f"cli.run.{name}" for name in ("demo", "train", "compare", "evaluate", "encode", "index", "search")]
    names += ["devices.listing"]
    modules = [importlib.import_module(f"hybrid_qproj.{name}") for name in names]
    others = ("faiss", "datasets", "accelerate", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg")
    for name in (*others, "tensorboard", "torch.utils.tensorboard", "scipy.stats", "pytrec_eval", "torch._dynamo"):
        try:
            modules.append(importlib.import_module(name))
        except ImportError:
            continue
    return modules


def install(case: dict, counter: int) -> None:
    """The hook: count, and at the n-th event do what the case says."""
    under = os.path.realpath(case["under"])
    seen = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event not in EVENTS:
            return
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike) or not (
                (isinstance(flags, int) and flags & WRITING) or (mode and set(mode) & set("wax+"))
            ):
                return
        else:
            path = arguments[1] if event == "os.rename" else arguments[0]
            if not isinstance(path, str | bytes | os.PathLike):
                return
        if not os.path.realpath(os.fsdecode(path)).startswith(under):
            return
        if case["kind"] == "full" and event not in GROWS:
            return
        seen += 1
        os.pwrite(counter, str(seen).encode(), 0)
        if case["kind"] == "kill" and seen == case["at"]:
            os._exit(9)
        # A disk that is full, or can only be read, stays so.
        if case["kind"] in ERRORS and seen >= case["at"]:
            raise OSError(ERRORS[case["kind"]], os.strerror(ERRORS[case["kind"]]), os.fsdecode(path))

    sys.addaudithook(hook)


def child(case: dict, output: int, counter: int) -> None:
    """Run the command; never returns."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115 - till the end
    os.chdir(case["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = ["hybrid-qproj", *case["argv"]]
    code: object = 0
    try:
        if case["kind"] != "none":
            install(case, counter)
        from hybrid_qproj.cli import main  # noqa: PLC0415 - imported before the fork

        main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        sys.__excepthook__(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def serve() -> None:
    """Answer cases until there are no more."""
    kept = warm()
    answers = os.fdopen(os.dup(1), "w")
    print(json.dumps({"ready": len(kept)}), file=answers, flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        output, counter = (os.open(case[name], os.O_RDWR | os.O_CREAT | os.O_TRUNC) for name in ("output", "counter"))
        pid = os.fork()
        if pid == 0:
            child(case, output, counter)
        _, status = os.waitpid(pid, 0)
        count = os.pread(counter, 20, 0)
        os.close(output)
        os.close(counter)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "output": Path(case["output"]).read_text(errors="replace"),
            "events": int(count or 0),
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
