"""braket.aws.qubit: where results are kept, as the plugin takes it."""

from __future__ import annotations

from typing import Any

from hybrid_qproj.devices.adapters import Asked


def destination(asked: Asked) -> dict[str, Any]:
    """``BUCKET/PREFIX`` as the pair of both."""
    options = dict(asked.options)
    if "s3_destination_folder" in options:
        options["s3_destination_folder"] = tuple(options["s3_destination_folder"].partition("/")[::2])
    return options
