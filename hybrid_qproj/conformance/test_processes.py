"""A head goes to a worker process and builds its device there."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor

from hybrid_qproj.conformance.expected import allowed_error, make_embeddings, make_head, reference
from hybrid_qproj.conformance.targets import is_noisy
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.heads.quantum import QuantumProjection

TIMEOUT_S = 300
"""Seconds; a worker has to import torch, PennyLane and the plugin."""


def project(head: QuantumProjection, embeddings: Tensor) -> list[list[float]]:
    """<Z> of the outputs, as plain numbers; runs in the worker."""
    # Leave to cost money is not pickled.
    head.to_device(head.device, allow_paid=True)
    with torch.no_grad():
        return head(embeddings).cos().tolist()


def test_a_used_head_runs_in_a_spawned_process(device: str, worker: ProcessPoolExecutor) -> None:
    """Its live device stays behind; the worker's results are as good as any."""
    head, embeddings = make_head(device, 4, 2), make_embeddings(2, 4)
    head(embeddings)
    values = torch.tensor(worker.submit(project, head, embeddings).result(TIMEOUT_S), dtype=torch.float64)
    assert values.shape == (2, 2)
    if not is_noisy(DeviceSpec.parse(device)):
        error = (values - reference(head, embeddings)).abs()
        assert (error <= allowed_error(head, embeddings, head.mode)).all()
