"""Pictures of the method show what their inputs hold; nothing outside their figure changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from matplotlib.figure import Figure  # noqa: E402

from hybrid_qproj import QuantumProjection  # noqa: E402
from hybrid_qproj.heads.coherent import CoherentProjection  # noqa: E402
from hybrid_qproj.plan import Plan, Stage, chain, tree  # noqa: E402
from hybrid_qproj.viz.method import (  # noqa: E402
    bloch_spheres,
    fidelity_against_cosine,
    merge_graph,
    response_map,
    response_surface,
    training_curves,
)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def head(kind=QuantumProjection, circuit="u_cu"):
    generator = torch.Generator().manual_seed(0)
    return kind(12, 3, circuit, plan="tree", init="random", scale=1.0, generator=generator)


@pytest.fixture
def embedding():
    return torch.linspace(-1, 1, 12)


def tips(axes):
    """Where arrows end: the lines of a single point."""
    return [np.array(line.get_data_3d())[:, 0] for line in axes.lines if len(line.get_data_3d()[0]) == 1]


@pytest.mark.parametrize("kind", [QuantumProjection, CoherentProjection])
@pytest.mark.parametrize("stage", [0, 1])
def test_bloch_spheres(kind, stage, embedding):
    """Two qubits a block before, one after, where the head has them."""
    quantum = head(kind)
    figure = bloch_spheres(quantum, embedding, stage)
    before, after = figure.axes
    states = quantum.bloch_vectors(embedding)
    chosen = quantum.plan.stages[stage]
    expected = [states[stage][q] for c, b in zip(chosen.control, chosen.kept, strict=True) for q in (c, b)]
    assert np.allclose(tips(before), torch.stack(expected)[:6], atol=1e-6)
    assert np.allclose(tips(after), states[stage + 1][list(chosen.kept[:3])], atol=1e-6)
    name = r"\theta'" if stage else r"\theta"
    assert f"${name}_{{{chosen.control[0] + 1}}}$" in texts(before)


def test_bloch_vectors_end_in_the_output(embedding):
    """The last vectors of the output qubits are the head's angles, and all have length one."""
    quantum = head()
    last = quantum.bloch_vectors(embedding)[-1][list(quantum.plan.output)]
    angles = torch.atan2(last[:, 0].abs(), last[:, 2])
    assert torch.allclose(angles, quantum(embedding), atol=1e-6)
    assert torch.allclose(last.norm(dim=1), torch.ones(3), atol=1e-5)
    coherent = head(CoherentProjection)
    assert torch.allclose(
        coherent.bloch_vectors(embedding)[-1][list(coherent.plan.output)].T.flatten(), coherent(embedding), atol=1e-6
    )


def test_response_map():
    """The colours are the readout at each pair of angles, and the nine probes are marked."""
    quantum = head()
    response = quantum.responses()[0][1]
    panel, _ = response_map(response).axes
    values = panel.collections[0].get_array().reshape(121, 121)
    angles = np.linspace(-np.pi, np.pi, 121)
    layer = quantum.layers[0]
    rows, columns = [10, 60, 77], [3, 60, 100]
    inputs = torch.tensor([[angles[c], angles[r]] for r, c in zip(rows, columns, strict=True)], dtype=torch.float64)
    direct = layer.executor(inputs, layer.weights[1].detach().double().expand(3, -1))
    assert np.allclose(values[rows, columns], direct, atol=1e-6)
    (probes,) = (line for line in panel.lines if line.get_label() == "nine probes")
    assert len(probes.get_xdata()) == 9
    assert np.abs(probes.get_xydata()).max() <= np.pi


def test_response_surface():
    """A surface over the same square."""
    (panel,) = response_surface(head().responses()[0][0]).axes
    assert len(panel.collections) == 1
    assert panel.get_zlim() == (-1, 1)


@pytest.mark.parametrize("plan", [chain(12, 3), tree(12, 3), tree(10, 4)])
def test_merge_graph(plan):
    """A dot a block, an edge from each of its qubits, every feature and output by name."""
    (panel,) = merge_graph(plan).axes
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    dashed = [line for line in panel.lines if line.get_linestyle() == "--"]
    assert len(dots) == len(dashed) == plan.blocks
    assert {f"$x_{{{i + 1}}}$" for i in range(plan.features)} <= set(texts(panel))
    assert rf"$\theta'_{{{len(plan.output)}}}$" in texts(panel)


def test_merge_graph_of_some_outputs():
    """Only what reaches them, in a large plan."""
    (panel,) = merge_graph(chain(768, 256), [0, 255]).axes
    assert [t for t in texts(panel) if t.startswith("$x")] == [f"$x_{{{i}}}$" for i in (1, 257, 513, 256, 512, 768)]


