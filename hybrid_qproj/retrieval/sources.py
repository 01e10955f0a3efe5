"""What a name stands for: a file, a folder in BEIR's format, a packaged collection, or a dataset of ir_datasets."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from hybrid_qproj._util.excerpts import show
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.datasets import IrDocuments
from hybrid_qproj.retrieval.document_files import JsonlDocuments, open_documents
from hybrid_qproj.retrieval.documents import Documents, MemoryDocuments
from hybrid_qproj.retrieval.judged import is_judged, parse_judged
from hybrid_qproj.retrieval.lines import is_file, is_folder
from hybrid_qproj.retrieval.packaged import PACKAGED


def beir_file(folder: str | Path, name: str) -> Path | None:
    """A file of a BEIR folder, perhaps compressed; None if it is not there."""
    paths = (Path(folder, name), Path(folder, f"{name}.gz"))
    return next((path for path in paths if is_file(path)), None)


def open_source(name: str | Path, local_ids: bool = False) -> Documents:
    """Documents by a name, whatever it names.

    Args:
        name: a file of documents (.tsv or .jsonl, perhaps with .gz), or of judged passages (.jsonl, see
            `hybrid_qproj.retrieval.collection.read_judged`); a folder in BEIR's format; ``"lee"`` or
            ``"lee-background"``; or an id of ir_datasets.
        local_ids: see `read_judged`.

    Returns:
        the documents, the first of which could be read.

    Raises:
        DataError: there is no such thing, a file has another suffix or is malformed, or no document is in it.
    """
    documents = _named(check_name(str(name)), local_ids)
    # Before anybody makes a folder for what comes of it.
    next(iter(documents))
    return documents


def check_name(name: str) -> str:
    """The name of a collection: a blank one would be the working directory's.

    Raises:
        DataError: it is blank.
    """
    if not name.strip():
        raise DataError("the name of a collection is blank; expected a file, a folder, or an id of ir_datasets")
    return name


def _named(name: str, local_ids: bool) -> Documents:
    if is_file(name):
        if Path(name).name.removesuffix(".gz").endswith(".jsonl") and is_judged(name):
            return MemoryDocuments(parse_judged(name, local_ids).texts, name)
        return open_documents(name)
    if corpus := beir_file(name, "corpus.jsonl"):
        return JsonlDocuments(corpus)
    if name in PACKAGED:
        return MemoryDocuments(PACKAGED[name].numbered(), name)
    if is_folder(name):
        raise DataError(f"{name} is a folder without corpus.jsonl; expected one in BEIR's format, or a file")
    if looks_like_file(name):
        raise DataError(f"no file {show(name)}{_near(name)}; expected documents as .tsv or .jsonl, perhaps with .gz")
    return IrDocuments(name)


SUFFIXES = (".tsv", ".jsonl", ".json", ".csv", ".txt", ".xml", ".trec", ".topics", ".gz", ".bz2", ".xz", ".zip")
"""How names of files end."""


def looks_like_file(name: str) -> bool:
    """Whether a name that is no file was meant for one: by its suffix, or because it starts like a path."""
    return name.lower().rstrip().endswith(SUFFIXES) or name.startswith(("/", "./", "../", "~/", ".\\", "..\\"))


def _near(name: str) -> str:
    """Files in the same folder whose names are nearly the same."""
    folder = Path(name).parent
    names = [path.name for path in islice(folder.iterdir(), 10_000)] if is_folder(folder) else []
    return suggestion(Path(name).name, names, most=3)
