"""What the documentation's pages say can be done. Their Python is run when they are built (`make docs`)."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hybrid_qproj
from hybrid_qproj.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "circuits/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]


def _commands():
    text = (ROOT / "docs/drawing.md").read_text() + (ROOT / "docs/cli.md").read_text()
    return [line.removeprefix("$ ") for line in text.splitlines() if re.match(r"\$ hybrid-qproj (draw|plot)", line)]


@pytest.mark.parametrize("command", _commands())
def test_drawing_commands(command, tmp_path, monkeypatch):
    """Each command that draws, as it stands."""
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


def test_the_reference_lists_the_public_names():
    """Each of `hybrid_qproj.__all__`, and no other; `python -m benchmarks.pages` writes the list."""
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    block = page.split("<!-- results: names -->")[1].split("<!-- end -->")[0]
    listed = re.findall(r"^\| `(\w+)` \| .+ \|$", block, re.MULTILINE)
    assert sorted(listed) == sorted(hybrid_qproj.__all__)
    assert all(hasattr(hybrid_qproj, name) for name in listed)


def test_the_reference_names_what_exists():
    """Each module and object of the reference can be imported, with the members that are asked for."""
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\.\. auto(\w+):: ([\w.]+)\n((?:   .*\n)*)", page, re.MULTILINE)
    assert len(entries) > 40
    for kind, path, options in entries:
        module, _, name = path.rpartition(".")
        thing = importlib.import_module(path) if kind == "module" else getattr(importlib.import_module(module), name)
        members = re.search(r":members:([^:]*)", options)
        for member in re.findall(r"\w+", members[1]) if members else ():
            assert hasattr(thing, member), f"{path}.{member}"
