"""README as a package index shows it: alone, without the files beside it. `python -m benchmarks.pages` writes it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "README.pypi.md"
"""What setup.cfg names as the long description."""
HOME: str | None = None
"""Address under which the files of the repository are read, without a slash at its end; None while it has none."""


def pypi_page(readme: str, home: str | None = HOME) -> str:
    """README without links that lead nowhere on an index.

    Args:
        readme: the repository's, in Markdown.
        home: where its files are read; None: links to them become their text, and pictures are left out.

    Returns:
        Markdown whose links are absolute.

    Examples:
        >>> pypi_page("See [limits](docs/limits.md), [PyPI](https://pypi.org).")
        'See limits, [PyPI](https://pypi.org).'
        >>> pypi_page("See [limits](docs/limits.md).", "https://example.org/blob/main")
        'See [limits](https://example.org/blob/main/docs/limits.md).'
    """
    readme = re.sub(r"<!-- .*? -->\n*", "", readme)
    if home is None:
        readme = re.sub(r"^!\[[^]]*\]\((?!https:)[^)]*\)\n+", "", readme, flags=re.MULTILINE)
        return re.sub(r"(?<!!)\[([^]]*)\]\((?!https:)[^)]*\)", r"\1", readme)
    return re.sub(r"\]\((?!https:)([^)]*)\)", rf"]({home}/\1)", readme)
