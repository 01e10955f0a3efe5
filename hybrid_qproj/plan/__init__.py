"""Which qubits meet in which block, stage by stage."""

from hybrid_qproj.plan.ancestry import Ancestry
from hybrid_qproj.plan.errors import PlanError
from hybrid_qproj.plan.makers import PLANS, chain, make_plan, tree
from hybrid_qproj.plan.plan import Plan
from hybrid_qproj.plan.stage import Stage

__all__ = ["PLANS", "Ancestry", "Plan", "PlanError", "Stage", "chain", "make_plan", "tree"]
