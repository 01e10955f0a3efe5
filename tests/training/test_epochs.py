"""What was measured after each epoch, in a checkpoint."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.training.epochs import FILE, Epoch, in_words, read_epochs, write_epochs

NUMBERS = st.floats(0, 100)
EPOCHS = st.builds(
    Epoch,
    NUMBERS,
    NUMBERS | st.none(),
    st.dictionaries(
        st.text(max_size=3),
        st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), NUMBERS, min_size=1)),
    ),
)


@settings(max_examples=10)
@given(st.lists(EPOCHS, max_size=3))
def test_written_and_read(tmp_path_factory, epochs):
    """To the last bit."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write_epochs(folder, epochs)
    assert read_epochs(folder) == epochs


def test_in_words():
    """What was not measured is not told."""
    assert in_words(Epoch(1.0, 0.25, {})) == "epoch 1: validation loss 0.2500"
    assert in_words(Epoch(1.5, None, {"a": {"MAP": {"q": 1.0, "r": 0.0}}})) == "epoch 1.5: a MAP 0.5000"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[{}]",
        '[{"epoch": "1", "validation": null, "measures": {}}]',
        '[{"epoch": NaN, "validation": null, "measures": {}}]',
        '[{"epoch": 1, "epoch": 2, "validation": null, "measures": {}}]',
        '[{"epoch": 1, "validation": null, "measures": {"test": 0.5}}]',
    ],
)
def test_what_tells_of_no_epochs(tmp_path, content):
    """The file is named, with what to do; also where there is none."""
    (tmp_path / FILE).write_text(content)
    for _ in range(2):
        with pytest.raises(CheckpointError, match=rf"{FILE} cannot be read \(.*\); delete {tmp_path.name} to go on"):
            read_epochs(tmp_path)
        (tmp_path / FILE).unlink(missing_ok=True)