def test_fidelity_against_cosine():
    """A point a pair, scipy's rank correlation in the title; hexagons for many."""
    quantum = head()
    embeddings = torch.randn(20, 12, generator=torch.Generator().manual_seed(1))
    (panel,) = fidelity_against_cosine(quantum, embeddings).axes
    points = panel.lines[0].get_xydata()
    assert len(points) == 190
    expected = spearmanr(points[:, 0], points[:, 1]).statistic
    assert panel.get_title() == f"190 pairs, rank correlation {expected:.3f}"
    outputs = quantum(embeddings)
    assert points[0, 1] == pytest.approx(quantum.pairwise_similarity(outputs, outputs)[0, 1].item())
    (many,) = fidelity_against_cosine(quantum, torch.randn(110, 12)).axes
    assert many.collections
    assert not many.lines


def write_log(folder, entries):
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": len(entries), "log_history": entries}))


def test_training_curves(tmp_path):
    """The latest checkpoint's log: losses, and a measure on a second axis."""
    entries = [{"step": s, "loss": 1 / s} for s in (10, 20)]
    write_log(tmp_path / "checkpoint-10", entries[:1])
    write_log(tmp_path / "checkpoint-20", [*entries, {"step": 20, "eval_NDCG@10": 0.5, "eval_runtime": 1.0}])
    first, second = training_curves(tmp_path).axes
    assert first.lines[0].get_xydata().tolist() == [[10, 0.1], [20, 0.05]]
    assert second.get_ylabel() == "NDCG@10"
    assert second.lines[0].get_xydata().tolist() == [[20, 0.5]]
    with pytest.raises(ValueError, match=r"measure 'eval_MAP': .* logs eval_NDCG@10"):
        training_curves(tmp_path, "eval_MAP")


def test_given_axes(embedding):
    """Are drawn into, and their figure comes back."""
    figure = Figure()
    plain = figure.add_subplot(2, 2, 1)
    assert merge_graph(tree(12, 3), axes=plain) is figure
    assert plain.lines
    spheres = [figure.add_subplot(2, 2, n, projection="3d") for n in (3, 4)]
    assert bloch_spheres(head(), embedding, axes=spheres) is figure
    with pytest.raises(ValueError, match="got 1 axes; this picture has 2 panels"):
        bloch_spheres(head(), embedding, axes=spheres[:1])
    with pytest.raises(ValueError, match="needs axes of projection '3d'"):
        response_surface(torch.zeros(3, 3), axes=plain)


def test_settings_stay(embedding):
    """Matplotlib's, and the list of pyplot's figures."""
    before = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if not name.startswith("backend")}
    bloch_spheres(head(), embedding)
    response_map(torch.zeros(3, 3))
    assert before == {name: matplotlib.rcParams[name] for name in before}


def test_refusals(tmp_path, embedding):
    """What was given, and what is expected."""
    with pytest.raises(ValueError, match=r"shape \(2, 12\); expected \(12,\)"):
        bloch_spheres(head(), embedding.expand(2, -1))
    with pytest.raises(ValueError, match="stage=2: the plan has stages 0 to 1"):
        bloch_spheres(head(), embedding, stage=2)
    with pytest.raises(ValueError, match="block 6: stage 0 has blocks 0 to 5"):
        bloch_spheres(head(), embedding, blocks=[0, 6])
    with pytest.raises(ValueError, match=r"shape \(2, 3, 3\); expected one response tensor"):
        response_map(torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match="output 3: the plan has outputs 0 to 2"):
        merge_graph(tree(12, 3), [3])
    with pytest.raises(ValueError, match=r"shape \(2, 12\); expected \(n, 12\), n >= 3"):
        fidelity_against_cosine(head(), torch.zeros(2, 12))
    with pytest.raises(ValueError, match=r"holds no trainer_state\.json"):
        training_curves(tmp_path)
    write_log(tmp_path / "short", [])
    with pytest.raises(ValueError, match="logs no loss"):
        training_curves(tmp_path / "short")
    (tmp_path / "short" / "trainer_state.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        training_curves(tmp_path / "short")


def test_merge_graph_of_mixing():
    """Two blocks of the same two qubits have a dot each, and each dot both edges of its own."""
    plan = Plan(2, (Stage((0, 1), (1, 0)),), (0, 1))
    (panel,) = merge_graph(plan).axes
    dots = [line.get_xydata()[0] for line in panel.lines if line.get_marker() == "o"]
    assert len(dots) == 2
    assert abs(dots[0][1] - dots[1][1]) > 0.1
    solid = [line.get_xydata() for line in panel.lines if line.get_linestyle() == "-" and len(line.get_xydata()) == 2]
    dashed = [line.get_xydata() for line in panel.lines if line.get_linestyle() == "--"]
    # The first block's dot, kept qubit 1 and control 0; feature 1 is drawn in its row.
    names = {text.get_text(): text.get_position()[1] for text in panel.texts}
    kept = [start for start, end in solid if np.allclose(end, dots[0])]
    control = [start for start, end in dashed if np.allclose(end, dots[0])]
    assert [point[1] for point in kept] == [names["$x_{2}$"]]
    assert [point[1] for point in control] == [names["$x_{1}$"]]
