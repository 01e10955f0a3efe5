"""The tables [heads.NAME] and [objectives.NAME]: what is compared, and what it is trained for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from hybrid_qproj.circuits import get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.experiments.config.fields import Name, Size, Strict, once, within
from hybrid_qproj.experiments.keywords import check_keywords
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.heads.registry import HEADS
from hybrid_qproj.training.objectives import Contrastive, SimilarityDistillation
from hybrid_qproj.training.settings import Count


class HeadConfig(Strict):
    """A head of the comparison.

    Attributes:
        kind: class of the head, a key of `hybrid_qproj.heads.registry.HEADS`.
        args: its constructor's keywords beside the sizes.
        fit: for QuantumProjection: keywords of `hybrid_qproj.fitting.FitSettings`; plan and angles then come from the
            experiment's texts.
        sample: of how many of the texts a fitted head is made, each seed drawing others; None for all of them.
        tune: whether a fitted head is then trained, as the others are.
        parameters_of: for LowRankLinear: the head of this experiment whose number of parameters it may have.
        training: settings that differ from the experiment's.
        training_for: objective -> settings that differ for it alone.
        labels: keywords of the objective on labels that differ.
        texts: keywords of the objective on texts that differ.
        sizes: when it is compared at some of the experiment's sizes only.
        objectives: when it is trained for some of the experiment's objectives only.
    """

    kind: str
    args: dict[str, Any] = Field(default_factory=dict)
    fit: dict[str, Any] | None = None
    sample: Count | None = None
    tune: bool = False
    parameters_of: str | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    training_for: dict[str, dict[str, Any]] = Field(default_factory=dict)
    labels: dict[str, Any] = Field(default_factory=dict)
    texts: dict[str, Any] = Field(default_factory=dict)
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(once)] | None = None
    objectives: Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(once)] | None = None

    @model_validator(mode="after")
    def _known(self) -> HeadConfig:
        if self.kind not in HEADS:
            raise ValueError(f"no head {self.kind!r}; expected one of {', '.join(HEADS)}")
        if "allow_paid" in self.args:
            raise ValueError("args.allow_paid: no file allows what can cost money; give --yes on the command line")
        if (self.parameters_of is not None) != (self.kind == "LowRankLinear" and "rank" not in self.args):
            raise ValueError("LowRankLinear needs args.rank or parameters_of; other heads take no parameters_of")
        if self.sample is not None and self.fit is None and self.kind != "PCAProjection":
            raise ValueError(
                "sample is for heads that are fitted to texts: PCAProjection, and QuantumProjection with fit"
            )
        if self.tune and self.fit is None:
            raise ValueError("tune goes on from a fit; give fit, or leave tune out")
        if self.fit is not None:
            if self.kind != "QuantumProjection" or not self.args.keys().isdisjoint({"plan", "init", "normalize"}):
                raise ValueError("fit is for QuantumProjection, whose plan, init and normalize it decides")
            within("fit", check_keywords, FitSettings, self.fit)
            FitSettings(**self.fit)
        return self

    @model_validator(mode="after")
    def _keywords_exist(self, info: ValidationInfo) -> HeadConfig:
        made_by = HEADS[self.kind] if self.fit is None else QuantumProjection.fit
        within("args", check_keywords, made_by, self.args)
        within("labels", check_keywords, Contrastive, self.labels)
        within("texts", check_keywords, SimilarityDistillation, self.texts)
        if isinstance(circuit := self.args.get("circuit"), str):
            if ":" in circuit and circuit not in (info.context or {}).get("ansaetze", (circuit,)):
                raise ValueError(
                    f"args.circuit = {circuit!r} would import code because a file says so; if you trust it, add "
                    f"--ansatz {circuit}"
                )
            within("args.circuit", get, circuit)
        if isinstance(device := self.args.get("device"), str):
            within("args.device", DeviceSpec.parse, device)
        return self


class ObjectiveConfig(Strict):
    """What heads are trained for: on labels, on texts, or in turn on both.

    Attributes:
        labels: keywords of `hybrid_qproj.training.objectives.contrastive.Contrastive`.
        texts: keywords of `hybrid_qproj.training.objectives.similarity.SimilarityDistillation`.
        training: settings that differ from the experiment's.
    """

    labels: dict[str, Any] | None = None
    texts: dict[str, Any] | None = None
    training: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> ObjectiveConfig:
        if self.labels is None and self.texts is None:
            raise ValueError("expected labels, texts or both")
        within("labels", check_keywords, Contrastive, self.labels or {})
        within("texts", check_keywords, SimilarityDistillation, self.texts or {})
        return self
