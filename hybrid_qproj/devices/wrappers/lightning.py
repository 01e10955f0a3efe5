"""lightning: the precision of amplitudes by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_qproj.devices.adapters import Asked

COMPLEX = {"complex64": np.complex64, "complex128": np.complex128}
"""Values of the option ``c_dtype``."""


def dtype(asked: Asked) -> dict[str, Any]:
    """The constructor takes a NumPy type, and would take one of torch's without a word."""
    options = dict(asked.options)
    if "c_dtype" in options:
        options["c_dtype"] = COMPLEX[options["c_dtype"]]
    return options
