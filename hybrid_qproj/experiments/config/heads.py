"""The tables [heads.NAME] and [objectives.NAME]: what is compared, and what it is trained for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from hybrid_qproj.circuits import get
from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.codec.checks import check_score
from hybrid_qproj.codec.scheme import Score
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.experiments.config.fields import Name, Size, SizeKey, Strict, once, within
from hybrid_qproj.experiments.keywords import check_keywords
from hybrid_qproj.heads import registry
from hybrid_qproj.heads.base import Head
from hybrid_qproj.training.objectives import Contrastive, SimilarityDistillation
from hybrid_qproj.training.settings import Count


class CodecConfig(Strict):
    """How a head's outputs of documents become bytes; fitted to its outputs of the experiment's texts.

    Attributes:
        scheme: a name of `hybrid_qproj.codec.registry.names`.
        score: see `hybrid_qproj.codec.Codec.scores`; None for the scheme's own.
        train: whether a head that is trained is trained through it, so that it learns what its code keeps; see
            `hybrid_qproj.training.objectives.coded.Coded`.
    """

    scheme: str
    score: Score | None = None
    train: bool = False

    @model_validator(mode="after")
    def _known(self) -> CodecConfig:
        within("scheme", codecs.get, self.scheme)
        if self.train and codecs.get(self.scheme).uses_faiss:
            raise ValueError(f"train: no head is trained through {self.scheme!r}, which FAISS fits; leave train out")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As for heads: records from before there was a choice keep their digests.
        table: dict[str, Any] = handler(self)
        if not self.train:
            del table["train"]
        return table


class HeadConfig(Strict):
    """A head of the comparison.

    Attributes:
        kind: class of the head, a name of `hybrid_qproj.heads.registry.names`.
        args: its constructor's keywords beside the sizes.
        fit: for a class whose fit has settings: their keywords, of QuantumProjection those of
            `hybrid_qproj.fitting.FitSettings`; what the fit decides then comes from the experiment's texts.
        k: where the experiment's sizes are bytes, the numbers of an output that the codec makes so many bytes of: one
            for all sizes, or size -> numbers. A head that does not compress has its own.
        codec: for documents, where the experiment's sizes are bytes; queries stay in float. None for float32.
        sample: of how many of the texts a fitted head or a codec is made, each seed drawing others; None for all of
            them.
        tune: whether a fitted head is then trained, as the others are.
        frozen: whether a head that is not fitted stays as it starts; layers of the encoder that are to train do.
        parameters_of: for a class that takes a budget, as LowRankLinear: the head of this experiment whose number of
            parameters it may have.
        training: settings that differ from the experiment's.
        training_for: objective -> settings that differ for it alone.
        training_at: size -> settings that differ at it alone, whatever the objective.
        labels: keywords of the objective on labels that differ.
        texts: keywords of the objective on texts that differ.
        seeds: how many of the experiment's seeds it is run for, where it takes long; None for all.
        sizes: when it is compared at some of the experiment's sizes only.
        objectives: when it is trained for some of the experiment's objectives only.
    """

    kind: str
    args: dict[str, Any] = Field(default_factory=dict)
    fit: dict[str, Any] | None = None
    k: Size | dict[SizeKey, Size] | None = None
    codec: CodecConfig | None = None
    sample: Count | None = None
    tune: bool = False
    frozen: bool = False
    parameters_of: str | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    training_for: dict[str, dict[str, Any]] = Field(default_factory=dict)
    training_at: dict[SizeKey, dict[str, Any]] = Field(default_factory=dict)
    labels: dict[str, Any] = Field(default_factory=dict)
    texts: dict[str, Any] = Field(default_factory=dict)
    seeds: Count | None = None
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(once)] | None = None
    objectives: Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(once)] | None = None
    _class: type[Head] = PrivateAttr()

    @model_validator(mode="after")
    def _known(self) -> HeadConfig:
        self._class = cls = registry.get(self.kind)
        if "allow_paid" in self.args:
            raise ValueError("args.allow_paid: no file allows what can cost money; give --yes on the command line")
        if (self.parameters_of is not None) != (cls.budgeted is not None and cls.budgeted not in self.args):
            raise ValueError(
                f"{self.kind} needs args.{cls.budgeted} or parameters_of, and not both"
                if cls.budgeted is not None
                else f"{self.kind} takes no parameters_of; that is for {_those(lambda head: head.budgeted is not None)}"
            )
        if self.sample is not None and not self.is_fitted and self.codec is None:
            always = _those(lambda head: head.fitting is not None and head.fitting.required)
            raise ValueError(
                f"sample is for heads that are fitted to texts: {always}, and {_those(_has_settings)} with fit; and "
                "for heads with a codec"
            )
        if self.tune and not self.is_fitted:
            raise ValueError("tune goes on from a fit; give fit, or leave tune out")
        if self.frozen and self.is_fitted:
            raise ValueError("frozen is for heads that are not fitted; one that is stays as it is fitted without tune")
        if self.fit is not None:
            if cls.fitting is None or cls.fitting.settings is None:
                raise ValueError(f"fit is for {_those(_has_settings)}; got {self.kind}")
            if decided := sorted(cls.fitting.decides & self.args.keys()):
                decides = ", ".join(sorted(cls.fitting.decides))
                raise ValueError(f"fit decides {decides} of a {self.kind}; leave {', '.join(decided)} out of args")
            within("fit", check_keywords, cls.fitting.settings, self.fit)
            cls.fitting.settings(**self.fit)
        return self

    @model_validator(mode="after")
    def _codec_has_numbers(self) -> HeadConfig:
        cls = self.head_class
        if self.codec is not None:
            within("codec", check_score, cls.similarity, self.codec.score)
            if self.codec.train and (self.frozen or (self.is_fitted and not self.tune)):
                raise ValueError("codec.train is for heads that are trained; give a fitted one tune, or leave it out")
        if (self.k is not None) != (self.codec is not None and cls.compresses):
            raise ValueError(
                f"give k, the numbers of an output of {self.kind} that the codec makes bytes of"
                if self.k is None
                else f"k is for heads that compress and have a codec; {self.kind} keeps the width of embeddings"
                if self.codec is not None
                else "k is for heads with a codec; others have as many numbers as the experiment's sizes say"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is not chosen is not written, so that results from before there was a choice keep their digests.
        table: dict[str, Any] = handler(self)
        for name in ("frozen", "k", "codec", "seeds"):
            if not getattr(self, name):
                table.pop(name, None)
        return table

    @property
    def head_class(self) -> type[Head]:
        """The class of the head; a copy in a worker process has it, whatever is registered there."""
        return self._class

    @property
    def is_fitted(self) -> bool:
        """Whether it is fitted to unlabelled embeddings before use."""
        fitting = self.head_class.fitting
        return self.fit is not None or (fitting is not None and fitting.required)

    @model_validator(mode="after")
    def _keywords_exist(self, info: ValidationInfo) -> HeadConfig:
        within("args", check_keywords, self.head_class.fit if self.is_fitted else self.head_class, self.args)
        within("labels", check_keywords, Contrastive, self.labels)
        within("texts", check_keywords, SimilarityDistillation, self.texts)
        if not self.head_class.has_circuits:
            return self
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


def _has_settings(head: type[Head]) -> bool:
    return head.fitting is not None and head.fitting.settings is not None


def _those(wanted: Callable[[type[Head]], bool]) -> str:
    """Names of the heads of which something holds."""
    return ", ".join(name for name in registry.names() if wanted(registry.get(name)))
