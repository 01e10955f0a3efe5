"""Kinds of values: what each takes, and that nothing else gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from hybrid_qproj.devices import ADAPTERS, DeviceSpec
from hybrid_qproj.devices.options import Choice, Either, Flag, Name, Seconds, Text, Whole
from hybrid_qproj.devices.spec import COMMON

ANYTHING = st.one_of(
    st.integers(), st.booleans(), st.floats(), st.text(max_size=60), st.none(), st.lists(st.integers(), max_size=2)
)
KINDS = [kind for adapter in ADAPTERS.values() for kind in adapter.options.values()] + list(COMMON.values())


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Whole(1, 5), [1, 5], [0, 6, True, 2.0, "3", 10**5000, None]),
        (Seconds(10), [0.5, 10], [0, -1, 11, float("nan"), float("inf"), True, "1"]),
        (Flag(), [True, False], [0, 1, "true"]),
        (Choice(("a", "b")), ["a"], ["c", "", None, 1, ["a"]]),
        (Text("a name"), ["fake_x", "A-1"], ["1a", "", "a b", "a" * 33, "https://x", "true", "à", "a\n", 5]),
        (
            Name("a name"),
            ["ibm_torino", "aria-1", "qpu.forte-1", "fake_5q", "ibmq_16_melbourne", "braket_dm", "least_busy"],
            ["FAKE_torino", "a1b2c3d4e5f60718", "hunter2SWORDFISH", "sk-0a1b2c", "1a", "", "true", "a b", "a" * 33, 5],
        ),
        (Text("a path", "./:"), ["arn:x/y"], ["http://x", "a//b", "a?b", "a@b"]),
        (Either((Flag(), Whole(0, 2))), [True, 2], [3, "x"]),
    ],
)
def test_kinds(kind, good, bad):
    """Bounds, types and signs."""
    assert all(kind.accepts(value) for value in good)
    assert not any(kind.accepts(value) for value in bad)
    assert kind.expected


@budget(max_examples=60)
@given(kind=st.sampled_from(KINDS), value=ANYTHING)
def test_what_is_accepted_prints_and_parses_to_itself(kind, value):
    """For each kind of the table; what is accepted is short and plain."""
    if not kind.accepts(value):
        return
    text = str(value).lower() if isinstance(value, bool) else str(value)
    assert len(text) <= 160
    assert text.isascii()
    (name, key), *_ = [
        (name, key) for name, adapter in ADAPTERS.items() for key, one in adapter.options.items() if one == kind
    ] or [(None, None)]
    if name:
        assert DeviceSpec.parse(f"{name}?{key}={text}").option(key) == value
