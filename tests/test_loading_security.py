"""What a stranger's files may make this package do: read numbers. No import, no call, no address, no path outside."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import contextmanager

import pytest
import torch

import hybrid_qproj
from hybrid_qproj import QuantumProjection
from hybrid_qproj.circuits import Ansatz, AnsatzError, Normal, find, get, registry
from hybrid_qproj.heads.checkpoint import CheckpointError, _config_digest
from hybrid_qproj.heads.registry import load_head
from hybrid_qproj.loading import load_quantum_head

PAYLOAD = """
from pathlib import Path
import pennylane as qml
from hybrid_qproj.circuits import Ansatz, Normal

(Path(__file__).parent / "ran").touch()

def circuit(angles, wires):
    qml.CRY(angles[0], wires=wires)

evil = Ansatz("evil", circuit, ("a",), {"identity": Normal(1)}, "a test")
"""


@contextmanager
def offline():
    """No socket is opened."""

    def refuse(*args, **kwargs):
        pytest.fail("a file's content led to the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


def load(folder):
    """As anybody would, without a network."""
    with offline():
        return hybrid_qproj.load(folder, device="cpu")


@pytest.fixture
def payload(tmp_path, monkeypatch):
    """A module beside the model that leaves a mark when it is imported."""
    folder = tmp_path / "mymodel"
    folder.mkdir()
    (folder / "payload.py").write_text(PAYLOAD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mymodel.payload", raising=False)
    monkeypatch.delitem(sys.modules, "mymodel", raising=False)
    monkeypatch.delitem(sys.modules, "this", raising=False)
    return folder


def edit(folder, **changes):
    """Change a head's config as somebody would who knows the format, digests included."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    binding = config.pop("integrity")
    config.update(changes)
    binding["config"] = _config_digest(config, binding["weights"])
    path.write_text(json.dumps({**config, "integrity": binding}))


LOADERS = {"load_head": load_head, "class": QuantumProjection.load, "load_quantum_head": load_quantum_head}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("circuit", ["mymodel.payload:evil", "this:x", "os:system", "evil", ":", "", "u_cu:x"])
def test_a_saved_circuit_is_not_imported(payload, name, circuit):
    """Refused before anything is imported; the message says how to allow it."""
    QuantumProjection(6, 2, "rotor").save(payload)
    LOADERS[name](payload)  # what it imports itself is there
    edit(payload, circuit=circuit)
    before = set(sys.modules)
    with offline(), pytest.raises(CheckpointError, match=r"ansaetze=\(.*--ansatz|circuit: String should have at least"):
        LOADERS[name](payload)
    assert not {"mymodel", "mymodel.payload", "this"} & set(sys.modules)
    assert set(sys.modules) == before
    assert not (payload / "ran").exists()


@pytest.mark.parametrize("name", LOADERS)
def test_the_caller_may_allow_it(payload, name):
    """By its reference, and only that one; a head loaded so can be saved and loaded again."""
    QuantumProjection(6, 2, "mymodel.payload:evil").save(payload)
    with pytest.raises(CheckpointError, match="not registered"):
        LOADERS[name](payload, ansaetze=("hybrid_qproj.circuits.rotor:ansatz",))
    head = LOADERS[name](payload, ansaetze=("mymodel.payload:evil",))
    assert (payload / "ran").exists()
    head.save(payload / "again")
    again = LOADERS[name](payload / "again", ansaetze=[get("mymodel.payload:evil"), "mymodel.payload:evil"])
    x = torch.randn(3, 6)
    assert torch.equal(again(x), head(x))


def test_registered_beforehand(payload, monkeypatch):
    """An ansatz that this process registered is found by its name; no option is needed."""
    monkeypatch.setattr(registry, "_ANSAETZE", dict(registry._ANSAETZE))
    mine = Ansatz("mine", get("rotor").circuit, ("a",), {"identity": Normal(1)}, "a test")
    hybrid_qproj.circuits.register(mine)
    QuantumProjection(6, 2, mine).save(payload)
    assert load_head(payload).ansatz is mine
    monkeypatch.setattr(registry, "_ANSAETZE", {k: v for k, v in registry._ANSAETZE.items() if k != "mine"})
    with pytest.raises(CheckpointError, match="'mine' is not registered"):
        load_head(payload)
    assert load_head(payload, ansaetze=(mine,)).ansatz is mine


