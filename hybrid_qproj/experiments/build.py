"""The heads and objectives that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig, HeadConfig, ObjectiveConfig
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.training.objectives import Contrastive, Objective, SimilarityDistillation

FLOAT32 = 4
"""Bytes of a number of an output that is not coded."""


def build_head(
    config: ExperimentConfig, name: str, width: int, k: int, seed: int = 0, allow_paid: bool = False
) -> Head:
    """A head of the experiment, new: neither fitted nor trained. Of one that will be fitted, sizes alone are right.

    One that will only rotate has one number less here than its fit gives it.

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
            if k == width and chosen.is_fitted and cls.fitting is not None and cls.fitting.settings is FitSettings:
                # The fit gives such a head its plan; a constructor knows none that only rotates.
                FitSettings(**(chosen.fit or {})).check(width, k)
                k -= 1
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
    rows = sampled(config, name, len(embeddings), seed)
    if rows is not None:
        embeddings = embeddings[rows]
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


def sampled(config: ExperimentConfig, name: str, count: int, seed: int) -> Tensor | None:
    """The texts that a head, and its codec, are fitted to where these are some of all.

    Args:
        config: the experiment.
        name: which head.
        count: of all texts.
        seed: of the choice.

    Returns:
        their numbers, (n,), int64; None for all.

    Raises:
        ConfigError: there are fewer.
    """
    sample = config.heads[name].sample
    if sample is None:
        return None
    if sample > count:
        raise ConfigError(f"head {name!r}: sample = {sample}, but there are {count} texts")
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:sample]


def sizes_of(config: ExperimentConfig, name: str, width: int) -> tuple[int, ...]:
    """The sizes at which a head is compared; the uncompressed embedding in float32 has one."""
    chosen = config.heads[name]
    if not chosen.head_class.compresses and chosen.codec is None:
        return (FLOAT32 * width,) if config.sizes_in == "bytes" else (width,)
    return chosen.sizes or config.sizes


def numbers_of(config: ExperimentConfig, name: str, width: int, size: int) -> int:
    """Numbers of an output of a head at a size.

    Args:
        config: the experiment.
        name: which head.
        width: d.
        size: one of `sizes_of`.

    Returns:
        k.

    Raises:
        ConfigError: bytes that are no whole numbers in float32.
    """
    chosen = config.heads[name]
    if config.sizes_in == "numbers":
        return size
    if chosen.codec is not None:
        return width if chosen.k is None else chosen.k[size] if isinstance(chosen.k, dict) else chosen.k
    if size % FLOAT32:
        raise ConfigError(
            f"head {name!r} has no codec, and {size} bytes are no whole number of float32, {FLOAT32} bytes each; give "
            "it a codec, or sizes of its own"
        )
    return size // FLOAT32


def is_random(config: ExperimentConfig, name: str) -> bool:
    """Whether a head that is not trained, or its codec, differs from seed to seed."""
    chosen = config.heads[name]
    if chosen.codec is not None and (chosen.sample is not None or codecs.get(chosen.codec.scheme).draws):
        return True
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
