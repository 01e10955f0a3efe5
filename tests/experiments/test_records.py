"""Records of cells: what is written is read, and what somebody edited is named."""

from __future__ import annotations

import dataclasses
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
from hybrid_qproj.training.epochs import Epoch

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


def test_records_of_before(tmp_path):
    """Nothing was measured after epochs; what is written without them is as it was."""
    write_record(tmp_path, RECORD)
    table = json.loads((tmp_path / "cells" / NAME).read_text())
    assert list(table) == [
        "cell", "digest", "parameters", "stored", "bytes_per_document", "loss", "measures", "histograms",
    ]  # fmt: skip
    assert read_record(tmp_path / "cells" / NAME).epochs is None


def test_epochs_and_layers_by_number(tmp_path):
    """Both come back as they were; the fifth layer alone is not the last four, nor are its files."""
    epochs = [Epoch(1.0, 0.5, {"test": {"NDCG@10": {"q1": 0.5, "q2": 1.0}}}), Epoch(1.5, None, {})]
    names = set()
    for layers in ((0, 9, 10, 11), (4,), 4, "all"):
        record = dataclasses.replace(RECORD, cell=RECORD.cell._replace(layers=layers), epochs=epochs)
        write_record(tmp_path, record)
        assert read_record(tmp_path / "cells" / f"{record.cell.name}.json") == record
        names.add(record.cell.name)
    assert len(names) == 4
    assert RECORD.cell._replace(layers=(0, 11)).name.endswith("_l.0.11_s1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"histograms"', '"epochs": [{}], "histograms"'),
        ('"histograms"', '"epochs": [{"epoch": 1, "validation": "0.5", "measures": {}}], "histograms"'),
        ('"layers": "all"', '"layers": [0.5]'),
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


def test_epochs_that_lack_something(tmp_path):
    """All of them, where something was trained; a test of one."""
    wanted = {"test": ["q1", "q2"]}, ["NDCG@10"], True
    whole, part = Epoch(1.0, None, RECORD.measures), Epoch(2.0, None, {"test": {"NDCG@10": {"q1": 0.5}}})
    check_complete(tmp_path, dataclasses.replace(RECORD, epochs=[whole]), *wanted)
    untrained = dataclasses.replace(RECORD, cell=RECORD.cell._replace(objective=""))
    check_complete(tmp_path, untrained, *wanted)
    for epochs in (None, [], [whole, part]):
        with pytest.raises(RecordError, match="lacks tests, measures or queries"):
            check_complete(tmp_path, dataclasses.replace(RECORD, epochs=epochs), *wanted)


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
