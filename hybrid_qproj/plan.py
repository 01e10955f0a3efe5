"""Which qubits meet in which block, stage by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain as chained
from numbers import Integral
from typing import Any, NamedTuple

from hybrid_qproj._util.plan_table import PlanConfig
from hybrid_qproj._util.schema import validated
from hybrid_qproj.errors import HybridQprojError

LISTED_SIZES = 3
"""Sizes of groups that a plan's repr lists; of more it gives the range."""


class PlanError(HybridQprojError, ValueError):
    """A plan that cannot be built or contradicts itself."""


@dataclass(frozen=True)
class Stage:
    """Blocks that run side by side.

    Block g reads qubits ``control[g]`` and ``kept[g]`` as they were before the stage and writes ``kept[g]``.
    A qubit may be read by several blocks (so two qubits may mix, each block keeping one of them) but is
    written by one at most.

    Args:
        control: index of each block's control qubit.
        kept: index of each block's kept qubit.
        tied: for each block, the block of this stage whose weights it has: itself, or the one that reads the same two
            qubits the other way round, so that the two are one rotation. Empty if each has its own.
    """

    control: tuple[int, ...]
    kept: tuple[int, ...]
    tied: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def rotations(self) -> int:
        """Number of blocks that have weights of their own."""
        return len(set(self.tied)) if self.tied else len(self)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(control, kept) of each block."""
        return tuple(zip(self.control, self.kept, strict=True))

    @cached_property
    def _writer(self) -> dict[int, int]:
        """Qubit -> the block that writes it."""
        return {qubit: block for block, qubit in enumerate(self.kept)}


class Ancestry(NamedTuple):
    """What some outputs of a plan are made of: their light cone.

    Attributes:
        blocks: (stage, block) of each block that they depend on, first to last.
        features: the input features that reach them. Those that merge stand side by side: a kept qubit's, then its
            control's.
    """

    blocks: tuple[tuple[int, int], ...]
    features: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Stages of blocks on d qubits, and which k qubits are the output.

    Args:
        features: number of input features d, one qubit each.
        stages: the stages, in order.
        output: indices of the output qubits, in the order of the head's output.
        name: how the plan was made; for people, it carries no meaning.

    Raises:
        PlanError: an index is out of range, a stage writes a qubit twice, a block meets itself, or an output
            is named twice.

    Examples:
        >>> chain(768, 256)
        Plan(chain, 768 -> 256, stages=2, blocks=512)
        >>> tree(10, 4)
        Plan(tree, 10 -> 4, stages=2, blocks=6; ragged: 2 outputs merge 2 features, 2 merge 3)
    """

    features: int
    stages: tuple[Stage, ...]
    output: tuple[int, ...]
    name: str = "custom"

    def __post_init__(self) -> None:
        if isinstance(self.features, bool) or not isinstance(self.features, Integral) or self.features < 1:
            raise PlanError(f"a plan of {self.features!r} features; expected a whole number of at least 1")
        for number, stage in enumerate(self.stages):
            where = f"stage {number} of the plan"
            if len(stage.control) != len(stage.kept) or not len(stage):
                raise PlanError(
                    f"{where} has {len(stage.control)} controls and {len(stage.kept)} kept qubits; expected "
                    "equally many, at least one"
                )
            self._check_range(where, (*stage.control, *stage.kept))
            _check_unique(f"{where} writes", stage.kept)
            if any(c == b for c, b in zip(stage.control, stage.kept, strict=True)):
                raise PlanError(f"{where} has a block whose control and kept qubit are the same")
            _check_ties(where, stage)
        self._check_range("the plan's output", self.output)
        _check_unique("the plan's output names", self.output)
        if not self.output:
            raise PlanError("the plan has no output qubit; name at least one")

    def _check_range(self, where: str, indices: Iterable[int]) -> None:
        indices = tuple(indices)
        other = [index for index in indices if isinstance(index, bool) or not isinstance(index, Integral)]
        if other:
            raise PlanError(f"{where} names qubit {other[0]!r}; expected a whole number")
        wrong = [index for index in indices if not 0 <= index < self.features]
        if wrong:
            raise PlanError(f"{where} names qubit {wrong[0]}; expected 0 to {self.features - 1}")

    @property
    def blocks(self) -> int:
        """Number of blocks in all stages."""
        return sum(map(len, self.stages))

    @property
    def rotations(self) -> int:
        """Number of blocks that have weights of their own: all, or of two tied ones one."""
        return sum(stage.rotations for stage in self.stages)

    def flipped(self) -> tuple[tuple[bool, ...], ...]:
        """For each block of each stage, whether it turns the other way than the block that it is tied to.

        A rotation takes a kept qubit's <X> with it, which is negative for an encoded qubit and positive for one that a
        stage wrote. Two qubits of the same kind therefore need opposite angles, two of different kinds the same one.
        """
        first = self._first_writes()
        found = []
        for number, stage in enumerate(self.stages):
            alike = [(first.get(c, number) < number) == (first.get(b, number) < number) for c, b in stage.pairs]
            ties = stage.tied or range(len(stage))
            found.append(tuple(tied != block and alike[block] for block, tied in enumerate(ties)))
        return tuple(found)

    def without_ties(self) -> Plan:
        """The same plan, where every block has weights of its own."""
        stages = tuple(Stage(stage.control, stage.kept) for stage in self.stages)
        return Plan(self.features, stages, self.output, self.name)

    def written_before(self, stage: int) -> frozenset[int]:
        """Qubits that stages before this one wrote; all others still stand as they were encoded."""
        return frozenset(qubit for qubit, first in self._first_writes().items() if first < stage)

    def _first_writes(self) -> dict[int, int]:
        """Qubit -> the first stage that writes it."""
        found: dict[int, int] = {}
        for number, stage in enumerate(self.stages):
            for qubit in stage.kept:
                found.setdefault(qubit, number)
        return found

    def ancestry(self, outputs: int | Iterable[int] | None = None) -> Ancestry:
        """What outputs are made of.

        Args:
            outputs: which, 0 to k - 1: one, several, or all when None.

        Returns:
            the blocks that they depend on and the features that reach them.

        Raises:
            PlanError: there is no such output.

        Examples:
            >>> tree(6, 2).ancestry(1)
            Ancestry(blocks=((0, 1), (1, 1)), features=(1, 3, 5))
        """
        if outputs is None:
            outputs = range(len(self.output))
        chosen = outputs if isinstance(outputs, Iterable) else [outputs]
        qubits = [self._output_qubit(output) for output in chosen]
        needed, found = set(qubits), list[tuple[int, list[int]]]()
        for number in reversed(range(len(self.stages))):
            stage = self.stages[number]
            blocks = sorted(stage._writer[qubit] for qubit in needed if qubit in stage._writer)
            needed.update(stage.control[block] for block in blocks)
            found.append((number, blocks))
        found.reverse()
        # Features of each qubit that a block has written so far; of all others there is one.
        merged: dict[int, tuple[int, ...]] = {}
        for number, blocks in found:
            pairs = [self.stages[number].pairs[block] for block in blocks]
            merged |= {b: _union(merged.get(b, (b,)), merged.get(c, (c,))) for c, b in pairs}
        return Ancestry(
            tuple((number, block) for number, blocks in found for block in blocks),
            _union(*(merged.get(qubit, (qubit,)) for qubit in qubits)),
        )

    def _output_qubit(self, output: int) -> int:
        if isinstance(output, bool) or not isinstance(output, Integral) or not 0 <= output < len(self.output):
            raise PlanError(f"output={output!r}: the plan has outputs 0 to {len(self.output) - 1}")
        return self.output[output]

    def merged_features(self) -> tuple[int, ...]:
        """How many input features reach each output."""
        return tuple(len(self.ancestry(output).features) for output in range(len(self.output)))

    def config(self) -> dict[str, Any]:
        """The plan as plain values for JSON; inverse of `from_config`.

        In files, whose digests tell heads apart, ties keep their first name: twin.
        """
        return {
            "name": self.name,
            "features": self.features,
            "stages": [
                {"control": _plain(s.control), "kept": _plain(s.kept), **({"twin": _plain(s.tied)} if s.tied else {})}
                for s in self.stages
            ],
            "output": _plain(self.output),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Plan:
        """Rebuild a plan from `config`.

        Raises:
            PlanError: keys are missing, unknown or of a wrong type, or the plan contradicts itself.
        """
        try:
            table = validated(PlanConfig, config)
        except (ValueError, TypeError) as error:
            raise PlanError(f"not the table of a plan: {error}") from error
        stages = tuple(Stage(tuple(s.control), tuple(s.kept), tuple(s.twin)) for s in table.stages)
        return cls(table.features, stages, tuple(table.output), table.name)

    def __repr__(self) -> str:
        text = f"{self.name}, {self.features} -> {len(self.output)}, stages={len(self.stages)}, blocks={self.blocks}"
        if self.rotations < self.blocks:
            text += f", rotations={self.rotations}"
        sizes = Counter(self.merged_features())
        if len(sizes) > LISTED_SIZES:
            text += f"; ragged: outputs merge {min(sizes)} to {max(sizes)} features"
        elif len(sizes) > 1:
            (first, count), *rest = sorted(sizes.items())
            text += f"; ragged: {count} outputs merge {first} feature{'s' * (first > 1)}"
            text += "".join(f", {count} merge {size}" for size, count in rest)
        return f"Plan({text})"


def _plain(indices: Iterable[int]) -> list[int]:
    # NumPy's whole numbers are none of JSON's.
    return [int(index) for index in indices]


def _check_unique(what: str, indices: Sequence[int]) -> None:
    twice = [index for index, count in Counter(indices).items() if count > 1]
    if twice:
        raise PlanError(f"{what} qubit {twice[0]} more than once")


def _union(*groups: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(chained.from_iterable(groups)))


def _check_ties(where: str, stage: Stage) -> None:
    if not stage.tied:
        return
    if len(stage.tied) != len(stage) or not all(
        isinstance(tied, Integral) and not isinstance(tied, bool) and 0 <= tied < len(stage) for tied in stage.tied
    ):
        raise PlanError(
            f"{where}: tied (twin in a file) names a block of the stage for each of its {len(stage)}, or is empty"
        )
    for block, tied in enumerate(stage.tied):
        mine, theirs = (stage.control[block], stage.kept[block]), (stage.kept[tied], stage.control[tied])
        if tied != block and (mine != theirs or stage.tied[tied] != tied):
            raise PlanError(
                f"{where}: block {block} cannot have the weights of block {tied}; tied blocks read the same two qubits "
                "the other way round, and one of them has weights of its own"
            )


def _check_sizes(features: int, outputs: int) -> None:
    if outputs < 1 or outputs >= features:
        raise PlanError(f"cannot project {features} features to {outputs}: expected 1 <= outputs < features")


def chain(features: int, outputs: int) -> Plan:
    """The published plan: segments of k features merge from the last to the first.

    With features = n * outputs, stage 1 merges the last segment (control) into the one before it (kept), and
    each later stage the survivor into the next lower segment, down to the first. If the sizes do not divide,
    the last segment is shorter and some outputs merge one feature less.

    Args:
        features: input features d.
        outputs: output features k, 1 <= k < d.

    Returns:
        a plan of d - k blocks in ceil(d / k) - 1 stages.

    Raises:
        PlanError: k is not in range.
    """
    _check_sizes(features, outputs)
    stages = []
    for start in range((features - 1) // outputs * outputs, 0, -outputs):
        width = min(outputs, features - start)
        stages.append(Stage(tuple(range(start, start + width)), tuple(range(start - outputs, start - outputs + width))))
    return Plan(features, tuple(stages), tuple(range(outputs)), "chain")


def tree(features: int, outputs: int) -> Plan:
    """Pairs merge in rounds: output g merges the same features g, g + k, g + 2k, ... as in `chain`.

    Args:
        features: input features d.
        outputs: output features k, 1 <= k < d.

    Returns:
        a plan of d - k blocks in ceil(log2(ceil(d / k))) stages.

    Raises:
        PlanError: k is not in range.
    """
    _check_sizes(features, outputs)
    groups = [list(range(group, features, outputs)) for group in range(outputs)]
    stages = []
    while any(len(group) > 1 for group in groups):
        pairs = [(c, b) for group in groups for b, c in zip(group[::2], group[1::2], strict=False)]
        pairs.sort(key=lambda pair: pair[1])
        stages.append(Stage(tuple(c for c, _ in pairs), tuple(b for _, b in pairs)))
        groups = [group[::2] for group in groups]
    return Plan(features, tuple(stages), tuple(range(outputs)), "tree")


PLANS: dict[str, Callable[[int, int], Plan]] = {"chain": chain, "tree": tree}


def make_plan(plan: str | Plan, features: int, outputs: int) -> Plan:
    """A plan by name, or the given one checked against the sizes.

    Args:
        plan: ``"chain"``, ``"tree"`` or a `Plan`.
        features: input features d.
        outputs: output features k.

    Returns:
        the plan.

    Raises:
        PlanError: there is no such plan, or its sizes differ from the ones asked for.
    """
    if isinstance(plan, Plan):
        if (plan.features, len(plan.output)) != (features, outputs):
            raise PlanError(f"{plan!r} does not fit a head of {features} -> {outputs} features")
        return plan
    if plan not in PLANS:
        raise PlanError(f"no plan {plan!r}; expected {', '.join(PLANS)} or a Plan")
    return PLANS[plan](features, outputs)
