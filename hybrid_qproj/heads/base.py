"""What every projection head is: sizes, a similarity, a config, and a folder to live in."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from hybrid_qproj._util.schema import validated
from hybrid_qproj._util.tensors import Form
from hybrid_qproj._util.validation import check_sizes
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.errors import ArgumentError, HybridQprojError
from hybrid_qproj.heads.checkpoint import forms_of, load_module, save_module
from hybrid_qproj.heads.config import AnyHeadConfig
from hybrid_qproj.heads.fit import Fit
from hybrid_qproj.heads.onnx import ROWS, check_format, write_onnx
from hybrid_qproj.similarity.fidelity import PAIRWISE


class HeadError(HybridQprojError, ValueError):
    """A head that cannot do what is asked of it, or is not known."""


class Content(NamedTuple):
    """All that decides a head's outputs: plain settings, and tensors by name."""

    settings: dict[str, Any]
    tensors: dict[str, Tensor]


class Head(nn.Module, ABC):
    """A module from embeddings (..., d) to outputs (..., k), and the similarity that compares outputs.

    What a class of heads can do it states in the class variables below, which are all that experiments, files and the
    registry (`hybrid_qproj.heads.registry`) go by.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d; d again where the class does not compress.
        rotation: whether k = d is sound, as of a head whose outputs a codec compresses.

    Raises:
        ValueError: the sizes are no compression.
    """

    kind: ClassVar[str] = "Head"
    """Name in configurations and saved files: that of the class, unless its body says another."""
    compresses: ClassVar[bool] = True
    """Whether outputs are narrower than embeddings; else the class has the one size k = d."""
    random_start: ClassVar[bool] = False
    """Whether new heads differ by what is drawn for them; the constructor then takes ``generator``."""
    fitting: ClassVar[Fit | None] = None
    """What `fit` is; None for a class that has none."""
    budgeted: ClassVar[str | None] = None
    """Keyword of the constructor that `with_budget` chooses by a number of parameters; None if there is none."""
    has_circuits: ClassVar[bool] = False
    """Whether circuits run, as in every `hybrid_qproj.heads.circuit.CircuitHead` and no other class; the constructor
    and the fit then take ``circuit``, ``device`` and ``allow_paid``."""
    similarity: ClassVar[str] = "cosine"
    """How two outputs are compared: a key of `hybrid_qproj.similarity.fidelity.PAIRWISE`."""
    SCHEMA: ClassVar[type[BaseModel]] = AnyHeadConfig
    """What a saved `config` may hold."""
    IMPLIED: ClassVar[frozenset[str]] = frozenset()
    """Names in the state dict that follow from the config, and that older saved heads lack."""

    def __init__(self, in_features: int, out_features: int, rotation: bool = False) -> None:
        super().__init__()
        if self.compresses:
            check_sizes(in_features, out_features, rotation)
        elif in_features != out_features:
            raise ArgumentError(f"in_features={in_features}, out_features={out_features}: {self.kind} keeps the size")
        self.in_features = in_features
        self.out_features = out_features

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.kind = cls.__dict__.get("kind", cls.__name__)

    @classmethod
    def fit(cls, embeddings: Any, out_features: int, *args: Any, **keywords: Any) -> Self:
        """A head fitted to unlabelled embeddings: the contract of every class that states `fitting`.

        Args:
            embeddings: (n, d), torch; a class may take more.
            out_features: k.
            *args: the class's own.
            **keywords: of the constructor, but for what the fit decides, and ``settings`` where the class has such.

        Returns:
            a new head, in eval mode; the same for the same embeddings.

        Raises:
            HeadError: the class has no fit.
        """
        raise HeadError(f"a {cls.kind} is not fitted: make one by {cls.kind}(in_features, out_features)")

    @classmethod
    def with_budget(cls, in_features: int, out_features: int, parameters: int, *args: Any, **keywords: Any) -> Self:
        """The largest head within a number of parameters: the contract of every class that states `budgeted`.

        Args:
            in_features: d.
            out_features: k.
            parameters: the budget.
            *args: the class's own.
            **keywords: of the constructor, but for the one that the budget decides.

        Returns:
            the head.

        Raises:
            HeadError: the number of parameters of such heads follows from their sizes.
        """
        raise HeadError(f"a {cls.kind} has no budget: its number of parameters follows from its sizes")

    @property
    def output_width(self) -> int:
        """Numbers of an output: k, unless the head says otherwise."""
        return self.out_features

    @abstractmethod
    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k)."""

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values; with the state dict it is all that a saved head holds."""
        return {"in_features": self.in_features, "out_features": self.out_features}

    def content(self, device: bool = True) -> Content:
        """All that decides the outputs, for `hybrid_qproj.heads.fingerprint.head_fingerprint`.

        Args:
            device: whether what a device adds to the numbers is a part of it.
        """
        return Content(self.config(), self.stored_tensors())

    def stored_tensors(self) -> dict[str, Tensor]:
        """The state dict but for what follows from the config: what was trained, fitted or drawn."""
        return {name: tensor for name, tensor in self.state_dict().items() if name not in self.IMPLIED}

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Refuse a config that no head of this class wrote, before anything is made of it.

        Args:
            config: plain values, as they stand in a file.

        Raises:
            ValueError: a key, type or size is not as `SCHEMA` says; one line.
        """
        validated(cls.SCHEMA, config)

    @classmethod
    def expected_tensors(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> dict[str, Form]:
        """What a state dict that goes with a config holds, found without allocating any of it.

        Args:
            config: a checked config.
            ansaetze: as for `from_config`.

        Returns:
            name -> shape and dtypes.
        """
        with torch.device("meta"):
            return forms_of(cls.from_config(config, **({"ansaetze": ansaetze} if ansaetze else {})))

    @classmethod
    def from_config(cls, config: dict[str, Any], ansaetze: Sequence[str | Ansatz] = ()) -> Self:
        """Build a head from `config`; its weights are those of a new head.

        Args:
            config: plain values. What they name is not imported.
            ansaetze: that they may name beside the registered ones; see `hybrid_qproj.circuits.find`.

        Returns:
            the head.
        """
        del ansaetze  # a head of circuits uses them
        return cls(**config)

    def frozen(self) -> nn.Module:
        """The head as it is now, as a plain module: for torch.export, torch.onnx, torch.vmap and programs of your own.

        Returns:
            a module from (..., d) to outputs, in eval mode, that shares nothing with the head: what its blocks do is a
            constant, no circuit runs in it, and it does not train.
        """
        return copy.deepcopy(self).requires_grad_(False).eval()

    def export(self, path: str | Path, format: str = "onnx") -> None:  # noqa: A002 - as pandas and PIL call it
        """Write the head as it is now to a file that runs without torch, PennyLane and this package.

        Args:
            path: the file. Its input is ``"embeddings"``, (batch, d), its output ``"outputs"``, (batch, k), both
                float32; any number of rows. Its metadata say what it is, under ``"hybrid_qproj"``.
            format: ``"onnx"``.

        Raises:
            ExportError: another format or suffix.
            OutputError: the file cannot be written; an older one is unchanged.
            MissingExtraError: the extra ``onnx`` is not installed.
        """
        check_format(Path(path), format)
        rows = {"embeddings": torch.zeros(ROWS, self.in_features)}
        about = {"kind": self.kind, "similarity": self.similarity, "config": self.config()}
        module = self.frozen().cpu().float()
        write_onnx(module, Path(path), rows, "outputs", {"embeddings": {0: "batch"}}, about)

    def pairwise_similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Score all pairs of outputs of this head, higher is closer.

        Args:
            a: outputs, (n, k).
            b: outputs, (m, k).

        Returns:
            scores, (n, m): cosine, or the logarithm of the fidelity.
        """
        return PAIRWISE[self.similarity](a, b)

    def save(self, folder: str | Path) -> None:
        """Write the head to a folder: ``config.json`` and ``model.safetensors``.

        Args:
            folder: made if it is missing. An older head there is replaced whole: whatever interrupts this, the folder
                holds one of the two.

        Raises:
            CheckpointError: a weight is not finite.
            OutputError: it could not be written; an older head is unchanged.
            LockedError: another process is writing there.
        """
        save_module(self, folder)

    @classmethod
    def load(cls, folder: str | Path, ansaetze: Sequence[str | Ansatz] = ()) -> Self:
        """Read a head that `save` wrote. Nothing that its files name is imported.

        Args:
            folder: the folder.
            ansaetze: your own ones that the head may name: objects, or ``"package.module:name"``, which is imported.
                Registered ones need not be given.

        Returns:
            the head, in eval mode.

        Raises:
            CheckpointError: the folder holds no such head, or a damaged one.
        """
        return load_module(cls, folder, ansaetze)

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{self.in_features} -> {self.out_features}"
