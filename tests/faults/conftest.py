"""One world and one server of commands for all tests of faults."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

for _module_name in ("datasets", "accelerate", "sentence_transformers", "pydantic", "pytrec_eval", "faiss"):
    pytest.importorskip(_module_name, reason="needs the extras 'train' and 'index'")


def _module(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def faults():
    """The module ``world``."""
    return _module(Path(__file__).parent / "world.py")


@pytest.fixture(scope="session")
def server(faults, tmp_path_factory):
    """Runs commands."""
    if sys.platform == "win32":
        pytest.skip("forks")
    found = faults.Server(tmp_path_factory.mktemp("server"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def world(faults, server, tmp_path_factory):
    """A world to be copied."""
    bert = _module(Path(__file__).parents[1] / "text_models.py").save_tiny_bert
    return faults.build(tmp_path_factory.mktemp("faults"), bert, server)
