"""What the config of a saved head may hold, checked before a head is built; a class says more beside its own code."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from hybrid_qproj._util.schema import Name, Strict, Width
from hybrid_qproj.plan.table import PlanConfig


class HeadConfig(Strict):
    """Any head: its sizes."""

    in_features: Width
    out_features: Width


class AnyHeadConfig(HeadConfig):
    """A head of a class that says no more of its config than its sizes."""

    model_config = ConfigDict(extra="allow")


class CircuitConfig(HeadConfig):
    """A head of circuits, see `hybrid_qproj.heads.circuit.CircuitHead`."""

    circuit: Name
    device: Name
    plan: PlanConfig
    normalize: bool = False
    # float32 holds it.
    scale: Annotated[float, Field(gt=0, lt=1e38)] | None = None
    learn_scale: bool = True
    normalize_output: bool = False
