"""What can be imported from the top of the package."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

import hybrid_qproj


def test_every_public_name_is_there():
    pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    for name in hybrid_qproj.__all__:
        assert getattr(hybrid_qproj, name) is not None
    assert hybrid_qproj.with_head.__module__ == "hybrid_qproj.sbert"


def test_version():
    assert hybrid_qproj.__version__ == importlib.metadata.version("hybrid-qproj")


def test_unknown_name():
    with pytest.raises(AttributeError, match="'hybrid_qproj' has no attribute 'with_heads'"):
        _ = hybrid_qproj.with_heads


def test_errors_have_one_root():
    errors = [getattr(hybrid_qproj, name) for name in hybrid_qproj.__all__ if name.endswith("Error")]
    assert len(errors) > 7
    assert all(issubclass(error, hybrid_qproj.HybridQprojError) for error in errors)


def test_import_loads_no_extra():
    code = (
        "import sys, hybrid_qproj; "
        "print(*sorted({'sentence_transformers', 'transformers', 'faiss', 'ir_datasets', 'triton'} "
        "& sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
