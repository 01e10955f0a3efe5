"""A table of plain values that carries its own digest, so that damage to it is noticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

DIGEST = "digest"
"""Key of the digest."""


def seal(table: dict[str, Any]) -> bytes:
    """A table as JSON, with a digest of it inside."""
    return json.dumps({**table, DIGEST: table_digest(table)}).encode()


def unseal(table: dict[str, Any]) -> str | None:
    """Take the digest out of a table that was read.

    Args:
        table: what `seal` wrote, parsed; it loses the digest.

    Returns:
        what is wrong with the digest, or None.

    Examples:
        >>> import json
        >>> table = json.loads(seal({"a": 1}))
        >>> unseal(table), table
        (None, {'a': 1})
        >>> unseal({"a": 2, "digest": "0"})
        'it does not fit its own digest: it was damaged or edited since it was written'
    """
    found = table.pop(DIGEST, None)
    if found == table_digest(table):
        return None
    return "it does not fit its own digest: it was damaged or edited since it was written"


def table_digest(table: dict[str, Any]) -> str:
    """SHA-256 of a table of plain values, in hexadecimal; the same in whatever order its keys stand."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
