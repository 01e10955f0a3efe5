"""What the table of a saved plan may hold: of `Plan.from_config`, and of the heads, whose config has one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hybrid_qproj._util.schema import Index, Strict, Width


class StageConfig(Strict):
    """A stage of a plan, see `hybrid_qproj.plan.stage.Stage`."""

    control: Annotated[list[Index], Field(min_length=1)]
    kept: Annotated[list[Index], Field(min_length=1)]
    twin: list[Index] = Field(default=[])


class PlanConfig(Strict):
    """A plan, see `hybrid_qproj.plan.plan.Plan`."""

    name: Annotated[str, Field(max_length=1000)]
    features: Width
    stages: list[StageConfig]
    output: Annotated[list[Index], Field(min_length=1)]
