"""An encoder, its fitted head and MTEB's own compression, side by side on tasks of MTEB.

python examples/mteb/beside.py sentence-transformers/all-MiniLM-L6-v2 --tasks NanoNFCorpusRetrieval --k 64

The head is fitted to the documents of the first task, whose labels are not read. Tasks and encoder come from the hub.
"""

from __future__ import annotations

import argparse
import logging
import warnings

import mteb
from mteb.models import CompressionWrapper, SentenceTransformerEncoderWrapper
from mteb.types import OutputDType
from sentence_transformers import SentenceTransformer

from hybrid_qproj.mteb import MTEBEncoder
from hybrid_qproj.sbert import with_fitted_head


def documents(task: mteb.AbsTask) -> list[str]:
    """The texts of a retrieval task's corpus."""
    task.load_data()
    split = next(iter(next(iter(task.dataset.values())).values()))
    return [f"{row.get('title') or ''} {row['text']}".strip() for row in split["corpus"]]


def rows(encoder: SentenceTransformer, k: int, texts: list[str]):
    """Name, bytes of a text, model, arguments of encode."""
    width = encoder.get_embedding_dimension()
    yield "full", 4 * width, SentenceTransformerEncoderWrapper(encoder), {}
    for kind, bits in ((OutputDType.INT8, 8), (OutputDType.INT4, 4), (OutputDType.BINARY, 1)):
        yield (
            f"wrapper {kind.value}",
            width * bits // 8,
            CompressionWrapper(SentenceTransformerEncoderWrapper(encoder), kind),
            {},
        )
    head = MTEBEncoder(with_fitted_head(encoder, texts, k))
    for precision, bits in (("float32", 32), ("int8", 8), ("binary", 1)):
        yield f"head of {k} {precision}", k * bits // 8, head, {"precision": precision}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="a sentence-transformers model: a folder or a hub id")
    parser.add_argument("--tasks", nargs="+", default=["NanoNFCorpusRetrieval"], help="retrieval tasks of MTEB")
    parser.add_argument("--k", type=int, default=64, help="angles of a text")
    arguments = parser.parse_args()
    logging.getLogger("mteb").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Estimating quantization parameters")
    tasks = [mteb.get_task(name) for name in arguments.tasks]
    encoder = SentenceTransformer(arguments.encoder)
    for name, size, model, encode in rows(encoder, arguments.k, documents(tasks[0])):
        found = mteb.evaluate(
            model, tasks, cache=None, encode_kwargs={"batch_size": 64, **encode}, show_progress_bar=False
        )
        scores = "  ".join(f"{result.task_name} {result.get_score():.4f}" for result in found.task_results)
        print(f"{name:24} {size:5} bytes  {scores}", flush=True)


if __name__ == "__main__":
    main()
