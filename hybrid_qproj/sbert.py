"""A projection head inside a sentence-transformers model."""

from __future__ import annotations

import inspect
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from hybrid_qproj.checkpoint import CheckpointError, save_module
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec, make_device
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.extras import require
from hybrid_qproj.fitting import FitSettings, Moments
from hybrid_qproj.fitting.weights import check_corrections
from hybrid_qproj.head import Head
from hybrid_qproj.heads import load_head
from hybrid_qproj.model_record import replaced_model
from hybrid_qproj.projection import QuantumProjection
from hybrid_qproj.quantization import dequantize, quantize
from hybrid_qproj.sides import encode_side
from hybrid_qproj.similarity import LOGARITHMIC, PAIRED

# Before the imports below, so that a missing package is reported with its pip command.
require("sentence_transformers", "text", "an encoder with a head")

from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.base.modules import Normalize, Router  # noqa: E402
from sentence_transformers.base.modules.module import Module  # noqa: E402
from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardData  # noqa: E402

from hybrid_qproj.model_card import EncoderCard, SimilarityName, derived_card  # noqa: E402
from hybrid_qproj.positions import cut_at_positions  # noqa: E402
from hybrid_qproj.scorers import check_caller  # noqa: E402

UNCOMPRESSED = "uncompressed_embedding"
"""Feature under which a model with a head passes on the embedding before the head, (batch, d)."""
CHUNK = 4096
"""Texts embedded at once for a fit; only their moments are kept."""
ENCODE = inspect.signature(SentenceTransformer.encode)
"""Arguments of ``encode``, by name or place."""


class EncodingError(HybridQprojError, ValueError):
    """An option of sentence-transformers that would make a head's outputs something else."""


class HeadPlaceError(HybridQprojError, ValueError):
    """A head that stands where its outputs would be compared otherwise than by its similarity."""


