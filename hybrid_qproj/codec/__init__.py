"""Outputs of heads in a given number of bytes: documents as codes, queries in float."""

from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.codec.errors import CodecError

__all__ = ["Codec", "CodecError"]
