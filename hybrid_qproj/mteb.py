"""An encoder with a head as MTEB takes one: its tasks run unchanged, and compare by the head's similarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.errors import ArgumentError, HybridQprojError
from hybrid_qproj.heads.linear import stored_numbers
from hybrid_qproj.loading import choose_device, load
from hybrid_qproj.similarity.fidelity import LOGARITHMIC

# Before the imports below, so that a missing package is reported with its pip command.
require("mteb", "mteb", "evaluation by MTEB")

from mteb.models import ModelMeta  # noqa: E402
from mteb.models.abs_encoder import AbsEncoder  # noqa: E402
from mteb.models.model_meta import ScoringFunction  # noqa: E402
from mteb.types import OutputDType, PromptType  # noqa: E402

from hybrid_qproj.sbert import Encoder  # noqa: E402
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint  # noqa: E402

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from torch.utils.data import DataLoader

CODES = (OutputDType.INT8, OutputDType.UINT8, OutputDType.INT4, OutputDType.UINT4, OutputDType.BINARY)
"""What MTEB's CompressionWrapper makes of embeddings that are no longer angles or Bloch vectors."""
MOST_NAME = 60
"""Letters of an encoder's name in the model's."""


class CompressionError(HybridQprojError, ValueError):
    """MTEB would compress a head's outputs to numbers that its similarity cannot compare."""


