"""Schemes by name."""

from __future__ import annotations

import pytest

from hybrid_qproj.codec import CodecError, registry


def test_names():
    assert registry.names() == ["bits", "signs", "pq", "pq4", "opq", "itq", "rabitq", "int8", "sq4"]
    assert all(registry.get(name).name == name for name in registry.names())


def test_unknown():
    with pytest.raises(CodecError, match="no codec 'opqs'; did you mean 'opq'"):
        registry.get("opqs")
    with pytest.raises(CodecError, match="no codec 'None'"):
        registry.get(None)
