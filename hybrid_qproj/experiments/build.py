"""The heads and objectives that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig, HeadConfig, ObjectiveConfig
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.training.objectives import Contrastive, Objective, SimilarityDistillation


def build_head(
    config: ExperimentConfig, name: str, width: int, k: int, seed: int = 0, allow_paid: bool = False
) -> Head:
    """A head of the experiment, new: neither fitted nor trained. Of one that will be fitted, sizes alone are right.

    Args:
        config: the experiment.
        name: which head.
        width: d.
        k: size.
        seed: of its start.
        allow_paid: whether its device may be one that can cost money. The configuration cannot say so.

    Returns:
        the head.

    Raises:
        ConfigError: its class does not take these arguments or sizes.
    """
    chosen = config.heads[name]
    cls = chosen.head_class
    # Of one that will be fitted, what only its fit takes is no constructor's.
    its_fit = cls.fitting.own if chosen.is_fitted and cls.fitting is not None else frozenset()
    args: dict[str, Any] = {key: value for key, value in chosen.args.items() if key not in its_fit}
    if cls.random_start:
        args["generator"] = torch.Generator().manual_seed(seed)
    if cls.has_circuits:
        args["allow_paid"] = allow_paid
    try:
        # A head of somebody's may draw from the global generator: fork it, so that nothing outside is disturbed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if chosen.parameters_of is not None:
                like = build_head(config, chosen.parameters_of, width, k)
                return cls.with_budget(width, k, trainable_parameters(like), **args)
            head = cls(width, k, **args)
        if chosen.tune and not trainable_parameters(head):
            raise ValueError("it has nothing to train, so tune cannot go on from its fit; leave tune out")
        still = chosen.frozen or (chosen.is_fitted and not chosen.tune)
        return head.requires_grad_(False) if still else head
    except (TypeError, ValueError) as error:
        raise ConfigError(f"head {name!r} ({chosen.kind}, {width} -> {k}) cannot be built: {error}") from error


def is_fitted(config: ExperimentConfig, name: str) -> bool:
    """Whether a head is fitted to unlabelled embeddings before use."""
    return config.heads[name].is_fitted


def fit_head(
    config: ExperimentConfig, name: str, k: int, embeddings: Tensor, seed: int = 0, allow_paid: bool = False
) -> Head:
    """A head that is fitted to unlabelled embeddings.

    Args:
        config: the experiment.
        name: which head; see `is_fitted`.
        k: size.
        embeddings: (n, d).
        seed: of the choice of rows, where the head is fitted to some of them.
        allow_paid: whether its device may be one that can cost money.

    Returns:
        the head, with nothing to train unless it is to be tuned.

    Raises:
        ConfigError: its class does not take these arguments or sizes.
    """
    chosen = config.heads[name]
    if chosen.sample is not None:
        if chosen.sample > len(embeddings):
            raise ConfigError(f"head {name!r}: sample = {chosen.sample}, but there are {len(embeddings)} texts")
        order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(seed))
        embeddings = embeddings[order[: chosen.sample]]
    args: dict[str, Any] = dict(chosen.args)
    if chosen.head_class.has_circuits:
        args["allow_paid"] = allow_paid
    try:
        if chosen.head_class.fitting is not None and chosen.head_class.fitting.settings is not None:
            args["settings"] = chosen.head_class.fitting.settings(**(chosen.fit or {}))
        head = chosen.head_class.fit(embeddings, k, **args)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"head {name!r} cannot be fitted to {k} numbers: {error}") from error
    return head if chosen.tune else head.requires_grad_(False)


def sizes_of(config: ExperimentConfig, name: str, width: int) -> tuple[int, ...]:
    """The sizes at which a head is compared; the uncompressed embedding has one."""
    chosen = config.heads[name]
    if not chosen.head_class.compresses:
        return (width,)
    return chosen.sizes or config.sizes


def is_random(config: ExperimentConfig, name: str) -> bool:
    """Whether a head that is not trained differs from seed to seed."""
    chosen = config.heads[name]
    if is_fitted(config, name):
        return chosen.sample is not None
    return chosen.head_class.random_start


def build_objectives(head: HeadConfig, objective: ObjectiveConfig) -> dict[str, Objective]:
    """The objectives on labels and texts, with the head's own settings of them.

    Args:
        head: the head's table.
        objective: the objective's table.

    Returns:
        "labels" or "texts" or both -> objective.

    Raises:
        ConfigError: a keyword does not exist.
    """
    parts: dict[str, Objective] = {}
    if objective.labels is not None:
        parts["labels"] = _call(Contrastive, {**objective.labels, **head.labels})
    if objective.texts is not None:
        parts["texts"] = _call(SimilarityDistillation, {**objective.texts, **head.texts})
    return parts


def _call(cls: type[Objective], keywords: Mapping[str, Any]) -> Objective:
    try:
        return cls(**keywords)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"objective {cls.__name__}: {error}; given {', '.join(keywords)}") from error
