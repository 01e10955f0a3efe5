"""What was measured after each epoch, as tables: so that whoever reads them can choose the epoch that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hybrid_qproj.experiments.records import Record
from hybrid_qproj.experiments.summary import Key, Score, pooled
from hybrid_qproj.experiments.tables import key_cells, key_columns, markdown, show_score, to_csv
from hybrid_qproj.training.epochs import Epoch

Pools = Mapping[str, Sequence[str]]


def epochs_to_markdown(records: Sequence[Record], pools: Pools, test: str, measure: str) -> str:
    """A table of a measure on a test, a column an epoch.

    Args:
        records: of cells; those without epochs are left out.
        pools: name -> tests whose queries are also taken together.
        test: test or pool.
        measure: the measure.

    Returns:
        Markdown: means over queries and seeds. The last two columns say what each way of choosing an epoch gives: the
        last one, and each seed's epoch of least validation loss, where there is such a loss.
    """
    groups = _groups(records)
    scores = {
        key: [[_mean(epoch, pools, test, measure) for epoch in epochs] for epochs in seeds]
        for key, seeds in groups.items()
    }
    chosen = {key: [_least(epochs) for epochs in seeds] for key, seeds in groups.items()}
    ends = {}
    for key, seeds in scores.items():
        best = [values[place] for values, place in zip(seeds, chosen[key], strict=True) if place is not None]
        ends[key] = [
            show_score(Score.of([values[-1] for values in seeds])),
            show_score(Score.of(best)) if len(best) == len(seeds) else "-",
        ]
    return _table(groups, scores, ["last", "least validation loss"], ends)


def validation_to_markdown(records: Sequence[Record]) -> str:
    """A table of the validation loss, a column an epoch.

    Args:
        records: of cells; those without such a loss are left out.

    Returns:
        Markdown: means over seeds.
    """
    with_loss = [record for record in records if any(epoch.validation is not None for epoch in record.epochs or ())]
    groups = _groups(with_loss)
    losses = {
        key: [[epoch.validation for epoch in epochs if epoch.validation is not None] for epochs in seeds]
        for key, seeds in groups.items()
    }
    return _table(groups, losses, [], {})


def epochs_to_csv(records: Sequence[Record], pools: Pools) -> str:
    """Everything that was measured after epochs, a line a cell, epoch, test and measure.

    Args:
        records: of cells; those without epochs are left out.
        pools: name -> tests whose queries are also taken together.

    Returns:
        CSV: means over queries.
    """
    lines = []
    for record in records:
        key = [*Key.of(record.cell).shown(), record.cell.seed]
        for epoch in record.epochs or ():
            found = [
                [test, measure, _mean(epoch, pools, test, measure)]
                for test, measures in pooled(epoch.measures, pools).items()
                for measure in measures
            ]
            lines += [[*key, epoch.epoch, epoch.validation, *rest] for rest in found or [[None, None, None]]]
    return to_csv([*Key._fields, "seed", "epoch", "validation_loss", "test", "measure", "mean"], lines)


def _groups(records: Sequence[Record]) -> dict[Key, list[list[Epoch]]]:
    """The epochs of all seeds of a key."""
    groups: dict[Key, list[list[Epoch]]] = {}
    for record in records:
        if record.epochs:
            groups.setdefault(Key.of(record.cell), []).append(record.epochs)
    return groups


def _mean(epoch: Epoch, pools: Pools, test: str, measure: str) -> float:
    return float(np.mean(list(pooled(epoch.measures, pools)[test][measure].values())))


def _least(epochs: Sequence[Epoch]) -> int | None:
    """Place of the epoch of least validation loss, the first of equal ones."""
    losses = [epoch.validation for epoch in epochs if epoch.validation is not None]
    return losses.index(min(losses)) if len(losses) == len(epochs) else None


def _table(
    groups: Mapping[Key, Sequence[Sequence[Epoch]]],
    values: Mapping[Key, Sequence[Sequence[float]]],
    last: Sequence[str],
    ends: Mapping[Key, Sequence[str]],
) -> str:
    numbers = sorted({epoch.epoch for seeds in groups.values() for epochs in seeds for epoch in epochs})
    header = [*key_columns(list(groups)), *(f"{number:g}" for number in numbers), *last]
    lines = []
    for key, seeds in groups.items():
        at = {
            number: [
                value
                for epochs, found in zip(seeds, values[key], strict=True)
                for epoch, value in zip(epochs, found, strict=True)
                if epoch.epoch == number
            ]
            for number in numbers
        }
        means = [f"{np.mean(at[number]):.4f}" if at[number] else "" for number in numbers]
        lines.append([*key_cells(list(groups), key), *means, *ends.get(key, ())])
    return markdown(header, lines)