def test_an_allowed_ansatz_takes_no_other_name():
    """One that is called like a built-in one would be run in its place."""
    with pytest.raises(AnsatzError, match="has the name of another, 'rotor'"):
        find("rotor", [Ansatz("rotor", get("u_cu").circuit, ("a",) * 12, {"identity": Normal(12)}, "a test")])


def test_the_constructor_still_imports(payload):
    """What the caller writes in code is the caller's."""
    assert QuantumProjection(6, 2, "mymodel.payload:evil").ansatz.name == "evil"


class TestModels:
    """Folders of encoders: everything that transformers or sentence-transformers would follow."""

    @pytest.fixture
    def saved(self, tiny_bert, tmp_path):
        sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
        folder = tmp_path / "model"
        sbert.with_head(str(tiny_bert), QuantumProjection(24, 8), device="cpu").save_pretrained(str(folder))
        # As a stranger would who wants no digest to be compared.
        (folder / "hybrid_qproj.json").unlink()
        return folder

    @staticmethod
    def edit(path, **changes):
        table = json.loads(path.read_text()) if path.exists() else {}
        table.update(changes)
        path.write_text(json.dumps(table))

    def test_without_record_it_loads(self, saved):
        """The others of this class fail for their own reason."""
        load(saved)

    def test_saved_circuit(self, saved, payload):
        """Through load and its option."""
        edit(saved / "2_ProjectionHead", circuit="mymodel.payload:evil")
        with pytest.raises(CheckpointError, match=r"ansaetze=\('mymodel\.payload:evil',\)"):
            load(saved)
        assert not (payload / "ran").exists()

    @pytest.mark.parametrize(
        ("file", "changes"),
        [
            ("config.json", {"quantization_config": {"quant_method": "fp8"}}),
            ("config.json", {"attn_implementation": "somebody/kernels"}),
            ("config.json", {"_attn_implementation": {"text_config": "somebody/kernels"}}),
            ("config.json", {"sub": {"_attn_implementation": "flash_attention_2"}}),
            ("config.json", {"model_type": "evil", "auto_map": {"AutoModel": "payload.evil"}}),
            ("config.json", {"model_type": ["bert"]}),
            ("config.json", {"backbone": "somebody/model", "use_pretrained_backbone": True}),
            ("config.json", {"max_position_embeddings": 10**12}),
            ("config.json", {"hidden_size": 2**27}),
            ("config.json", {"num_hidden_layers": 10**6}),
            ("config.json", {"vocab_size": 2**27}),
            ("config.json", {"vocab_size": -3}),
            ("adapter_config.json", {"base_model_name_or_path": "somebody/model", "peft_type": "LORA"}),
            ("sentence_bert_config.json", {"tokenizer_name_or_path": "somebody/model"}),
            ("sentence_bert_config.json", {"model_args": {"quantization_config": {}}}),
            ("sentence_bert_config.json", {"config_kwargs": {"trust_remote_code": True}}),
            ("sentence_bert_config.json", {"modality_config": {"text": {"method": "push_to_hub"}}}),
            ("sentence_bert_config.json", {"modality_config": {"text": {"method": "save_pretrained"}}}),
            ("sentence_bert_config.json", {"transformer_task": "retrieval"}),
            ("tokenizer_config.json", {"tokenizer_class": "pipeline"}),
            ("tokenizer_config.json", {"fast_tokenizer_files": ["../../tokenizer.1.json"]}),
            ("model.safetensors.index.json", {"weight_map": {"a": "../../model.safetensors"}}),
        ],
    )
    def test_what_would_fetch_import_or_call(self, saved, file, changes):
        """Refused by the file's name."""
        self.edit(saved / file, **changes)
        before = set(sys.modules)
        with pytest.raises(CheckpointError) as caught:
            load(saved)
        assert file in str(caught.value)
        assert not {name for name in set(sys.modules) - before if not name.startswith(("transformers.", "torch."))}

    def test_a_pickle_is_not_read(self, saved):
        """Weights are read from safetensors alone."""
        torch.save({}, saved / "pytorch_model.bin")
        (saved / "model.safetensors").unlink()
        with pytest.raises(
            CheckpointError, match=r"holds no model\.safetensors; weights of another kind can hold code"
        ):
            load(saved)

    def test_links_lead_nowhere(self, saved, tmp_path):
        """A link out of the folder is refused; one within it, or into a hub's cache, is followed."""
        (tmp_path / "elsewhere").mkdir()
        outside = (saved / "config.json").replace(tmp_path / "elsewhere" / "config.json")
        (saved / "config.json").symlink_to(outside)
        with pytest.raises(CheckpointError, match="link out of the model's folder"):
            load(saved)
        snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
        snapshot.parent.mkdir(parents=True)
        blobs = tmp_path / "models--a--b" / "blobs"
        blobs.mkdir()
        saved.rename(snapshot)
        outside = outside.replace(blobs / "abc")
        (snapshot / "config.json").unlink()
        (snapshot / "config.json").symlink_to(outside)
        load(snapshot)

    @pytest.mark.parametrize(
        "path", ["..", "/etc", "../model/1_Pooling/../..", "1_Pooling\0", "a\\b", "x" * 2000, 3, None]
    )
    def test_paths_of_modules(self, saved, path):
        """A module lies in the folder."""
        entries = json.loads((saved / "modules.json").read_text())
        entries[1]["path"] = path
        (saved / "modules.json").write_text(json.dumps(entries))
        with pytest.raises(CheckpointError, match=r"modules\.json"):
            load(saved)

    @pytest.mark.parametrize(
        "config",
        [
            {"in_features": 24, "out_features": 24, "activation_function": "os.system"},
            {"in_features": 24, "out_features": 24, "activation_function": "torch.hub.load"},
            {"in_features": 24, "out_features": 24, "activation_function": "torch.nn.modules.activation.F"},
            {"in_features": 2**17, "out_features": 2**17},
            {"in_features": "24", "out_features": 24},
        ],
    )
    def test_dense(self, tiny_bert, tmp_path, config):
        """A layer between encoder and head: its function is one of torch's, its size that of its weights."""
        sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra
        from sentence_transformers.sentence_transformer.modules import Dense  # noqa: PLC0415

        encoder = SentenceTransformer(str(tiny_bert), device="cpu")
        encoder.append(Dense(24, 24))
        sbert.with_head(encoder, QuantumProjection(24, 8)).save_pretrained(str(tmp_path / "model"))
        load(tmp_path / "model")
        (tmp_path / "model" / "hybrid_qproj.json").unlink()
        self.edit(tmp_path / "model" / "2_Dense" / "config.json", **config)
        with pytest.raises(CheckpointError, match=r"2_Dense/config\.json"):
            load(tmp_path / "model")

    def test_router(self, tiny_bert, tmp_path, payload):
        """Its modules are held to the same list, and loaded by it."""
        sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra
        from sentence_transformers.sentence_transformer.modules import Router  # noqa: PLC0415

        routes = [list(SentenceTransformer(str(tiny_bert), device="cpu")) for _ in range(2)]
        encoder = SentenceTransformer(modules=[Router.for_query_document(*routes)], device="cpu")
        sbert.with_head(encoder, QuantumProjection(24, 8)).save_pretrained(str(tmp_path / "model"))
        again = load(tmp_path / "model")
        assert type(again[0]) is Router
        (tmp_path / "model" / "hybrid_qproj.json").unlink()
        path = tmp_path / "model" / "router_config.json"
        path = path if path.exists() else next((tmp_path / "model").rglob("router_config.json"))
        table = json.loads(path.read_text())
        table["types"][next(iter(table["types"]))] = "mymodel.payload.evil"
        path.write_text(json.dumps(table))
        with pytest.raises(CheckpointError, match=r"router_config\.json wants a module 'mymodel"):
            load(tmp_path / "model")
        assert not (payload / "ran").exists()
