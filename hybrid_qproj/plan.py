"""Which qubits meet in which block, stage by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from hybrid_qproj._util.plan_table import PlanConfig
from hybrid_qproj._util.schema import validated
from hybrid_qproj.errors import HybridQprojError

MANY = 3
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
        twin: for each block, the block of this stage whose weights it has: itself, or the one that reads the same two
            qubits the other way round, so that the two are one rotation. Empty if each has its own.
    """

    control: tuple[int, ...]
    kept: tuple[int, ...]
    twin: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def rotations(self) -> int:
        """Number of blocks that have weights of their own."""
        return len(set(self.twin)) if self.twin else len(self)


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
            _check_twins(where, stage)
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
        """Number of blocks that have weights of their own: all, or of two twins one."""
        return sum(stage.rotations for stage in self.stages)

    def mirrored(self) -> tuple[tuple[bool, ...], ...]:
        """For each block of each stage, whether it turns the other way than the twin whose weights it has.

        A rotation takes a kept qubit's <X> with it, which is negative for an encoded qubit and positive for one that a
        stage wrote. Two qubits of the same kind therefore need opposite angles, two of different kinds the same one.
        """
        written: set[int] = set()
        found = []
        for stage in self.stages:
            twins = stage.twin or tuple(range(len(stage)))
            found.append(
                tuple(
                    twin != block and (control in written) == (kept in written)
                    for block, (control, kept, twin) in enumerate(zip(stage.control, stage.kept, twins, strict=True))
                )
            )
            written.update(stage.kept)
        return tuple(found)

    def untied(self) -> Plan:
        """The same plan, where every block has weights of its own."""
        stages = tuple(Stage(stage.control, stage.kept) for stage in self.stages)
        return Plan(self.features, stages, self.output, self.name)

    def merged_features(self) -> tuple[int, ...]:
        """How many input features reach each output."""
        reach = [frozenset((qubit,)) for qubit in range(self.features)]
        for stage in self.stages:
            before = list(reach)
            for control, kept in zip(stage.control, stage.kept, strict=True):
                reach[kept] = before[control] | before[kept]
        return tuple(len(reach[qubit]) for qubit in self.output)

    def config(self) -> dict[str, Any]:
        """The plan as plain values for JSON; inverse of `from_config`."""
        return {
            "name": self.name,
            "features": self.features,
            "stages": [
                {"control": _plain(s.control), "kept": _plain(s.kept), **({"twin": _plain(s.twin)} if s.twin else {})}
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
        if len(sizes) > MANY:
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


def _check_twins(where: str, stage: Stage) -> None:
    if not stage.twin:
        return
    if len(stage.twin) != len(stage) or not all(
        isinstance(twin, Integral) and not isinstance(twin, bool) and 0 <= twin < len(stage) for twin in stage.twin
    ):
        raise PlanError(f"{where}: twin names a block of the stage for each of its {len(stage)} blocks, or is empty")
    for block, twin in enumerate(stage.twin):
        mine, theirs = (stage.control[block], stage.kept[block]), (stage.kept[twin], stage.control[twin])
        if twin != block and (mine != theirs or stage.twin[twin] != twin):
            raise PlanError(
                f"{where}: block {block} cannot have the weights of block {twin}; twins read the same two qubits the "
                "other way round, and one of them has weights of its own"
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
