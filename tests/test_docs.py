"""What the documentation's pages say can be done. Their Python is run when they are built (`make docs`)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybrid_qproj.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "circuits/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]


def _commands():
    text = (ROOT / "docs/drawing.md").read_text()
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ hybrid-qproj")]


@pytest.mark.parametrize("command", _commands())
def test_drawing_commands(command, tmp_path, monkeypatch):
    """Each command of the drawing page, as it stands."""
    pytest.importorskip("matplotlib", reason="needs the extra 'draw'")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    if match := re.search(r"--out (\S+)", command):
        assert (tmp_path / match[1]).stat().st_size > 100
    else:
        assert "<Z>" in result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link and picture of a page exists, headings too."""
    for target, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)]+))?\)", page.read_text()):
        found = page.parent / target if target else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in _anchors(found), f"{target}#{anchor}"


def _anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [p.name for p in (ROOT / "docs/tutorials").glob("*.md") if p.stem != "index"])
def test_tutorials_run_on_real_text(name):
    """Each is a notebook, listed, on what people wrote."""
    text = (ROOT / "docs/tutorials" / name).read_text()
    assert text.startswith("---\nfile_format: mystnb\n")
    # Digits are images that people wrote.
    assert "load_lee()" in text or "load_digits()" in text
    assert name.removesuffix(".md") in (ROOT / "docs/tutorials/index.md").read_text()
