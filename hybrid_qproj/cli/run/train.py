"""The command train: one head of an experiment, alone or with its encoder."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path

import torch

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.outputs import output_folder
from hybrid_qproj.cli.progress import reading, say
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.experiments.cells import build_model, on_encoder
from hybrid_qproj.experiments.checks import check_devices, check_files
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.data import read_data
from hybrid_qproj.experiments.selection import check_claim, choose_cell, choose_head, claim
from hybrid_qproj.experiments.training import train_cell
from hybrid_qproj.experiments.width import find_width
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.training.epochs import in_words
from hybrid_qproj.training.run import describe

MODEL = "model"
"""Folder of the trained model, in that of the run."""


def run_train(
    path: Path,
    out: Path,
    head: str | None = None,
    size: int | None = None,
    objective: str | None = None,
    seed: int = 0,
    ansaetze: Collection[str] = (),
    allow_paid: bool = False,
) -> Encoder:
    """Train one head of an experiment and save it on its encoder.

    Args:
        path: the experiment.
        out: folder of checkpoints, logs and the model; a run found there is continued.
        head: which head; None if the experiment has one.
        size: which size, likewise.
        objective: which objective, likewise.
        seed: of everything random.
        ansaetze: see `load_config`.
        allow_paid: whether the head's device may be one that can cost money.

    Returns:
        the model.

    Raises:
        PaidDeviceError: the head's device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: it is not usable; likewise.
        ConfigError: the configuration is not sound, the choice is not unique, or ``out`` holds another run.
        OutputError: ``out`` cannot be written.
        LockedError: another process writes there.
        DataError: the data cannot be read.
        TrainingError: the run cannot go on.
    """
    config = load_config(path, ansaetze)
    head, objective = choose_head(config, head, objective, seed)
    check_files(config)
    check_devices(config, [head], allow_paid)
    # Of several processes on one run, one writes.
    with output_folder(out, "a training run") if _is_main_process() else nullcontext():
        width, encoder = find_width(config)
        cell = choose_cell(config, width, head, size, objective, seed)
        check_claim(out, cell, config)
        console = make_console()
        with reading(console) as progress:
            data = read_data(config, progress, encoder)
        if _is_main_process():
            claim(out, cell, config)
        say(console, data.problems)
        torch.manual_seed(seed)  # dropout
        model = build_model(cell, config, data, allow_paid)
        console.print(
            f"{cell.name}: training {describe(model)}; seed {seed}, torch {torch.__version__}", highlight=False
        )
        losses, epochs = train_cell(model, cell, config, data, out, keep=True)
        whole = on_encoder(model, config)
        if _is_main_process():
            with writing(out / MODEL):
                by = f"`hybrid-qproj train {path.name}`, loss {losses[0]:.4f} before and {losses[1]:.4f} after"
                whole.say_made_by(f"trained on the objective `{cell.objective}`, seed {seed}, by {by}")
                whole.save_pretrained(str(out / MODEL))
            for epoch in epochs or ():
                console.print(in_words(epoch), highlight=False, markup=False)
            console.print(
                f"loss {losses[0]:.4f} before training, {losses[1]:.4f} after, on the same examples; "
                f"model: {out / MODEL} (hybrid_qproj.load)",
                highlight=False,
            )
    return whole


def _is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