class ProjectionHead(Module):
    """A sentence-transformers module around a head.

    Put it last: ``SentenceTransformer(modules=[transformer, pooling, ProjectionHead(head)])`` trains, encodes and
    saves as any other model. With a head that is compared by fidelity the model becomes an `Encoder`, whose
    ``similarity`` is the head's.

    Args:
        head: any projection head.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head
        self._placed = False

    def on_model_ready(self, model: nn.Module) -> None:
        """Make the model compare by the head's similarity; called by sentence-transformers when a model is complete.

        Raises:
            HeadPlaceError: the model would compare the head's outputs otherwise.
        """
        if self.head.similarity in LOGARITHMIC and isinstance(model, SentenceTransformer):
            _take_over(model, self)
        self._placed = True

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Project ``features["sentence_embedding"]``, (batch, d) to (batch, k).

        What it was stays as ``features[UNCOMPRESSED]``: objectives compare the two.
        """
        if not self.__dict__.get("_placed", True) and self.head.similarity in LOGARITHMIC and len(features) > 1:
            warnings.warn(
                "this ProjectionHead was added to a model that was complete, which still compares by cosine and not by "
                f"{self.head.similarity}: build the model with hybrid_qproj.sbert.with_head",
                stacklevel=2,
            )
            self._placed = True
        features[UNCOMPRESSED] = features["sentence_embedding"]
        features["sentence_embedding"] = self.head(features["sentence_embedding"])
        return features

    def get_embedding_dimension(self) -> int:
        """Width of the output."""
        return self.head.output_width

    def __repr__(self) -> str:
        return f"ProjectionHead({self.head!r})"

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write the head to a folder; always as safetensors."""
        save_module(self.head, output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        ansaetze: Sequence[str | Ansatz] = (),
        **kwargs: Any,
    ) -> Self:
        """Read the head from a model's folder or hub repository; called by sentence-transformers.

        An ansatz that it names must be registered, or be among ``ansaetze``; see `hybrid_qproj.load`.

        Raises:
            CheckpointError: there is no head, or a damaged one.
        """
        folder = cls.load_dir_path(model_name_or_path, subfolder, token, cache_folder, revision, local_files_only)
        if folder is None:
            raise CheckpointError(f"{model_name_or_path!r} has no folder {subfolder!r} with a saved head")
        return cls(load_head(folder, ansaetze))


class TruncateDim(Module):
    """Keeps the first numbers of an embedding: ``truncate_dim`` of a model, before the head that is put on it.

    Args:
        dim: how many.
    """

    config_keys = ["dim"]  # noqa: RUF012 - as the parent declares it

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Cut ``features["sentence_embedding"]``, (batch, d), to (batch, dim)."""
        features["sentence_embedding"] = features["sentence_embedding"][..., : self.dim]
        return features

    def get_embedding_dimension(self) -> int:
        """Width of the output."""
        return self.dim

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write the config; there are no weights."""
        self.save_config(output_path)


class Encoder(SentenceTransformer):
    """A SentenceTransformer whose last module is a head, and whose similarity is that head's.

    With a head that is compared by fidelity, what would silently compare by another similarity is refused: evaluators
    and losses of sentence-transformers that take cosines, ``normalize_embeddings``, and ``truncate_dim`` where fewer
    numbers are no state.

    Args:
        *args: as for SentenceTransformer.
        **kwargs: as for SentenceTransformer.

    Raises:
        ValueError: the last module is no `ProjectionHead`, or ``similarity_fn_name`` is not the head's.
    """

    model_card_data_class = EncoderCard

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        last = list(self)[-1] if len(self) else None
        if not isinstance(last, ProjectionHead):
            raise ValueError(
                f"the last module is a {type(last).__name__}; expected a ProjectionHead. Build one with "
                "with_head(model, head), or load a saved one with hybrid_qproj.load"
            )
        if kwargs.get("similarity_fn_name") is not None:
            self.similarity_fn_name = kwargs["similarity_fn_name"]

    @property
    def head(self) -> Head:
        """The projection head."""
        last = list(self)[-1]
        assert isinstance(last, ProjectionHead)
        return last.head

    def save(self, path: str, *args: Any, **kwargs: Any) -> None:
        """Write the model to a folder, whole or not at all; called by ``save_pretrained`` too.

        Args:
            path: the folder. An older model there is replaced; other files in it stay. Whatever interrupts this, the
                folder holds the old model or the new one.
            *args: as for SentenceTransformer.
            **kwargs: as for SentenceTransformer.

        Raises:
            OutputError: it could not be written; an older model is unchanged.
            LockedError: another process is writing there.
            CheckpointError: a weight of the head is not finite.
        """
        with replaced_model(Path(path)) as folder:
            super().save(str(folder), *args, **kwargs)
            self.model_card_data.save_dir = str(path)

    @property
    def similarity_fn_name(self) -> Any:
        """Name of the similarity, which is the head's: ``"cosine"``, ``"log_fidelity"`` or ``"log_bloch_fidelity"``.

        The last two are none of sentence-transformers' names: what goes by names cannot use them, and what asks
        ``similarity`` is right.
        """
        similarity = self.head.similarity
        return SimilarityName(f"log_{similarity}") if similarity in LOGARITHMIC else similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: Any) -> None:
        # While the model is made there is no head yet, and what an older folder says does not count.
        if "_modules" not in self.__dict__ or not len(self):
            self._similarity_fn_name = None
        elif value is not None and str(getattr(value, "value", value)) != self.similarity_fn_name:
            raise EncodingError(
                f"similarity_fn_name={str(getattr(value, 'value', value))!r}: this model's similarity is its head's, "
                f"{str(self.similarity_fn_name)!r}, and cannot be chosen"
            )

    def pairwise_scores(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score all pairs of this model's embeddings; also called ``similarity``.

        Args:
            embeddings1: (n, k), torch or NumPy, or a list of vectors; or codes that ``encode(precision=...)`` gave.
            embeddings2: (m, k), likewise, perhaps of another precision.

        Returns:
            (n, m): cosine, or for the quantum head the logarithm of the fidelity.

        Raises:
            QuantizationError: codes of another model's width.
        """
        return self.head.pairwise_similarity(self._outputs(embeddings1), self._outputs(embeddings2))

    def paired_scores(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score embeddings1[i] with embeddings2[i]; also called ``similarity_pairwise``.

        Args:
            embeddings1: (n, k), torch or NumPy, or a list of vectors; or codes that ``encode(precision=...)`` gave.
            embeddings2: (n, k), likewise, perhaps of another precision.

        Returns:
            (n,): cosine, or for the quantum head the logarithm of the fidelity.

        Raises:
            QuantizationError: codes of another model's width.
        """
        return PAIRED[self.head.similarity](self._outputs(embeddings1), self._outputs(embeddings2))

    # Methods that are called "similarity" are taken for one of its own four by the library, when it describes a loss.
    similarity = pairwise_scores
    similarity_pairwise = paired_scores

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """Encode texts; see SentenceTransformer.

        With a head compared by fidelity, ``precision`` gives codes that `similarity` can read, without calibration (see
        `hybrid_qproj.quantization`), and ``truncate_dim`` the state of the first qubits.

        Args:
            *args: as for SentenceTransformer.
            **kwargs: as for SentenceTransformer.

        Returns:
            as SentenceTransformer: embeddings, one row a text.

        Raises:
            EncodingError: ``normalize_embeddings``, ``truncate_dim`` or ``precision`` would make of a head's outputs
                something that its similarity cannot compare.
        """
        similarity = self.head.similarity
        if similarity not in LOGARITHMIC:
            return super().encode(*args, **kwargs)
        bound = ENCODE.bind_partial(self, *args, **kwargs)
        given = bound.arguments
        precision = given.get("precision") or "float32"
        if given.get("normalize_embeddings"):
            raise EncodingError(
                f"normalize_embeddings=True: outputs of unit norm are no longer what {similarity} compares; leave it "
                "out (a head's own normalisation is QuantumProjection(..., normalize_output=True))"
            )
        self._check_truncation(given.get("truncate_dim"), precision)
        if precision == "float32":
            return super().encode(*bound.args[1:], **bound.kwargs)
        if given.get("output_value", "sentence_embedding") != "sentence_embedding":
            raise EncodingError(f"precision={precision!r} is for sentence embeddings; leave it or output_value out")
        if precision in ("binary", "ubinary") and self.get_embedding_dimension() == 1:
            raise EncodingError(f"precision={precision!r}: a single bit would be taken for a byte; use 'int8'")
        given["precision"] = "float32"
        outputs = super().encode(*bound.args[1:], **bound.kwargs)
        if isinstance(outputs, list):
            return [quantize(output, precision, similarity) for output in outputs]
        return quantize(outputs, precision, similarity)

    def forward(self, input: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:  # noqa: A002 - the parent's name
        """Run all modules.

        Raises:
            ScoringError: an evaluator or loss of sentence-transformers asks that would compare by another similarity.
        """
        if self.head.similarity in LOGARITHMIC and not torch.compiler.is_compiling():
            check_caller(self.head.similarity)
        return super().forward(input, **kwargs)

    def _check_truncation(self, given: int | None, precision: str) -> None:
        dim = given if given is not None else self.truncate_dim
        head = self.head
        if dim is None or dim >= head.output_width:
            return
        advice = f"make a head of {dim} outputs instead" if dim > 0 else "give a number of outputs"
        if dim < 1 or head.similarity != "fidelity" or getattr(head, "normalize_output", False):
            what = "angles that are normalised together" if head.similarity == "fidelity" else "Bloch vectors"
            raise EncodingError(f"truncate_dim={dim}: of {head.output_width} {what}, the first are no state; {advice}")
        if precision != "float32" and dim != self.truncate_dim:
            raise EncodingError(
                f"precision={precision!r} with truncate_dim={dim}: set model.truncate_dim = {dim}, by which similarity "
                "knows the width of codes"
            )

    def _outputs(self, embeddings: Any) -> Tensor:
        matrix = _matrix(embeddings)
        if self.head.similarity not in LOGARITHMIC:
            return matrix
        return dequantize(matrix, self.head.similarity, int(self.get_embedding_dimension() or 0))


# What tools see of it: the library's arguments.
Encoder.encode.__signature__ = ENCODE  # type: ignore[attr-defined]  # functions can have one


def _take_over(model: SentenceTransformer, module: ProjectionHead) -> None:
    """Make a model that was built by sentence-transformers compare by its head's similarity."""
    similarity = module.head.similarity
    modules = list(model)
    rest = modules[modules.index(module) + 1 :] if module in modules else modules[-1:]
    if any(isinstance(later, Normalize) for later in rest):
        raise HeadPlaceError(
            f"a Normalize layer follows a head that is compared by {similarity}; leave it out: outputs of unit norm "
            "are no longer what the similarity compares"
        )
    if rest and isinstance(rest[-1], Router):
        raise HeadPlaceError(
            f"a head that is compared by {similarity} stands inside a Router; put one head behind the Router, for "
            "queries and documents alike"
        )
    if rest:
        return
    if type(model) is SentenceTransformer:
        # Not functions set on the model: this way it pickles, saves and refuses as an Encoder does.
        model.__class__ = Encoder
    if isinstance(model, Encoder):
        if type(model.model_card_data) is SentenceTransformerModelCardData:
            model.model_card_data.__class__ = EncoderCard
    elif type(model).similarity is SentenceTransformer.similarity:
        raise HeadPlaceError(
            f"a {type(model).__name__} compares by {model.similarity_fn_name}, its head by {similarity}: derive the "
            "class from hybrid_qproj.sbert.Encoder in place of SentenceTransformer"
        )


def embedding_width(encoder: SentenceTransformer) -> int:
    """Width of what ``encode`` returns, found by encoding a word: not every model knows it.

    Args:
        encoder: any sentence-transformers model for texts.

    Returns:
        d, the same for queries and documents.

    Raises:
        ValueError: queries and documents differ in width, or the model takes no texts.
    """
    from hybrid_qproj.embeddings.table import EmbeddingTable  # noqa: PLC0415 - would be a cycle

    if isinstance(encoder[0], EmbeddingTable):
        return int(encoder.get_embedding_dimension() or 0)
    modes = [(part, part.training) for part in encoder.modules()]
    try:
        shapes = [
            encode_side(encoder, ["a"], side, convert_to_tensor=True).shape for side in (None, "query", "document")
        ]
    except HybridQprojError:
        raise
    except Exception as error:
        raise EncodingError(
            f"the encoder cannot embed a text ({type(error).__name__}: {error}); a head takes embeddings of texts"
        ) from error
    finally:
        for part, training in modes:
            part.training = training
    if len({shape[-1] for shape in shapes}) > 1:
        raise EncodingError(
            f"the encoder gives queries {shapes[1][-1]} numbers and documents {shapes[2][-1]}; a head takes one width: "
            "add a Dense layer to one side"
        )
    return int(shapes[0][-1])


def with_head(encoder: str | Path | SentenceTransformer, head: Head, **kwargs: Any) -> Encoder:
    """Put a head on an encoder.

    Args:
        encoder: a sentence-transformers model, or the name or folder of one. Its prompts stay; its ``truncate_dim``
            goes before the head.
        head: its ``in_features`` must be the width of what the encoder's ``encode`` returns.
        **kwargs: passed to SentenceTransformer when the encoder is a name.

    Returns:
        the encoder with the head as last module; modules are shared with the given encoder, not copied.

    Raises:
        ValueError: the widths differ, or the encoder takes no texts.
    """
    if not isinstance(encoder, SentenceTransformer):
        encoder = SentenceTransformer(os.fspath(encoder), **kwargs)
    cut_at_positions(encoder)
    width = embedding_width(encoder)
    if width != head.in_features:
        raise ValueError(f"the encoder gives {width} numbers, the head takes {head.in_features}")
    truncation = [TruncateDim(width)] if encoder.truncate_dim is not None else []
    model = Encoder(
        modules=[*encoder, *truncation, ProjectionHead(head)],
        device=str(encoder.device),
        prompts=dict(encoder.prompts),
        default_prompt_name=encoder.default_prompt_name,
        model_card_data=derived_card(encoder.model_card_data),
        trust_remote_code=encoder.trust_remote_code,
        backend=encoder.backend,
    )
    # By the names that modules have now: their numbers.
    kept = encoder.module_kwargs or {}
    names = [name for name, _ in encoder.named_children()]
    model.module_kwargs = OrderedDict((str(number), kept.get(name, [])) for number, name in enumerate(names))
    return model


def with_fitted_head(
    encoder: str | Path | SentenceTransformer,
    texts: Iterable[str],
    out_features: int,
    circuit: str | Ansatz = "rotor",
    device: str | DeviceSpec = "default.qubit",
    settings: FitSettings | None = None,
    corrections: int = 0,
    batch_size: int = 64,
    progress: Callable[[int], None] = lambda texts: None,
    allow_paid: bool = False,
) -> Encoder:
    """Put a head on an encoder that is fitted to its embeddings of texts: `QuantumProjection.fit` on a stream.

    Args:
        encoder: a sentence-transformers model, or the name or folder of one.
        texts: any number of documents, without labels; read once, and only the moments of their embeddings are kept.
        out_features: k.
        circuit: ansatz of the blocks.
        device: device string.
        settings: how pairs are chosen; see `FitSettings`.
        corrections: rounds in which the device corrects the weights; see `QuantumProjection.fit`.
        batch_size: texts the encoder takes at once.
        progress: called with the number of texts so far.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        the encoder with the head as last module; modules are shared with the given encoder, not copied.

    Raises:
        ValueError: sizes or settings that are not sound, which is seen before the first text is read, or fewer than
            two texts.
        DeviceUnavailableError: nobody knows the device, it cannot do what is asked, or there are to be corrections and
            it cannot be built; seen as early.
        PaidDeviceError: there are to be corrections, and the device can cost money; likewise.
    """
    if not isinstance(encoder, SentenceTransformer):
        encoder = SentenceTransformer(os.fspath(encoder))
    cut_at_positions(encoder)
    moments = Moments(embedding_width(encoder))
    # Not after hours of encoding.
    (settings or FitSettings()).check(moments.width, out_features)
    check_corrections(device, corrections, allow_paid)
    if corrections:
        make_device(DeviceSpec.parse(device), get(circuit).wires, allow_paid)
    stream = iter(texts)
    while part := list(islice(stream, CHUNK)):
        embeddings = encode_side(encoder, part, "document", batch_size=batch_size, convert_to_tensor=True)
        moments.add(embeddings.float())
        progress(moments.rows)
    head = QuantumProjection.fit(
        moments, out_features, circuit, device, settings, corrections=corrections, allow_paid=allow_paid
    )
    return with_head(encoder, head)


def _matrix(embeddings: Any) -> Tensor:
    if isinstance(embeddings, Tensor):
        matrix = embeddings
    elif len(embeddings) and isinstance(embeddings[0], Tensor):
        matrix = torch.stack(list(embeddings))
    else:
        matrix = torch.from_numpy(np.asarray(embeddings))
    return matrix if matrix.dim() > 1 else matrix.unsqueeze(0)
