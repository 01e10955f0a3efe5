"""A plan whose outputs are trees of their own, as one small program that all outputs run side by side.

The published chain and the tree are such plans: every number is read by one output, every block serves one. A kernel
can then follow an output from its embeddings to its angle without writing anything between.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from hybrid_qproj.plan import Plan

MOST_LEAVES = 8
"""Features of an output at most: all of them stay in registers."""

Tree: TypeAlias = "int | tuple[int, Tree, Tree]"
"""A feature, or a block with what it reads as control and as kept qubit."""
Shape: TypeAlias = "tuple[Shape, Shape] | None"
"""A tree without its numbers: None is a feature."""


class Forest(NamedTuple):
    """What each output computes: leaves, then merges of earlier nodes, the last of which is the output.

    Nodes are counted leaves first. Where an output lacks a merge, its kept qubit goes on as it is.

    Attributes:
        features: the number that each leaf reads, -1 for none, (leaves, outputs), int32.
        blocks: the block of each merge, counted over all stages, -1 for none, (merges, outputs), int32.
        merges: control's and kept qubit's node of each merge, one after the other.
        order: for each block, where it stands among all of ``blocks``, int64.
        offsets: what to add to an output's number for that of each leaf's feature, if that is the same for all outputs
            and none lacks anything; else empty.
    """

    features: Tensor
    blocks: Tensor
    order: Tensor
    merges: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """For each node, when its gradient is known on the way back: the output's first."""
        found = [0] * (len(self.features) + len(self.blocks))
        for merge in range(len(self.blocks)):
            first = 1 + 2 * (len(self.blocks) - 1 - merge)
            found[self.merges[2 * merge]], found[self.merges[2 * merge + 1]] = first, first + 1
        return tuple(found)

    def to(self, device: torch.device) -> Forest:
        """The same with its tables elsewhere."""
        return self._replace(
            features=self.features.to(device), blocks=self.blocks.to(device), order=self.order.to(device)
        )


def forest_of(plan: Plan) -> Forest | None:
    """The program of a plan.

    Args:
        plan: the plan.

    Returns:
        the program; None if outputs share features or blocks, something is not used, an output meets no block, or one
        merges more than `MOST_LEAVES` features.
    """
    trees = _trees(plan)
    if trees is None or any(isinstance(tree, int) for tree in trees):
        return None
    shape: Shape = None
    for tree in trees:
        shape = _union(shape, _shape(tree))
    leaves, merges = list[None](), list[int]()
    count = _count(shape)
    if count > MOST_LEAVES:
        return None
    _number(shape, count, leaves, merges)
    filled = [_filled(shape, tree) for tree in trees]
    features = torch.tensor([read for read, _ in filled], dtype=torch.int32, device="cpu").T.contiguous()
    blocks = torch.tensor([used for _, used in filled], dtype=torch.int32, device="cpu").T.contiguous()
    used = [sorted(table[table >= 0].tolist()) for table in (features, blocks)]
    if used != [list(range(plan.features)), list(range(plan.blocks))]:
        return None
    shifts = features - torch.arange(len(trees), dtype=torch.int32, device="cpu")
    whole = bool((features >= 0).all() and (blocks >= 0).all() and (shifts == shifts[:, :1]).all())
    order = torch.empty(plan.blocks, dtype=torch.int64, device="cpu")
    order[blocks[blocks >= 0].long()] = (blocks.flatten() >= 0).nonzero().flatten()
    return Forest(features, blocks, order, tuple(merges), tuple(shifts[:, 0].tolist()) if whole else ())


def _trees(plan: Plan) -> list[Tree] | None:
    now: dict[int, Tree] = {qubit: qubit for qubit in range(plan.features)}
    sizes = dict.fromkeys(now, 1)
    first = 0
    for stage in plan.stages:
        written = {b: (first + block, now[c], now[b]) for block, (c, b) in enumerate(stage.pairs)}
        # Before the trees are looked at: qubits that mix again and again would make huge ones.
        sizes |= {b: sizes[c] + sizes[b] for c, b in stage.pairs}
        if max(sizes.values()) > MOST_LEAVES:
            return None
        now |= written
        first += len(stage)
    return [now[qubit] for qubit in plan.output]


def _shape(tree: Tree) -> Shape:
    return None if isinstance(tree, int) else (_shape(tree[1]), _shape(tree[2]))


def _union(a: Shape, b: Shape) -> Shape:
    if a is None or b is None:
        return a or b
    return _union(a[0], b[0]), _union(a[1], b[1])


def _count(shape: Shape) -> int:
    return 1 if shape is None else _count(shape[0]) + _count(shape[1])


def _number(shape: Shape, count: int, leaves: list[None], merges: list[int]) -> int:
    """The node of a shape, after its own parts are numbered."""
    if shape is None:
        leaves.append(None)
        return len(leaves) - 1
    merges += [_number(part, count, leaves, merges) for part in shape]
    return count + len(merges) // 2 - 1


def _filled(shape: Shape, tree: Tree | None) -> tuple[list[int], list[int]]:
    """A tree's features and blocks in the order of the shape's leaves and merges, -1 for what it lacks."""
    if shape is None:
        assert not isinstance(tree, tuple)
        return [-1 if tree is None else tree], []
    block, control, kept = tree if isinstance(tree, tuple) else (-1, None, tree)
    (first, before), (second, after) = _filled(shape[0], control), _filled(shape[1], kept)
    return first + second, [*before, *after, block]
