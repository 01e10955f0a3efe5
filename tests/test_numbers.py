"""Every figure in README and the documentation is one that a command wrote to docs/results, or follows from those."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from benchmarks import pages
from benchmarks.pages import full, read_cell, read_table, row_of
from hybrid_qproj import ClassicalProjection, QuantumProjection

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "results"}.intersection(page.relative_to(ROOT).parts)]
# Figures that are no results: names of papers and licences, versions, sizes of what others made, levels of confidence.
NO_RESULTS = re.compile(
    r"arXiv:\d+\.\d+|Apache-2\.0|Python (?:other than )?3\.\d+|8\.8 million|95 %|1 to 100 %|1 to 25 %|"
    r"5 % of the pairs|0\.5 \(default\)"
)


def value(table: str, head: str, k: int, objective: str = "-") -> float:
    return read_cell(row_of(table, head, objective)[f"k = {k}"]).value


def parameters(head) -> int:
    return sum(p.numel() for p in head.parameters())


VARIANTS = ("lee-variants", "cranfield-variants", "fitted-variants")


def cost(variant: str, tables: tuple[str, ...] = VARIANTS) -> float:
    """What a variant of the fitted treelet loses at most, over collections and sizes."""
    losses = []
    for table in tables:
        rows = {row.pop("treelet"): row for row in read_table(table)}
        for column, exact in rows["as fitted"].items():
            if variant in rows and column:
                losses.append(read_cell(exact).value - read_cell(rows[variant][column]).value)
    return max(losses)


def budget(way: str) -> list[list[float]]:
    (row,) = (row for row in read_table("budget") if next(iter(row.values())) == way)
    return [[float(x) for x in cell.split()] for cell in list(row.values())[1:-2]]


def goal(name: str, collection: str) -> dict[str, float]:
    """Differences of a goal: label -> difference."""
    (row,) = (r for r in read_table("goals") if r["goal"] == name and r["collection"] == collection)
    text = row["NDCG@10 difference, p after Holm"]
    return {label: float(number) for label, number in re.findall(r"([^;,]+?): ([+-]\d\.\d+)", text)}


def stored_range(table: str, head: str, objective: str = "distillation") -> str:
    """Least and most numbers that a head stores: ``2,280 to 2,840``."""
    most, least = row_of(table, head, objective)["stored"].split(" to ")
    return f"{least} to {most}"


def marks(table: str, head: str, objective: str, k: int) -> tuple[str, ...]:
    return read_cell(row_of(table, head, objective)[f"k = {k}"]).marks


def claims() -> list[tuple[str, str]]:
    """Page and sentence: the figures in it are computed here from the results."""
    linear = parameters(ClassicalProjection(384, 128))
    rotor = parameters(QuantumProjection(384, 128, "rotor", plan="tree", scale=2.0))
    dense = parameters(ClassicalProjection(768, 256))
    wide = parameters(QuantumProjection(768, 256, "rotor", plan="tree", scale=2.0))
    tree = parameters(QuantumProjection(384, 128, "u_cu", plan="tree", scale=2.0))
    above = "treelet significantly above PCA, k <= 64", "treelet, tuned distillation significantly above PCA, k <= 64"
    at_64 = [goal(name, "both years, re-ranked")["k = 64"] for name in above]
    below = [
        -difference
        for collection in ("both years, re-ranked", "both years, judged")
        for difference in goal("k = 128 not below the full embedding", collection).values()
    ]
    unmixed, mixed = budget("treelet, then exchange"), budget("16 mixing stages, largest")
    few = ("lee-variants", "cranfield-variants")
    rows = read_table("devices")
    qubits = next(row for row in rows if "sherbrooke" in row["device"])
    return [
        ("README.md", f"needs {parameters(QuantumProjection.paper(768, 256)):,} parameters to take BERT's 768 numbers"),
        ("README.md", f"a linear layer needs {parameters(ClassicalProjection(768, 256)):,}."),
        (
            "docs/results.md",
            f"The rotor tree, {wide} numbers in place of the linear head's {dense:,}, has",
        ),
        ("docs/results.md", f"has {full('fitted-1'):.4f} instead of {full('main-1'):.4f}."),
        ("docs/results.md", f"It trains {rotor} parameters at 128 (a linear head: {linear:,})"),
        ("docs/results.md", f"`u_cu tree` ({tree:,} parameters, {linear / tree:.0f} times fewer than linear)"),
        (
            "docs/results.md",
            (
                f"(Cranfield's own at 32: {value('cranfield', 'treelet', 32):.4f} to "
                f"{value('cranfield', 'treelet, tuned', 32, 'distillation'):.4f}; re-ranking at 16: "
                f"{value('fitted-1', 'treelet', 16):.4f} to "
                f"{value('fitted-1', 'treelet, tuned', 16, 'distillation'):.4f},"
            ),
        ),
        (
            "docs/results.md",
            f"(significantly at 16) with {stored_range('cranfield', '16 mixing stages, tuned')} numbers.",
        ),
        ("docs/results.md", f"from PCA, which stores {stored_range('lee', 'PCA', '-')} numbers"),
        ("docs/results.md", f"a treelet for k = 32 is then {(384 - 32) * 3 // 8} bytes"),
        ("docs/results.md", f"At 64 the means are {at_64[0]:.3f} and {at_64[1]:.3f} higher"),
        ("docs/results.md", f"Missed by {min(below):.3f} to {max(below):.3f}, none of it significant"),
        ("docs/results.md", f"loses up to {-min(map(min, unmixed)):.3f} when it is moved to another collection"),
        ("docs/results.md", f"with mixing alone up to {-min(mixed[0]):.3f} on Lee"),
        ("docs/results.md", f"cost up to {cost('outputs in 4 bits'):.3f}."),
        (
            "docs/results.md",
            (
                f"**A hundred shots a probe cost up to {cost('default.qubit?shots=100'):.3f}**, "
                "on Lee and Cranfield up to "
                f"{cost('default.qubit?shots=100', few):.3f}; a thousand up to {cost('default.qubit?shots=1000'):.3f}. "
                f"Amplitude damping of 5 % costs up to {cost('default.mixed?noise=amplitude_damping:0.05'):.3f}."
            ),
        ),
        (
            "docs/results.md",
            (
                f"a hundred shots cost up to {cost('default.qubit?shots=100, not from zero'):.3f}, damping up to "
                f"{cost('default.mixed?noise=amplitude_damping:0.05, not from zero'):.3f}."
            ),
        ),
        ("docs/results.md", "Depolarising noise of 1 % and dephasing of 10 % cost nothing that shows"),
        ("docs/search.md", f"| 2 | {torch.finfo(torch.float16).eps:.3f} |"),  # half a unit of numbers from 2 to 4
        ("docs/search.md", f"half of 1/255 of the document's range, {math.pi / 255 / 2:.4f} at most"),
        ("docs/devices.md", f"(42 instead of {qubits['depth']} for `u_cu` on `fake_sherbrooke`,"),
    ]


@pytest.mark.parametrize(("page", "sentence"), claims(), ids=lambda text: text[:40])
def test_each_sentence_has_the_figures_of_the_results(page, sentence):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert sentence in text


def test_blocks_are_those_of_the_results():
    """`python -m benchmarks.pages` would change nothing."""
    texts = [page.read_text(encoding="utf-8") for page in pages.PAGES]
    assert [pages.render(text) for text in texts] == texts
    assert (pages.RESULTS / "demo.md").read_text(encoding="utf-8") == pages.demo_page()
    assert set(re.findall("<!-- results: (.*) -->", "".join(texts))) == set(pages.BLOCKS)


def test_what_the_table_says_is_checked(monkeypatch):
    """A sentence that the results no longer support is refused, not printed."""
    monkeypatch.setattr(pages, "losses", lambda k: {name: (0.1, False) for name, *_ in pages.TREC[1:]})
    with pytest.raises(ValueError, match="reword"):
        pages.reading()


def test_no_quantum_head_reaches_pca_on_lee():
    """As docs/limits.md says, of the means."""
    rows = {(row["head"], row["objective"]): row for row in read_table("lee")}
    pca = rows.pop(("PCA", "-"))
    ours = [row for (head, _), row in rows.items() if re.search("tree|chain|angles|mixing", head)]
    assert len(ours) >= 10
    for row in ours:
        for k in (128, 64, 32, 16):
            assert read_cell(row[f"k = {k}"]).value < read_cell(pca[f"k = {k}"]).value


TRAINED = ("labels", "distillation", "both")


def test_what_is_said_of_the_main_tables():
    """Where docs/results.md says significant and where not, below its first two tables; a: from the full embedding."""
    for k in (256, 128):
        assert not any("a-" in marks("main-1", "rotor tree", objective, k) for objective in TRAINED)
        assert not any("a-" in marks("main-1", "u_cu tree", objective, k) for objective in ("distillation", "both"))
        assert "a-" not in marks("main-1", "truncation", "-", k)
    assert "a-" in marks("main-1", "u_cu tree", "labels", 128)
    assert "b+" in marks("main-2", "rotor tree", "labels", 128)
    heads = [row for row in read_table("main-1") if row["head"] != "full"]
    assert all("a-" in read_cell(row["k = 32"]).marks for row in heads)
    published = "u_cu chain (published)"
    for table in ("main-1", "main-2"):
        assert all("a-" in marks(table, published, objective, k) for objective in TRAINED for k in (64, 32))
        assert all("a-" in marks(table, published, objective, 128) for objective in ("labels", "distillation"))
    assert any("a-" in marks("main-2", published, objective, 256) for objective in TRAINED)


TUNED = ("treelet, tuned", "labels"), ("treelet, tuned", "distillation")
FITTED = ("treelet", "-"), ("6,144 angles", "-"), *TUNED


def test_what_is_said_at_the_publications_widths():
    """As above; b: from the linear head, c: from PCA."""
    goals = {(row["goal"], row["collection"]): row for row in read_table("mpnet-goals")}
    for protocol in ("both years, re-ranked", "both years, judged"):
        for wanted in ("not below linear", "not significantly below full"):
            assert goals[f"rotor tree, k = 256: {wanted}", protocol]["met"] == "yes"
        above = goals["6,144 angles, k = 128: above PCA", protocol]
        assert above["met"] == "yes"
        assert "c+" not in marks(f"mpnet-main-{1 + protocol.endswith('judged')}", "6,144 angles", "-", 128)
    assert goals["treelet, k = 128: above PCA", "both years, re-ranked"]["met"] == "no"
    assert goals["treelet, k = 128: above PCA", "both years, judged"]["met"] == "yes"
    for table in ("mpnet-main-1", "mpnet-main-2"):
        rows = [row for row in read_table(table) if row["head"] != "full"]
        assert all("a-" in read_cell(row["k = 32"]).marks for row in rows)
        for head, objective in (
            *(("truncation", "-"), ("random projection", "-"), ("grouped linear", "distillation")),
            *(("grouped linear", "labels"), ("u_cu chain (published)", "distillation"), ("rotor tree", "labels")),
            *(("rotor tree", "distillation"), ("rotor tree", "both"), *FITTED),
        ):
            assert not any("a-" in marks(table, head, objective, k) for k in (384, 256, 128))
        for head, _ in FITTED[:2]:
            at = value(table, head, 256)
            assert value(table, "linear", 256, "distillation") < at
    assert value("mpnet-main-1", "linear", 256, "labels") > max(value("mpnet-main-1", h, 256, o) for h, o in FITTED)
    assert all("b-" in marks("mpnet-main-1", "u_cu tree", "labels", k) for k in (128, 64, 32))
    published = "u_cu chain (trained as published)", "published"
    assert "a-" in marks("mpnet-main-1", *published, 128)


def test_what_is_said_of_cranfield_at_768():
    """Moved there, and in its own domain."""
    moved = [row for row in read_table("mpnet-main-3") if row["head"] != "full"]
    level = {(row["head"], row["objective"]) for row in moved if "a-" not in read_cell(row["k = 256"]).marks}
    assert level == {("PCA", "-"), ("linear from truncation", "labels"), *FITTED}
    assert max(moved, key=lambda row: read_cell(row["k = 32"]).value)["head"] == "treelet"
    assert "c+" in marks("mpnet-main-3", "treelet", "-", 32)
    trained = "u_cu chain (published)", "u_cu tree", "rotor tree", "treelet, tuned"
    assert "c+" in marks("mpnet-cranfield", "linear", "distillation", 32)
    for head in trained:
        assert all("b-" in marks("mpnet-cranfield", head, "distillation", k) for k in (64, 32))
        assert "b+" in marks("mpnet-cranfield", head, "distillation", 384)
        assert value("mpnet-cranfield", head, 384, "distillation") > value("mpnet-cranfield", "truncation", 384)


def test_what_is_said_of_training_from_scratch():
    """One significant difference, of no head of 32 numbers from the linear one; none in the ablation."""
    rows = [row for row in read_table("scratch-main-tests") if "*" in row["difference"]]
    assert {(row["head"], row["baseline"], row["queries"]) for row in rows} == {
        ("none", "linear", "0.01"),
        ("linear", "none", "0.01"),
    }
    assert not any("*" in row["difference"] for row in read_table("scratch-ablation-tests"))


def test_what_is_said_of_few_shots_at_768():
    """In domain no difference, moved to Cranfield some."""
    assert not any("*" in row["difference"] for row in read_table("mpnet-few-shot-tests-2"))
    moved = read_table("mpnet-few-shot-tests-3")
    for head, first in (("u_cu chain (published)", 2), ("u_cu tree", 5)):
        rows = [row for row in moved if row["head"] == head and int(row["queries"]) >= first]
        assert all(re.match(r"-.*\*", row["difference"]) for row in rows)
        assert {row["baseline"] for row in rows} == {"linear", "linear from truncation", "grouped linear", "truncation"}
    others = [
        r for r in moved if r["head"] == "u_cu tree" and r["queries"] == "2" and r["baseline"] != "grouped linear"
    ]
    assert all(re.match(r"-.*\*", row["difference"]) for row in others)
    fitted = [row for row in moved if row["head"] == "treelet, tuned" and row["baseline"] == "linear"]
    assert len(fitted) == 6
    assert all(re.match(r"\+.*\*", row["difference"]) for row in fitted)


def test_what_is_said_of_few_shots_and_readouts():
    """As above, of learning curves and of the coherent readout."""
    rows = [row for row in read_table("few-shot-tests-2") if row["head"] == "rotor tree"]
    above = {
        int(row["queries"]) for row in rows if row["baseline"] == "linear" and re.match(r"\+.*\*", row["difference"])
    }
    assert above == {10, 20, 50}
    assert not any("*" in row["difference"] for row in rows if row["baseline"] == "linear from truncation")
    coherent = "u_cu tree, coherent", "distillation"
    assert "a+" in marks("ablation-1", *coherent, 32)
    assert all("a+" in marks("ablation-2", *coherent, k) for k in (128, 32))


def test_what_is_said_of_goals():
    """Sizes at which p is below 0.05 after Holm."""

    def significant(name, collection):
        (row,) = (r for r in read_table("goals") if r["goal"] == name and r["collection"] == collection)
        found = re.findall(r"k = (\d+): \+\S+ \(p = (\d\.\d+)\)", row["NDCG@10 difference, p after Holm"])
        return [int(k) for k, p in found if float(p) < 0.05]

    assert significant("treelet significantly above PCA, k <= 64", "both years, re-ranked") == [32]
    assert significant("treelet, tuned distillation significantly above PCA, k <= 64", "both years, re-ranked") == [
        32,
        16,
    ]
    name = "treelet, tuned above linear, both trained on labels"
    assert significant(name, "both years, judged") == [128]
    assert significant(name, "Cranfield, fitted on MS MARCO") == [128, 64]


def test_what_is_said_of_the_classifier():
    """The linear layer is above every circuit, and noise costs."""
    linear, *circuits = read_table("classifier")
    (means,) = ([float(row[column]) for row in circuits] for column in linear if column.startswith("accuracy"))
    (best,) = (float(value) for column, value in linear.items() if column.startswith("accuracy"))
    exact = [mean for row, mean in zip(circuits, means, strict=True) if "noise" not in row["layer"]]
    noisy = [mean for row, mean in zip(circuits, means, strict=True) if "noise" in row["layer"]]
    assert len(circuits) == 3
    assert best > max(means)
    assert max(noisy) < min(exact)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_figure_is_typed_by_hand(page):
    """Outside code, tables that are included and the sentences above, no decimal stands in a page."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```|<!-- results: .*?<!-- end -->|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`|\$[^$\n]*\$|\]\([^)]*\)", lambda code: code[0] if code[0] == "`u_cu tree`" else "", text)
    text = " ".join(text.split())
    for name, sentence in claims():
        if page == ROOT / name:
            text = text.replace(re.sub(r"`(?!u_cu tree)[^`]*`", "", sentence), "")
    text = NO_RESULTS.sub("", text)
    assert re.findall(r".{0,40}(?<![\w.])\d*\.\d+(?![\w.]).{0,20}|.{0,40}\d ?%", text) == []
