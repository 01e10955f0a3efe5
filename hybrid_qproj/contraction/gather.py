"""Reads a plan's qubits out of the results computed so far, without copying where a slice will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from hybrid_qproj._util.tensors import following
from hybrid_qproj.plan import Plan


class Gather(nn.Module):
    """Takes given qubits out of earlier results.

    Args:
        places: for each qubit wanted, which result holds it and in which column.
        widths: number of columns of each result.
    """

    def __init__(self, places: Sequence[tuple[int, int]], widths: Sequence[int]) -> None:
        super().__init__()
        self.width = len(places)
        self.sources = sorted({source for source, _ in places})
        starts, start = {}, 0
        for source in self.sources:
            starts[source] = start
            start += widths[source]
        columns = [starts[source] + column for source, column in places]
        self.span: tuple[int, int] | None = None
        if columns == list(range(columns[0], columns[0] + len(columns))):
            self.span = (columns[0], len(columns))
        # No buffer: who averages models averages their buffers too, and an index then reads other qubits.
        self.index = torch.tensor([] if self.span else columns, dtype=torch.int64, device="cpu")

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.index = following(fn, self.index)
        return super()._apply(fn, recurse)

    def forward(self, results: Sequence[Tensor]) -> Tensor:
        """Gather.

        Args:
            results: tensors (..., width), the encoded input first, then one a stage.

        Returns:
            the wanted qubits, (..., len(places)).
        """
        parts = [results[source] for source in self.sources]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        if self.span:
            return joined.narrow(-1, *self.span)
        # Already there, but for replicas of DataParallel.
        return joined.index_select(-1, self.index.to(joined.device))

    def add_to(self, totals: Sequence[Tensor], values: Tensor) -> None:
        """The reverse of `forward`: add to each result's column what was read from it.

        Args:
            totals: tensors (..., width), one for each result; changed in place.
            values: (..., len(places)).
        """
        parts = [totals[source] for source in self.sources]
        if len(parts) > 1:
            joined = values.new_zeros((*values.shape[:-1], sum(part.shape[-1] for part in parts)))
        else:
            joined = parts[0]
        if self.span:
            joined.narrow(-1, *self.span).add_(values)
        else:
            joined.index_add_(-1, self.index.to(joined.device), values)
        if len(parts) > 1:
            for part, added in zip(parts, joined.split([part.shape[-1] for part in parts], dim=-1), strict=True):
                part.add_(added)


class PlanGather(nn.Module):
    """All reads of a plan: two for each stage, one for the output.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        places = {qubit: (0, qubit) for qubit in range(plan.features)}
        widths = [plan.features]
        self.control = nn.ModuleList()
        self.kept = nn.ModuleList()
        for stage in plan.stages:
            self.control.append(Gather([places[qubit] for qubit in stage.control], widths))
            self.kept.append(Gather([places[qubit] for qubit in stage.kept], widths))
            places.update({qubit: (len(widths), column) for column, qubit in enumerate(stage.kept)})
            widths.append(len(stage))
        self.output = Gather([places[qubit] for qubit in plan.output], widths)
