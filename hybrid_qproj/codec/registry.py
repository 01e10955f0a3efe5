"""All schemes by name."""

from __future__ import annotations

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.scheme import Scheme
from hybrid_qproj.codec.schemes.bits import Bits
from hybrid_qproj.codec.schemes.itq import ITQ
from hybrid_qproj.codec.schemes.opq import OPQ
from hybrid_qproj.codec.schemes.pq import PQ, PQ4
from hybrid_qproj.codec.schemes.rabitq import RaBitQ
from hybrid_qproj.codec.schemes.scalar import SQ4, Int8
from hybrid_qproj.codec.schemes.signs import Signs

_SCHEMES: dict[str, type[Scheme]] = {cls.name: cls for cls in (Bits, Signs, PQ, PQ4, OPQ, ITQ, RaBitQ, Int8, SQ4)}
DEFAULT = Bits.name
SHOWN = 60
"""Letters of an unknown name that an error shows."""


def names() -> list[str]:
    """Names of the schemes."""
    return list(_SCHEMES)


def get(name: str) -> type[Scheme]:
    """Find a scheme.

    Args:
        name: one of `names`.

    Returns:
        its class.

    Raises:
        CodecError: there is none of this name.

    Examples:
        >>> get("bits").sizes(4)
        range(1, 5)
        >>> get("bit")
        Traceback (most recent call last):
        ...
        hybrid_qproj.codec.errors.CodecError: no codec 'bit'; did you mean 'bits'? expected one of bits, ...
    """
    if name not in _SCHEMES:
        hint = suggestion(str(name), _SCHEMES, otherwise=";")
        raise CodecError(f"no codec {str(name)[:SHOWN]!r}{hint} expected one of {', '.join(_SCHEMES)}")
    return _SCHEMES[name]
