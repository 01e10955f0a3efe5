"""Usage errors that do not repeat what may be a secret."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperGroup


class DiscreetGroup(TyperGroup):
    """Commands whose usage errors leave out words with a ``?``, ``=`` or ``&`` inside.

    A device string in the wrong place is such a word, and may hold a credential that no device takes.
    """

    def invoke(self, ctx: Any) -> Any:
        """As any group."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Of a usage error, whose class is typer's own in some versions and click's in others.
            message = getattr(error, "message", None)
            if isinstance(message, str) and hasattr(error, "format_message"):
                error.message = re.sub(r"""[^\s('"]*[?=&][^\s)'"]+""", "...", message)  # type: ignore[attr-defined]
            raise
