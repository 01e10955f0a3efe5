"""A sentence-transformers model that is compared by its head's similarity, or refuses to be compared otherwise."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hybrid_qproj.errors import ArgumentError, HybridQprojError
from hybrid_qproj.heads.base import Head
from hybrid_qproj.models.card import EncoderCard, SimilarityName
from hybrid_qproj.models.head_card import with_head_section
from hybrid_qproj.models.record import CARD, replaced_model
from hybrid_qproj.models.scorers import check_caller
from hybrid_qproj.similarity.fidelity import LOGARITHMIC, PAIRED
from hybrid_qproj.similarity.quantization import CODE_TYPES, dequantize, quantize

ENCODE = inspect.signature(SentenceTransformer.encode)
"""Arguments of ``encode``, by name or place."""


class EncodingError(HybridQprojError, ValueError):
    """An option of sentence-transformers that would make a head's outputs something else."""


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
        if not isinstance(getattr(last, "head", None), Head):
            raise ArgumentError(
                f"the last module is a {type(last).__name__}; expected a ProjectionHead. Build one with "
                "with_head(model, head), or load a saved one with hybrid_qproj.load"
            )
        if kwargs.get("similarity_fn_name") is not None:
            self.similarity_fn_name = kwargs["similarity_fn_name"]

    @property
    def head(self) -> Head:
        """The projection head."""
        head = list(self)[-1].head
        assert isinstance(head, Head)
        return head

    def say_made_by(self, text: str) -> None:
        """Have the card say how the head's weights came to be.

        Args:
            text: a sentence.
        """
        if isinstance(self.model_card_data, EncoderCard):
            self.model_card_data.made_by = text

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

    def _create_model_card(self, path: str, *args: Any, **kwargs: Any) -> None:
        """Write the library's card, with a section on the head; called by ``save``."""
        super()._create_model_card(path, *args, **kwargs)
        card = Path(path) / CARD
        # The library leaves it out, with a log, where it cannot be made.
        if card.exists():
            made_by = getattr(self.model_card_data, "made_by", None)
            text = with_head_section(card.read_text(encoding="utf-8"), self.head, made_by)
            card.write_text(text, encoding="utf-8")

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
            EncodingError: integers that are no codes.
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
            EncodingError: integers that are no codes.
        """
        return PAIRED[self.head.similarity](self._outputs(embeddings1), self._outputs(embeddings2))

    # Methods that are called "similarity" are taken for one of its own four by the library, when it describes a loss.
    similarity = pairwise_scores
    similarity_pairwise = paired_scores

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """Encode texts; see SentenceTransformer.

        With a head compared by fidelity, ``precision`` gives codes that `similarity` can read, without calibration (see
        `hybrid_qproj.similarity.quantization`), and ``truncate_dim`` the state of the first qubits.

        Args:
            *args: as for SentenceTransformer.
            **kwargs: as for SentenceTransformer.

        Returns:
            as SentenceTransformer: embeddings, one row a text.

        Raises:
            EncodingError: ``normalize_embeddings``, ``truncate_dim`` or ``precision`` would make of a head's outputs
                something that its similarity cannot compare.
            ScoringError: what of sentence-transformers asks would compare by another similarity.
        """
        similarity = self.head.similarity
        if similarity not in LOGARITHMIC:
            return super().encode(*args, **kwargs)
        bound = ENCODE.bind_partial(self, *args, **kwargs)
        given = bound.arguments
        precision = given.get("precision") or "float32"
        # Before what else an evaluator asks for: it cannot leave that out. In worker processes nobody is seen.
        check_caller(similarity)
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
        if not matrix.is_floating_point() and matrix.dtype not in CODE_TYPES:
            raise EncodingError(
                f"got embeddings of {matrix.dtype}: neither outputs nor codes; give what encode returned, and codes "
                "that were written as a list as np.array(codes, dtype=np.int8) or uint8 again"
            )
        return dequantize(matrix, self.head.similarity, int(self.get_embedding_dimension() or 0))


# What tools see of it: the library's arguments.
Encoder.encode.__signature__ = ENCODE  # type: ignore[attr-defined]  # functions can have one


def _matrix(embeddings: Any) -> Tensor:
    if isinstance(embeddings, Tensor):
        matrix = embeddings
    elif len(embeddings) and isinstance(embeddings[0], Tensor):
        matrix = torch.stack(list(embeddings))
    else:
        # A copy where it is a view in reverse order.
        matrix = torch.from_numpy(np.ascontiguousarray(embeddings))
    return matrix if matrix.dim() > 1 else matrix.unsqueeze(0)
