"""What can be imported from the top of the package."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import subprocess
import sys
import textwrap

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


def test_import_loads_nothing_yet():
    """Neither extras nor torch and PennyLane: names are imported when they are asked for."""
    code = (
        "import sys, hybrid_qproj; "
        "print(*sorted({'torch', 'pennylane', 'numpy', 'transformers', 'faiss', 'ir_datasets', 'triton'} "
        "& sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_types_see_what_runs():
    """The imports that type checkers read are those of the table by which names are found."""
    source = inspect.getsource(hybrid_qproj).split("if TYPE_CHECKING:")[1].split("__version__")[0]
    read = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {}
    for module, names in hybrid_qproj._NAMES.items():
        for name in names:
            there, _, here = name.partition(" as ")
            found[here or there] = (f"hybrid_qproj.{module}", there)
    assert found == read
    assert sorted([*found, "__version__"]) == hybrid_qproj.__all__


def test_names_and_packages_are_listed():
    """For people who look around, whatever was imported before."""
    assert {*hybrid_qproj.__all__, "circuits", "devices", "similarity"} <= set(dir(hybrid_qproj))
    code = "import hybrid_qproj; print(hybrid_qproj.errors.DataError.__name__, hybrid_qproj.plan.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["DataError", "hybrid_qproj.plan"]
