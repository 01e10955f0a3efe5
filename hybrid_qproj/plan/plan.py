"""A plan: its stages and outputs, checked, and as the table of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from hybrid_qproj._util.schema import validated
from hybrid_qproj.plan.ancestry import Ancestry, ancestry
from hybrid_qproj.plan.errors import PlanError
from hybrid_qproj.plan.stage import Stage, check_ties
from hybrid_qproj.plan.table import PlanConfig

LISTED_SIZES = 3
"""Sizes of groups that a plan's repr lists; of more it gives the range."""


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
        >>> from hybrid_qproj.plan import chain, tree
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
            check_ties(where, stage)
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
            >>> from hybrid_qproj.plan import tree
            >>> tree(6, 2).ancestry(1)
            Ancestry(blocks=((0, 1), (1, 1)), features=(1, 3, 5))
        """
        if outputs is None:
            outputs = range(len(self.output))
        chosen = outputs if isinstance(outputs, Iterable) else [outputs]
        return ancestry(self.stages, [self._output_qubit(output) for output in chosen])

    def _output_qubit(self, output: int) -> int:
        if isinstance(output, bool) or not isinstance(output, Integral) or not 0 <= output < len(self.output):
            raise PlanError(f"output={output!r}: the plan has outputs 0 to {len(self.output) - 1}")
        return self.output[output]

    def merged_features(self) -> tuple[int, ...]:
        """How many input features reach each output."""
        # As bits of whole numbers: a head's name counts them each time, and plans have thousands of blocks.
        reaching = [1 << qubit for qubit in range(self.features)]
        for stage in self.stages:
            merged = {kept: reaching[control] | reaching[kept] for control, kept in stage.pairs}
            for kept, features in merged.items():
                reaching[kept] = features
        return tuple(reaching[qubit].bit_count() for qubit in self.output)

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

    def structure(self) -> dict[str, Any]:
        """What `config` says but for the name: all that decides what weights mean."""
        return {key: value for key, value in self.config().items() if key != "name"}

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
