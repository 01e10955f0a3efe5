"""What cannot be coded."""

from __future__ import annotations

from hybrid_qproj.errors import HybridQprojError


class CodecError(HybridQprojError, ValueError):
    """Bytes that a scheme cannot give, outputs or codes that do not fit, or a file that holds no sound codec."""
