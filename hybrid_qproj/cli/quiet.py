"""Bars of libraries stay out of what a command shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_bars() -> Iterator[None]:
    """Work in which transformers shows no bars, as it does for each file it loads or writes; downloads keep theirs.

    transformers has to be installed.
    """
    from huggingface_hub.utils.tqdm import (  # noqa: PLC0415 - keeps --help fast
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging  # noqa: PLC0415 - keeps --help fast

    shown, downloads = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.disable_progress_bar()
    if downloads:
        # transformers switches off those of the hub too, which are all that a long download shows.
        enable_progress_bars()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
        if not downloads:
            disable_progress_bars()
