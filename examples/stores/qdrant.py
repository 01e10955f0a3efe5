"""Qdrant: nearest by Euclidean distance, then by fidelity: python -m examples.stores.qdrant.

Its local mode keeps a folder, compares with every passage, and commits each point by itself, which takes a while. For a
server, give `QdrantClient` its url in place of the path: all else stays.
"""

from __future__ import annotations

from pathlib import Path

import torch
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, QueryRequest, VectorParams
from torch import Tensor

from examples.stores.corpus import ANGLES, Answer, Corpus, Example, rerank, show

NAME = "passages"


def write(folder: Path, corpus: Corpus) -> None:
    """Write ids and angles."""
    client = QdrantClient(path=str(folder))
    # Not COSINE, which would keep directions in place of angles.
    vectors = VectorParams(size=corpus.angles.shape[1], distance=Distance.EUCLID)
    client.create_collection(NAME, vectors_config=vectors)
    # A point's id is a number or a UUID, so the passage's goes into its payload.
    rows = enumerate(zip(corpus.ids, corpus.angles.tolist(), strict=True))
    client.upload_points(NAME, [PointStruct(id=n, vector=angles, payload={"id": id_}) for n, (id_, angles) in rows])
    client.close()


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the nearest candidates."""
    client = QdrantClient(path=str(folder))
    requests = [
        QueryRequest(query=query, limit=candidates, with_payload=True, with_vector=True) for query in queries.tolist()
    ]
    found = client.query_batch_points(NAME, requests)
    client.close()
    ids = [[point.payload["id"] for point in answer.points] for answer in found]
    angles = torch.tensor([[point.vector for point in answer.points] for answer in found])
    return Answer(ids, rerank(queries, ids, angles, k))


EXAMPLE = Example("Qdrant, local", "qdrant-client", f"{ANGLES} float32", 4 * ANGLES, write, search)

if __name__ == "__main__":
    show(EXAMPLE)
