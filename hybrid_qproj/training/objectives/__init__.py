"""What heads are trained for, a loss a file: the same code for quantum and classical heads, and for every loop."""

from hybrid_qproj.training.objectives.anchor import Anchor, anchored
from hybrid_qproj.training.objectives.base import Batch, Objective, WeightedSum
from hybrid_qproj.training.objectives.coded import Code, Coded, coded
from hybrid_qproj.training.objectives.contrastive import Contrastive
from hybrid_qproj.training.objectives.similarity import BestDistillation, SimilarityDistillation

__all__ = [
    "Anchor",
    "Batch",
    "BestDistillation",
    "Code",
    "Coded",
    "Contrastive",
    "Objective",
    "SimilarityDistillation",
    "WeightedSum",
    "anchored",
    "coded",
]
