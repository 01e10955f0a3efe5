"""The ready-made plans, the published chain and the tree, and any plan by name."""

from __future__ import annotations

from collections.abc import Callable

from hybrid_qproj.plan.errors import PlanError
from hybrid_qproj.plan.plan import Plan
from hybrid_qproj.plan.stage import Stage


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
