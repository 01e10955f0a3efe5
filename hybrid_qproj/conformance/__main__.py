"""``python -m hybrid_qproj.conformance``: pytest on this folder.

pytest reads options such as ``--device`` from a conftest only of a folder that it is given, not of a package named by
``--pyargs``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hybrid_qproj._util.extras import require

if __name__ == "__main__":
    pytest = require("pytest", "dev", "the conformance suite")
    raise SystemExit(pytest.main([str(Path(__file__).parent), *sys.argv[1:]]))
