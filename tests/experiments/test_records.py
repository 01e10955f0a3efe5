"""Records of cells: what is written is read, and what somebody edited is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pydantic", reason="needs the extra 'train'")

from hybrid_qproj.experiments.records import (
    Cell,
    Histogram,
    Record,
    RecordError,
    check_complete,
    read_record,
    read_records,
    write_record,
)

RECORD = Record(
    Cell("a head", 3, "labels", 0.5, "all", 1),
    "0123456789abcdef",
    10,
    12,
    12,
    (1.5, 0.5),
    {"test": {"NDCG@10": {"q1": 0.5, "q2": 1.0}}},
    {"test": Histogram([0.0, 0.5, 1.0], [1, 2], [3, 4], "fidelity")},
)
NAME = f"{RECORD.cell.name}.json"


def attempt(path):
    try:
        return read_record(path)
    except RecordError as error:
        return error


def test_written_and_read(tmp_path):
    """Whole numbers stay such, and shares stay shares."""
    for queries in (0.5, 1, 1.0, None):
        record = Record(RECORD.cell._replace(queries=queries), *list(vars(RECORD).values())[1:])
        write_record(tmp_path, record)
        found = read_record(tmp_path / "cells" / f"{record.cell.name}.json")
        assert found == record
        assert type(found.cell.queries) is type(queries)
    assert len(read_records(tmp_path)) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"parameters": 10', '"parameters": true'),
        ('"parameters": 10', '"parameters": "10"'),
        ('"q1": 0.5', '"q1": NaN'),
        ('"q1": 0.5', '"q1": 0.5, "q1": 0.6'),
        ('"seed": 1', '"seed": 2'),
        ('"seed": 1', f'"seed": {10**30}'),
        ('"loss": [1.5, 0.5]', '"loss": [1.5]'),
    ],
)
def test_what_is_no_record(tmp_path, old, new):
    """The file is named, with what to do."""
    write_record(tmp_path, RECORD)
    path = tmp_path / "cells" / NAME
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(RecordError, match=r"is no whole record \(.*\); delete it: its cell will be run again"):
        read_record(path)


def test_records_that_lack_something(tmp_path):
    """A test, a measure, a query."""
    check_complete(tmp_path, RECORD, {"test": ["q1", "q2"]}, ["NDCG@10"])
    for tests, measures in (
        ({"other": ["q1"]}, ["NDCG@10"]),
        ({"test": ["q1", "q2"]}, ["MAP"]),
        ({"test": ["q1", "q2", "q3"]}, ["NDCG@10"]),
    ):
        with pytest.raises(RecordError, match="lacks tests, measures or queries"):
            check_complete(tmp_path, RECORD, tests, measures)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), new=st.binary(max_size=6))
def test_any_byte_anywhere(tmp_path, place, new):
    """A record, or a RecordError."""
    write_record(tmp_path, RECORD)
    content = (tmp_path / "cells" / NAME).read_bytes()
    place %= len(content)
    (tmp_path / "cells" / NAME).write_bytes(content[:place] + new + content[place + len(new) :])
    found = attempt(tmp_path / "cells" / NAME)
    assert NAME in str(found) if isinstance(found, RecordError) else json.dumps(found.measures, allow_nan=False)
