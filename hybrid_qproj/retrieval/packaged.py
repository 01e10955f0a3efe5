"""Collections that come in a package: a row each. Another is a file like lee.py and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.measures import Qrels


class Packaged(NamedTuple):
    """A collection in a package.

    Attributes:
        texts: reads its texts, in their order.
        qrels: reads its judgements, where each text is a query for the others and none is judged for itself; None
            where there are none. Texts are numbered from 0.
    """

    texts: Callable[[], list[str]]
    qrels: Callable[[], Qrels] | None = None

    def numbered(self) -> dict[str, str]:
        """Id -> text."""
        return {str(number): text for number, text in enumerate(self.texts())}


PACKAGED: Mapping[str, Packaged] = {
    "lee": Packaged(lambda: load_lee().documents, lambda: load_lee().qrels()),
    "lee-background": Packaged(lambda: load_lee().background),
}
"""By name."""


def ranks_itself(name: object) -> bool:
    """Whether this names a packaged collection whose texts are queries for each other."""
    row = PACKAGED.get(name) if isinstance(name, str) else None
    return row is not None and row.qrels is not None
