"""Heads by name: what is registered, a head of somebody's own, and loading one of whatever class."""

from __future__ import annotations

import json

import pytest
import torch

import hybrid_qproj
from hybrid_qproj import Head, QuantumProjection, load_head
from hybrid_qproj.heads import registry
from hybrid_qproj.heads.base import HeadError
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.fit import Fit


def test_finds_the_class(tmp_path):
    """The saved class name decides."""
    QuantumProjection(6, 2, circuit="rotor").save(tmp_path)
    assert isinstance(load_head(tmp_path), QuantumProjection)


def test_unknown_class(tmp_path):
    """A class that is no head is refused by name."""
    (tmp_path / "config.json").write_text(json.dumps({"class": "Popen"}))
    with pytest.raises(CheckpointError, match="holds a 'Popen'; expected one of QuantumProjection"):
        load_head(tmp_path)
    with pytest.raises(HeadError, match=r"no head 'Truncatoin'; expected one of .* \(did you mean 'Truncation'\?\)"):
        registry.get("Truncatoin")


@pytest.mark.parametrize("name", registry.names())
def test_facts_are_true(name):
    """What a class states is what its heads do: sizes, start, budget and fit."""
    cls = registry.get(name)
    sizes = (8, 3 if cls.compresses else 8)
    if not cls.compresses:
        with pytest.raises(ValueError, match="keeps the size"):
            cls(8, 3)
    x = torch.randn(40, 8)

    def made(seed):
        keywords = {"generator": torch.Generator().manual_seed(seed)} if cls.random_start else {}
        before = torch.get_rng_state()
        head = cls.with_budget(*sizes, 30, **keywords) if cls.budgeted else cls(*sizes, **keywords)
        # What is drawn is drawn from the generator that is given.
        assert torch.equal(torch.get_rng_state(), before)
        return head

    first, again, other = made(0), made(0), made(1)
    assert torch.equal(first(x), again(x))
    assert torch.equal(first(x), other(x)) == (not cls.random_start)
    assert first.kind == name
    assert hasattr(first, "to_device") == cls.has_circuits
    if cls.fitting is None:
        with pytest.raises(HeadError, match=f"a {name} is not fitted"):
            cls.fit(x, 3)
    else:
        settings = {"settings": cls.fitting.settings()} if cls.fitting.settings else {}
        fitted = cls.fit(x, 3, **settings)
        assert type(fitted) is cls
        assert not fitted.training
        assert torch.equal(fitted(x), cls.fit(x, 3)(x))
        for keyword in cls.fitting.decides:
            with pytest.raises(TypeError, match=keyword):
                cls.fit(x, 3, **{keyword: None})
        for keyword in cls.fitting.own:
            with pytest.raises(TypeError, match=keyword):
                cls(*sizes, **{keyword: None})
    if cls.budgeted is None:
        with pytest.raises(HeadError, match=f"a {name} has no budget"):
            cls.with_budget(*sizes, 30)


def test_a_head_of_ones_own(register, loudest, tmp_path):
    """Fitted, saved by its name, and loaded once it is registered, which no file does."""
    cls = loudest
    embeddings = torch.randn(30, 6) * torch.arange(6)
    head = cls.fit(embeddings, 2, gain=3.0)
    head.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["class"] == "my loudest"
    with pytest.raises(
        CheckpointError, match=r"holds a 'my loudest'; .* register it before: hybrid_qproj.register_head"
    ):
        load_head(tmp_path)
    assert register(cls) is cls
    assert register(cls) is cls  # as often as one likes
    assert registry.names()[-1] == "my loudest"
    loaded = load_head(tmp_path)
    assert type(loaded) is cls
    assert torch.equal(loaded(embeddings), 3 * embeddings[:, 4:])


def test_on_an_encoder(register, loudest, tiny_bert, tmp_path):
    """Saved and loaded with it."""
    sbert = pytest.importorskip("hybrid_qproj.sbert", reason="needs the extra 'text'")
    cls = register(loudest)
    encoder = sbert.with_head(str(tiny_bert), cls(24, 5), device="cpu")
    encoder.save_pretrained(str(tmp_path / "model"))
    loaded = hybrid_qproj.load(tmp_path / "model", device="cpu")
    assert type(loaded.head) is cls
    texts = ["a cat", "a state"]
    assert torch.equal(loaded.encode(texts, convert_to_tensor=True), encoder.encode(texts, convert_to_tensor=True))


def test_what_is_no_head_is_not_registered(register):
    """Other classes, half heads, taken names, and facts that contradict each other."""

    class Half(Head):
        pass

    class Truncation(registry.get("Truncation")):
        pass

    class Other(Truncation):
        similarity = "taste"

    class Fitted(Truncation):
        fitting = Fit()

    class Budgeted(Truncation):
        budgeted = "rank"

    class Circuits(Truncation):
        has_circuits = True

    for wrong, message in [
        (Circuits, "Circuits: has_circuits = True; it is True of subclasses of CircuitHead alone"),
        (dict, "got dict; expected a subclass of"),
        (Truncation(4, 2), "got Truncation; expected a subclass of"),
        (Half, "got Half; expected a subclass of .* with a forward of its own"),
        (Truncation, "the name 'Truncation' is taken; give the class another"),
        (Other, "Other: similarity = 'taste'; expected one of"),
        (Fitted, "Fitted states fitting, but has no fit of its own"),
        (Budgeted, "Budgeted states budgeted, but has no with_budget of its own"),
    ]:
        with pytest.raises(HeadError, match=message):
            register(wrong)
    assert registry.get("Truncation") is not Truncation
