"""Optional dependencies: a missing one gives an error that names the pip command."""

from __future__ import annotations

import importlib
from types import ModuleType

from hybrid_qproj.errors import HybridQprojError


class MissingExtraError(HybridQprojError, ImportError):
    """A feature needs packages that the core install leaves out."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: module to import.
        extra: the extra of hybrid-qproj that brings it.
        purpose: what it is needed for, for the message.

    Returns:
        the module.

    Raises:
        MissingExtraError: it is not installed.

    Examples:
        >>> require("no_such_module", "text", "encoding")
        Traceback (most recent call last):
        ...
        hybrid_qproj._util.extras.MissingExtraError: encoding needs no_such_module: pip install 'hybrid-qproj[text]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A broken install of the module itself must show its own error.
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(f"{purpose} needs {module}: pip install 'hybrid-qproj[{extra}]'") from error
