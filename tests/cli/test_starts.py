"""What starting the command line imports, and what its libraries may show."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import hybrid_qproj
from hybrid_qproj.cli import app

HEAVY = ("torch", "pennylane", "numpy", "scipy", "matplotlib", "transformers", "sentence_transformers")


def _run(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    """So that it is there in a blink."""
    code = (
        "import sys; from hybrid_qproj.cli import app\n"
        "try: app(sys.argv[1:])\n"
        f"finally: print('heavy:', sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    status, said = _run(code, *arguments)
    assert status == 0
    assert said.rstrip().endswith("heavy: []")


@pytest.mark.slow
def test_drawing_imports_no_more_than_it_draws_with():
    """No compiler of torch's, no encoders, no checks of saved files."""
    unneeded = {"torch._dynamo", "transformers", "sentence_transformers", "hybrid_qproj.heads.base"}
    code = (
        "import sys; from hybrid_qproj.cli.drawing import run_draw; run_draw('rotor', None); "
        f"print('unneeded:', sorted({unneeded!r} & set(sys.modules)))"
    )
    assert _run(code) == (0, "unneeded: []\n")


@pytest.mark.slow
def test_devices_and_indexes_need_no_more_than_their_own():
    """The list of devices does without torch, an index without encoders and circuits."""
    code = (
        "import sys; from hybrid_qproj.devices.listing import other_devices; import hybrid_qproj.cli.tables; "
        "other_devices(); print('unneeded:', sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert _run(code) == (0, "unneeded: []\n")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pennylane', 'transformers', 'sentence_transformers'])); "
        "from hybrid_qproj.cli.run.index import run_index; run_index(__import__('pathlib').Path('no-such-folder'))"
    )
    status, said = _run(code)
    assert status == 1
    assert "there is no folder of angles 'no-such-folder'" in said


def test_version():
    """The package's own."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"hybrid-qproj {hybrid_qproj.__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    """A shell can be told the commands, and starts nothing heavy to ask for them."""
    variable = "_HYBRID_QPROJ_COMPLETE"
    environment = {**os.environ, variable: f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "hybrid-qproj e"}
    environment |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "COMP_WORDS": "hybrid-qproj e", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['hybrid-qproj']; from hybrid_qproj.cli import app; app(prog_name='hybrid-qproj')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert all(name in done.stdout for name in ("encode", "estimate", "evaluate"))
    assert "draw" not in done.stdout


def test_bars_of_libraries_stay_out():
    """Those of loading, but not those of downloads; what somebody chose before holds again afterwards."""
    logging = pytest.importorskip("transformers.utils.logging", reason="needs the extra 'text'")
    hub = pytest.importorskip("huggingface_hub.utils")
    from hybrid_qproj.cli.quiet import without_bars  # noqa: PLC0415 - after the packages were found

    for chosen in (True, False):
        (logging.enable_progress_bar if chosen else logging.disable_progress_bar)()
        downloads = not hub.are_progress_bars_disabled()
        with without_bars():
            assert not logging.is_progress_bar_enabled()
            assert hub.are_progress_bars_disabled() != downloads
        assert logging.is_progress_bar_enabled() == chosen
        assert hub.are_progress_bars_disabled() != downloads
    logging.enable_progress_bar()
