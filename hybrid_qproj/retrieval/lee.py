"""The Lee corpus: 50 news texts with human similarity judgements of all pairs, and 300 more without.

Lee, Pincombe and Welsh (2005), An empirical evaluation of models of text document similarity. The files come with
the package gensim, so nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hybrid_qproj._util.extras import require

GRADES = 100
"""A human similarity in [0, 1] becomes the integer relevance round(100 * similarity) that trec_eval needs."""


class LeeCorpus(NamedTuple):
    """The corpus.

    Attributes:
        documents: 50 judged texts.
        background: 300 texts without judgements.
        similarities: mean human similarity of each pair, (50, 50), symmetric, in [0, 1].
    """

    documents: list[str]
    background: list[str]
    similarities: np.ndarray

    def qrels(self) -> dict[str, dict[str, int]]:
        """Each document as a query for the 49 others, graded 0 to 100."""
        ids = [str(i) for i in range(len(self.documents))]
        grades = np.rint(GRADES * self.similarities).astype(int)
        return {q: {d: int(grades[i, j]) for j, d in enumerate(ids) if j != i} for i, q in enumerate(ids)}


def load_lee() -> LeeCorpus:
    """Read the corpus from gensim's test data.

    Returns:
        the corpus.

    Raises:
        MissingExtraError: gensim is not installed.
        FileNotFoundError: this build of gensim comes without the files.
    """
    gensim = require("gensim", "demo", "the Lee corpus")
    folder = Path(str(gensim.__file__)).parent / "test" / "test_data"
    # The files are older than UTF-8's victory.
    documents, background = (
        (folder / name).read_text(encoding="latin-1").strip().split("\n") for name in ("lee.cor", "lee_background.cor")
    )
    upper = np.loadtxt(folder / "similarities0-1.txt")
    # Each pair was judged once: the lower triangle is empty.
    return LeeCorpus(documents, background, np.maximum(upper, upper.T))
