"""Everything that docs/performance.md claims, measured in one run: writes docs/results/bench.json and bench.md.

Run: make bench, or python -m benchmarks.bench [SECTION ...] [--update].
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import blocks, codec, encoder, head, index, pairs, scale
from benchmarks.measure import Section
from hybrid_qproj._util.files import write_atomically

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
SECTIONS: dict[str, Callable[[], Section]] = {
    "head": head.measure,
    "blocks": blocks.measure,
    "encoder": encoder.measure,
    "pairs": pairs.measure,
    "index": index.measure,
    "codec": codec.measure,
}
VERSIONS = ("torch", "pennylane", "pennylane-lightning", "torchquantum", "tensorcircuit-ng", "faiss-cpu")


def setting() -> dict[str, str]:
    """Machine and versions."""
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
    }
    found["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "not run on a GPU"
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def table(sections: list[Section], where: dict[str, str]) -> str:
    """All results as Markdown."""
    lines = [f"Measured with {', '.join(f'{name} {value}' for name, value in where.items())}; seed 0.", ""]
    lines += ["Ratios of medians, with the quartiles of all pairs of runs.", ""]
    for section in sections:
        lines += [f"### {section.title}", "", f"{section.setting}.", ""]
        lines += ["| what | measured | goal |", "|---|--:|--:|"]
        lines += [f"| {label} | {text} | {goal or 'none'} |" for label, text, goal in section.lines]
        lines += [""]
        lines += [f"Not measured: {name} ({reason})." for name, reason in section.missing.items()]
        lines += [""] if section.missing else []
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sections", nargs="*", choices=[[], *SECTIONS], default=[], help="only these; prints, writes nothing"
    )
    parser.add_argument("--update", action="store_true", help="put these into what an earlier run wrote")
    arguments = parser.parse_args()
    where = setting()
    found = _former(where) if arguments.update else {}
    for name in arguments.sections or SECTIONS:
        print(f"{name} ...", flush=True)
        found[name] = SECTIONS[name]()
        print(table([found[name]], {}), flush=True)
    if set(found) == set(SECTIONS):
        sections = [found[name] for name in SECTIONS]
        sections.append(scale.estimate(found["encoder"], found["index"], torch.get_num_threads()))
        content = {"setting": where, "sections": [asdict(section) for section in sections]}
        write_atomically(RESULTS / "bench.json", json.dumps(content, indent=1).encode())
        write_atomically(RESULTS / "bench.md", table(sections, where).encode())


def _former(where: dict[str, str]) -> dict[str, Section]:
    """The sections of an earlier run, which must be of the same machine and versions."""
    content = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))
    if content["setting"] != where:
        raise SystemExit(f"{RESULTS / 'bench.json'} is of {content['setting']}; now it is {where}: run all sections")
    return {name: Section(**section) for name, section in zip(SECTIONS, content["sections"][:-1], strict=False)}


if __name__ == "__main__":
    main()
