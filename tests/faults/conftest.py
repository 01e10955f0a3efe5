"""One world and one server of commands for all tests of faults."""

from __future__ import annotations

import sys

import pytest

from helpers import fault_world
from helpers.text_models import save_tiny_bert

for _module_name in ("datasets", "accelerate", "sentence_transformers", "pydantic", "pytrec_eval", "faiss"):
    pytest.importorskip(_module_name, reason="needs the extras 'train' and 'index'")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Runs commands."""
    if sys.platform == "win32":
        pytest.skip("forks")
    found = fault_world.Server(tmp_path_factory.mktemp("server"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def world(server, tmp_path_factory):
    """A world to be copied."""
    return fault_world.build(tmp_path_factory.mktemp("faults"), save_tiny_bert, server)
