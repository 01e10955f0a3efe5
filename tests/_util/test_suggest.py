"""One wording for what somebody probably meant."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hybrid_qproj
from hybrid_qproj._util.suggest import LONGEST_NAME, suggestion

KNOWN = ("rotor", "u_cu", "NDCG@10", "default.qubit")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rotr", "; did you mean 'rotor'?"),
        ("ROTOR", "; did you mean 'rotor'?"),
        ("ndcg@10", "; did you mean 'NDCG@10'?"),
        ("defualt.qubit", "; did you mean 'default.qubit'?"),
        ("braket", " nothing near"),
        ("", " nothing near"),
        ("rotor" * LONGEST_NAME, " nothing near"),
    ],
)
def test_nearest_name(name, said):
    """In any case of letters; a long one is not compared."""
    assert suggestion(name, KNOWN, otherwise=" nothing near") == said


def test_several_names():
    """The nearest first."""
    assert suggestion("corpsu.tsv", ["corpus.csv", "corpus.tsv"], most=3) == (
        "; did you mean 'corpus.tsv' or 'corpus.csv'?"
    )


def test_nobody_else_compares_names():
    """A second place would have a wording of its own."""
    package = Path(hybrid_qproj.__file__).parent
    sources = [*package.rglob("*.py"), *(package.parent / "circuits").glob("*.py")]
    imports = {
        path.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "difflib" for alias in node.names)
    }
    assert imports == {"suggest.py"}
