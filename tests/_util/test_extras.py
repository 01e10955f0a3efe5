"""Missing optional packages."""

from __future__ import annotations

import sys

import pytest

from hybrid_qproj._util.extras import MissingExtraError, require


def test_present():
    """What is installed is imported."""
    assert require("json", "text", "nothing") is sys.modules["json"]


def test_broken_install_shows_its_own_error(tmp_path, monkeypatch):
    """A package that is there but lacks a part is not reported as missing."""
    (tmp_path / "broken_pkg.py").write_text("import something_missing")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_missing") as caught:
        require("broken_pkg", "text", "a test")
    assert not isinstance(caught.value, MissingExtraError)