class MTEBEncoder(AbsEncoder):
    """An encoder with a head behind MTEB's ``EncoderProtocol``.

    Its name and revision are its own, so that results of it are never taken from, or filed as, those of the encoder
    without a head. ``encode_kwargs={"precision": "int8"}`` of ``mteb.evaluate`` stores outputs in bytes or bits.

    Args:
        model_name: an `hybrid_qproj.sbert.Encoder`, or the folder or hub id of a saved one, read by
            `hybrid_qproj.load`.
        revision: for the results; a hash of all that decides the embeddings when None.
        device: torch device; the best there is, or the encoder's own, when None.
        name: for the results, ``"organisation/model"``; made of the encoder's name, the head and k when None.
        quantum_device: device string that replaces the saved one.
        ansaetze: your own ones that the head may name; see `hybrid_qproj.load`.
        allow_paid: whether circuits may run on a device that can cost money.

    Raises:
        ValueError: no such model, or a name without an organisation.
        CheckpointError: the folder holds no encoder with a head, or is damaged.
        MissingExtraError: mteb is not installed.
    """

    def __init__(
        self,
        model_name: str | Path | Encoder,
        revision: str | None = None,
        *,
        device: str | None = None,
        name: str | None = None,
        quantum_device: str | None = None,
        ansaetze: Sequence[str | Ansatz] = (),
        allow_paid: bool = False,
    ) -> None:
        if isinstance(model_name, str | Path):
            encoder = load(model_name, device, quantum_device, ansaetze, allow_paid)
        elif isinstance(model_name, Encoder):
            encoder = model_name if device is None else model_name.to(device)
            choose_device(encoder.head, quantum_device, allow_paid)
        else:
            raise ArgumentError(
                f"got a {type(model_name).__name__}; expected an encoder with a head, or where one is saved. Put a "
                "head on an encoder with hybrid_qproj.with_head"
            )
        if name is not None and name.count("/") != 1:
            raise ArgumentError(f"name={name!r}: expected 'organisation/model', by which MTEB files its results")
        self.model = encoder
        # Under this name MTEB's own choice of a prompt looks for them.
        self.model_prompts = encoder.prompts  # type: ignore[assignment]  # one dictionary, which the caller may change
        self._meta = _describe(encoder, name, revision)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What MTEB files results by: name, revision, parameters, dimension, similarity.

        Raises:
            CompressionError: when it is set, which CompressionWrapper does: to codes that are compared by no head.
        """
        return self._meta

    @mteb_model_meta.setter
    def mteb_model_meta(self, value: ModelMeta) -> None:
        types = value.output_dtypes if isinstance(value.output_dtypes, list) else [value.output_dtypes]
        codes = [kind.value for kind in types if kind in CODES]
        if codes and self.model.head.similarity in LOGARITHMIC:
            raise CompressionError(
                f"CompressionWrapper to {codes[0]} counts steps of each number's own range, which "
                f"{self.model.head.similarity} would take for outputs of the head; give mteb.evaluate "
                "encode_kwargs={'precision': 'int8'} (or 'uint8', 'binary', 'ubinary') without the wrapper"
            )
        self._meta = value

    def encode(
        self,
        inputs: DataLoader[Any],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,
        hf_subset: str,
        prompt_type: PromptType | None = None,
        **kwargs: Any,
    ) -> Any:
        """Embed texts, as queries, as documents or as neither.

        Args:
            inputs: batches with ``"text"``.
            task_metadata: the task; a prompt that the encoder has for its name or type is taken before that of queries
                or documents.
            hf_split: not used.
            hf_subset: not used.
            prompt_type: query, document, or None.
            **kwargs: of ``encode`` of sentence-transformers: ``batch_size``, ``precision``, ``show_progress_bar``.

        Returns:
            (texts, k), NumPy: float32, or codes as `hybrid_qproj.sbert.Encoder` gives them.

        Raises:
            ArgumentError: the batches hold no texts.
        """
        del hf_split, hf_subset
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise ArgumentError(f"task {task_metadata.name}: its batches hold {sorted(batch)}; expected texts")
            texts += batch["text"]
        named = self.get_prompt_name(task_metadata, prompt_type)
        # Without a name of the task's: encode_query and encode_document know other names of a side's prompt, too.
        prompt = self.model.prompts[named] if named is not None else None
        if prompt_type == PromptType.query:
            return self.model.encode_query(texts, prompt=prompt, **kwargs)
        if prompt_type == PromptType.document:
            return self.model.encode_document(texts, prompt=prompt, **kwargs)
        return self.model.encode(texts, prompt=prompt, **kwargs)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score all pairs by the head's similarity.

        Args:
            embeddings1: (n, k), as `encode` gives them.
            embeddings2: (m, k), likewise.

        Returns:
            (n, m): cosine, or the logarithm of the fidelity.
        """
        return self.model.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score embeddings1[i] with embeddings2[i] by the head's similarity.

        Args:
            embeddings1: (n, k), as `encode` gives them.
            embeddings2: (n, k), likewise.

        Returns:
            (n,): cosine, or the logarithm of the fidelity.
        """
        return self.model.similarity_pairwise(embeddings1, embeddings2)


def _describe(encoder: Encoder, name: str | None, revision: str | None) -> ModelMeta:
    """What MTEB wants to know of a model; nobody is asked for it."""
    head, card = encoder.head, encoder.model_card_data
    base = card.base_model if isinstance(card.base_model, str) else None
    short = Path(base).name[-MOST_NAME:] if base else "encoder"
    # What a head keeps for inference is not all trained, and not all of it is a parameter of the module.
    others = [p for module in list(encoder)[:-1] for p in module.parameters()]
    size = sum(p.numel() * p.element_size() for p in others)
    stored = stored_numbers(head)
    similarity = ScoringFunction.CUSTOM if head.similarity in LOGARITHMIC else ScoringFunction.COSINE
    return ModelMeta.create_empty(
        overwrites={
            "loader": MTEBEncoder,
            "name": name or f"hybrid-qproj/{short}-{head.kind}-{head.out_features}",
            "revision": revision or encoder_fingerprint(encoder),
            "n_parameters": sum(p.numel() for p in others) + stored,
            "memory_usage_mb": round((size + stored * torch.float32.itemsize) / 2**20),
            "max_tokens": encoder.max_seq_length,
            "embed_dim": head.output_width,
            "similarity_fn_name": similarity,
            "framework": ["Sentence Transformers", "PyTorch"],
            "adapted_from": base,
            "use_instructions": any(encoder.prompts.values()),
            "modalities": ["text"],
            "output_dtypes": [OutputDType.FLOAT32, OutputDType.INT8, OutputDType.UINT8, OutputDType.BINARY],
        }
    )
