"""A schematic's lines are the plan's blocks: read back from the artists, pair by pair."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from hybrid_qproj.fitting import fit_plan
from hybrid_qproj.plan import Plan, Stage, chain, tree
from hybrid_qproj.viz.method import merge_graph
from hybrid_qproj.viz.method.layout import COLUMNS, ROWS, STAGES


def stage_headers(axes):
    """Number of a stage -> the middle of its columns."""
    found = {}
    for text in axes.texts:
        if match := re.match(r"stage (\d+)\n(\d+) blocks$", text.get_text()):
            found[int(match[1]) - 1] = (text.get_position()[0], int(match[2]))
    return found


def pairs_drawn(figure):
    """Stage -> (control, kept) of its vertical lines, by the dot and the square at their ends; and that none touch."""
    (axes,) = figure.axes
    features = {
        round(-text.get_position()[1]): int(match[1]) - 1
        for text in axes.texts
        if (match := re.fullmatch(r"\$x_\{(\d+)\}\$", text.get_text()))
    }
    middles = {stage: middle for stage, (middle, _) in stage_headers(axes).items()}
    marks = {"o": set(), "s": set()}
    verticals = []
    for line in axes.lines:
        (x, *more), ys = line.get_xdata(), line.get_ydata()
        if line.get_marker() in marks:
            marks[line.get_marker()].add((round(x, 3), round(-ys[0])))
        elif more[0] == x:
            verticals.append((round(x, 3), *(round(-y) for y in ys)))
    found = {stage: [] for stage in middles}
    stage_of = {}
    columns = sorted({x for x, _, _ in verticals})
    while columns:  # columns of a stage are 1 apart, those of two stages more
        own = [columns.pop(0)]
        while columns and columns[0] - own[-1] < 1.1:
            own.append(columns.pop(0))
        middle = (own[0] + own[-1]) / 2
        stage_of.update(dict.fromkeys(own, min(middles, key=lambda number: abs(middles[number] - middle))))
    for x, one, two in verticals:
        # A human sees a line with a mark at each end: nothing else may stand on it.
        low, high = sorted((one, two))
        on_it = [(kind, row) for kind, points in marks.items() for at, row in points if at == x and low <= row <= high]
        assert sorted(on_it) == sorted([("o", one), ("s", two)])
        found[stage_of[x]].append((features[one], features[two]))
    assert len(marks["o"]) == len(marks["s"]) == len(verticals)
    return found


@pytest.mark.parametrize("outputs", [[5], [40, 7]])
def test_of_some_outputs(outputs):
    """All blocks of the outputs that are asked for are there, where a page has room for them."""
    plan = chain(300, 60)
    drawn = pairs_drawn(merge_graph(plan, outputs, style="schematic"))
    for stage, block in plan.ancestry(outputs).blocks:
        assert plan.stages[stage].pairs[block] in drawn[stage]


def check(plan):
    """Every line is a block of its stage, and what is not drawn is counted."""
    figure = merge_graph(plan, style="schematic", circuit="rotor")
    drawn = pairs_drawn(figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    for stage, pairs in drawn.items():
        whole = plan.stages[stage].pairs
        assert len(set(pairs)) == len(pairs)
        assert set(pairs) <= set(whole)
        left = len(whole) - len(pairs)
        assert texts.count(f"+{left}") >= (left > 0)
    total = sum(map(len, drawn.values()))
    assert (f"{total} of {plan.blocks} blocks are drawn; +n: the stage has n more" in texts) == (total < plan.blocks)
    missing = sum(len(s) for n, s in enumerate(plan.stages) if n not in drawn)
    left_out = [re.search(r"left out: (\d+) blocks", text) for text in texts]
    assert sum(int(match[1]) for match in left_out if match) == missing
    return drawn, figure


def pairs(plan):
    return {n: list(zip(s.control, s.kept, strict=True)) for n, s in enumerate(plan.stages)}


def fitted(features, outputs):
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(features, features, generator=generator) * torch.linspace(1, 0.01, features)
    return fit_plan((samples @ samples.T).double() / features, outputs).plan


@pytest.mark.parametrize("plan", [chain(9, 3), tree(12, 3), tree(11, 2), fitted(16, 3)], ids=repr)
def test_small_plans_are_whole(plan):
    """Of three outputs all blocks are drawn."""
    drawn, _ = check(plan)
    assert {n: sorted(found) for n, found in drawn.items()} == {n: sorted(own) for n, own in pairs(plan).items()}


@pytest.mark.parametrize("plan", [chain(768, 256), chain(768, 64), tree(384, 64), fitted(384, 96)], ids=repr)
def test_large_plans(plan):
    """Some blocks of every stage, all of a stage of three, and a page is not left."""
    drawn, figure = check(plan)
    for number, stage in enumerate(plan.stages):
        assert len(drawn[number]) >= min(3, len(stage)) or len(drawn[number]) >= 1
    assert any(len(stage) == 3 for stage in plan.stages) == (plan.name == "treelet")
    width, height = figure.get_size_inches()
    assert width <= 7
    assert height <= 9.5


def test_overlapping_blocks_of_a_stage():
    """x340 to x8 and x11 to x384, which read as x8 to x11 and x340 to x384 where they shared a column."""
    plan = Plan(400, (Stage((339, 10, 1), (7, 383, 399)),), (7, 383, 399))
    drawn, figure = check(plan)
    assert sorted(drawn[0]) == [(1, 399), (10, 383), (339, 7)]
    columns = {line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "s"}
    assert len(columns) == 3


def test_mixing():
    """Both ways in one stage: two blocks, shaded, and both qubits go on."""
    plan = Plan(4, (Stage((0, 1), (1, 0)), Stage((0, 2), (1, 3)), Stage((1, 3), (3, 1))), (1, 3))
    drawn, figure = check(plan)
    assert drawn == {0: [(0, 1), (1, 0)], 1: [(0, 1), (2, 3)], 2: [(1, 3), (3, 1)]}
    (axes,) = figure.axes
    assert len(axes.patches) == 2
    assert any("shaded" in text.get_text() for text in axes.texts)
    ends = {round(-line.get_ydata()[0]): line.get_xdata()[1] for line in axes.lines if line.get_xdata()[0] == 0}
    last = {n: max(line.get_xdata()[0] for line in axes.lines if round(-line.get_ydata()[0]) == n) for n in (0, 2)}
    assert ends[0] == last[0], "the control of the second stage ends there, not in the first"
    assert ends[1] == ends[3] > max(ends[0], ends[2])


def test_many_stages():
    """767 stages of one block: the first and the last, and how many are not there."""
    drawn, figure = check(chain(768, 1))
    assert sorted(drawn) == [*range(STAGES // 2), *range(767 - STAGES // 2, 767)]
    assert all(len(found) == 1 for found in drawn.values())
    assert "stages 13 to 755 left out: 743 blocks" in [text.get_text() for text in figure.axes[0].texts]


@st.composite
def plans(draw):
    """Any valid plan: several blocks may read a qubit, one at most writes it."""
    features = draw(st.integers(2, 30))
    stages = []
    for _ in range(draw(st.integers(0, 5))):
        kept = draw(st.lists(st.integers(0, features - 1), min_size=1, max_size=12, unique=True))
        control = [draw(st.integers(0, features - 2)) for _ in kept]
        stages.append(Stage(tuple(c + (c >= b) for c, b in zip(control, kept, strict=True)), tuple(kept)))
    output = draw(st.lists(st.integers(0, features - 1), min_size=1, max_size=features, unique=True))
    return Plan(features, tuple(stages), tuple(output))


@settings(max_examples=30, deadline=None)
@given(plans())
def test_any_plan(plan):
    """No wrong line, whatever the plan; as many blocks as there is room for where all is between the features shown."""
    drawn, figure = check(plan)
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert all(rf"$x_{{{plan.output[n] + 1}}}$" in shown for n in {0, len(plan.output) - 1})
    for number, stage in enumerate(plan.stages):
        assert len(drawn[number]) == len(stage) or len(stage) > 3 or plan.features > ROWS or plan.blocks > COLUMNS
