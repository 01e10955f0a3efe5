"""Which blocks of a head a schematic shows, and where: rows of features, columns of blocks that never touch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.method.canvas import PlotError

SHOWN = 3
"""Outputs whose blocks are shown where none are asked for: the first two and the last. Of a stage so small, all are."""

ROWS, COLUMNS, STAGES = 48, 60, 24
"""Features, columns of blocks and stages that a page has room for."""

FOR_OUTPUTS = 32
"""Of the rows, those that what the shown outputs are made of may take."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Column:
    """A stage as it is shown.

    Args:
        stage: its number, from 0.
        blocks: (control, kept, lane) of each block shown; blocks in a lane lie above one another without touching.
        left_out: number of its blocks that are not shown.
        mixes: whether a block reads a qubit that another one of the stage writes: as it was before the stage.
    """

    stage: int
    blocks: tuple[tuple[int, int, int], ...]
    left_out: int
    mixes: bool

    @property
    def lanes(self) -> int:
        """Columns of blocks."""
        return 1 + max((lane for _, _, lane in self.blocks), default=0)


@dataclass(frozen=True)
class Layout:
    """A schematic before it is drawn.

    Args:
        rows: row of each feature shown, from the top.
        columns: stages shown, in order.
    """

    rows: dict[int, int]
    columns: tuple[Column, ...]


def layout(plan: Plan, outputs: Iterable[int] | None = None) -> Layout:
    """Choose what a schematic of a plan shows.

    Args:
        plan: the plan.
        outputs: from 0; the first two and the last when None.

    Returns:
        blocks of these outputs, all blocks of small stages and a block of every other, and whatever else is between the
        features shown, as far as a page has room.

    Raises:
        PlanError: there is no such output.
        PlotError: more outputs than a page has room for.
    """
    count = len(plan.stages)
    stages = list(range(count))
    if count > STAGES:
        stages = [*range(STAGES // 2), *range(count - STAGES // 2, count)]
    if outputs is None:
        outputs = {*range(min(SHOWN - 1, len(plan.output))), len(plan.output) - 1}
    outputs = sorted(outputs)
    if len(outputs) > FOR_OUTPUTS:
        raise PlotError(
            f"got {len(outputs)} outputs; a schematic has room for {FOR_OUTPUTS}: name fewer, or draw a graph of them"
        )
    each = [plan.ancestry(output).blocks[::-1] for output in outputs]
    features = {plan.output[output] for output in outputs}
    wanted: dict[tuple[int, int], None] = {}
    for limit, blocks in (
        (FOR_OUTPUTS, _in_turn(each)),
        (ROWS, _of_stages(plan, stages, features, wanted)),
    ):
        for stage, block in blocks:
            more = {*plan.stages[stage].pairs[block]} - features
            if stage in stages and len(features) + len(more) <= limit:
                features |= more
                wanted[stage, block] = None
    between = ((s, g) for s in stages for g, pair in enumerate(plan.stages[s].pairs) if features.issuperset(pair))
    return _place(plan, stages, outputs, features, dict.fromkeys([*wanted, *between]))


def _in_turn(each: Sequence[Sequence[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """Blocks that outputs are made of, the last ones first, of all outputs in turn."""
    for number in range(max(map(len, each), default=0)):
        yield from (blocks[number] for blocks in each if number < len(blocks))


def _of_stages(
    plan: Plan, stages: Sequence[int], features: set[int], wanted: dict[tuple[int, int], None]
) -> Iterator[tuple[int, int]]:
    """For each stage without any a block, of features shown already if there is one; then all of small stages."""
    for stage in stages:
        if not any(known == stage for known, _ in wanted):
            pairs = plan.stages[stage].pairs
            yield stage, min(range(len(pairs)), key=lambda block: len(set(pairs[block]) - features))
    for stage in stages:
        if len(plan.stages[stage]) <= SHOWN:
            yield from ((stage, block) for block in range(len(plan.stages[stage])))


def _place(
    plan: Plan, stages: Sequence[int], outputs: Sequence[int], features: set[int], blocks: Iterable[tuple[int, int]]
) -> Layout:
    rows = {feature: row for row, feature in enumerate(sorted(features))}
    chosen: dict[int, list[int]] = {stage: [] for stage in stages}
    every = {stage: plan.stages[stage].pairs for stage in stages}
    lanes = dict.fromkeys(stages, 1)
    for stage, block in blocks:
        numbers = sorted([*chosen[stage], block])
        needed = 1 + max(_lanes([every[stage][number] for number in numbers], rows))
        if sum(lanes.values()) - lanes[stage] + needed <= COLUMNS:
            chosen[stage], lanes[stage] = numbers, needed
    shown = {stage: [every[stage][number] for number in numbers] for stage, numbers in chosen.items()}
    seen = {plan.output[output] for output in outputs}.union(*chain(*shown.values()))
    rows = {feature: row for row, feature in enumerate(sorted(seen))}
    columns = []
    for stage, pairs in shown.items():
        whole = plan.stages[stage]
        placed = tuple((*pair, lane) for pair, lane in zip(pairs, _lanes(pairs, rows), strict=True))
        columns.append(Column(stage, placed, len(whole) - len(placed), bool(set(whole.control) & set(whole.kept))))
    return Layout(rows, tuple(columns))


def _lanes(pairs: Sequence[Pair], rows: dict[int, int]) -> list[int]:
    """A lane for each block, as few as can be: blocks of one lane share no row."""
    spans = [sorted((rows[control], rows[kept])) for control, kept in pairs]
    found, free_from = [0] * len(pairs), list[int]()
    for number in sorted(range(len(pairs)), key=lambda number: spans[number]):
        top, bottom = spans[number]
        lane = next((lane for lane, row in enumerate(free_from) if row <= top), len(free_from))
        free_from[lane : lane + 1] = [bottom + 1]
        found[number] = lane
    return found
