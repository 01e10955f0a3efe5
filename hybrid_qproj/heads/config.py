"""What the config of a saved head may hold, checked before a head is built; a class says more beside its own code."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from hybrid_qproj._util.schema import Name, Strict, Width
from hybrid_qproj.circuits import Ansatz, AnsatzError, get
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


def check_findable(circuit: str, ansatz: Ansatz) -> None:
    """Refuse to write down the name of an ansatz that nobody could load by it.

    Args:
        circuit: what the config would say.
        ansatz: of the head.

    Raises:
        AnsatzError: the name finds another ansatz, or none.
    """
    try:
        found = get(circuit)
    except AnsatzError:
        found = None
    # Equal, not identical: a head that came back from a worker process holds a copy.
    if found != ansatz:
        raise AnsatzError(
            f"ansatz {ansatz.name!r} cannot be saved: it is found under no name. Register it, or give the head its "
            "circuit as 'package.module:name'"
        )
