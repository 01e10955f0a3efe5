"""cirq.simulator: double precision, where the plugin's own choice is single."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_qproj._util.extras import require
from hybrid_qproj.devices.adapters import Asked


def double_precision(asked: Asked) -> dict[str, Any]:
    """A simulator of cirq's for the plugin to use."""
    return {**dict(asked.options), "simulator": require("cirq", "cirq", asked.name).Simulator(dtype=np.complex128)}
