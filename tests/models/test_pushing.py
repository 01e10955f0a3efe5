"""A model is pushed to a hub: all requests, against a server of this machine that stands in for one."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

import hybrid_qproj
from helpers.short_texts import TEXTS
from hybrid_qproj.models.record import RECORD

MADE_UP = "hf_made_up"


class Hub(BaseHTTPRequestHandler):
    """What the client asks for when it makes a repository and commits files to it."""

    def log_message(self, *_):
        """Not to the terminal."""

    def reply(self, content=None, status=200):
        body = json.dumps(content or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()

    def do_GET(self):
        self.reply({}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        if self.path.endswith("/repos/create"):
            self.reply({"url": f"{self.server.address}/us/ours", "name": "us/ours", "id": "1"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            # All as regular files: a large one would go to a storage of its own.
            self.reply({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self.reply({"commitUrl": f"{self.server.address}/us/ours/commit/{'a' * 40}", "commitOid": "a" * 40})
        else:
            self.reply()


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.seen, server.files = [], {}
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # Read when the library is imported, which the tests have done by now.
    for name in ("huggingface_hub.constants", "huggingface_hub.hf_api"):
        monkeypatch.setattr(f"{name}.ENDPOINT", server.address, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", server.address)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_arrives_is_what_is_saved(encoder, hub, tmp_path):
    """Encoder, head, record and card; what was pushed is loaded again, and says its new name."""
    encoder.push_to_hub("us/ours", token=MADE_UP, replace_model_card=True)
    assert hub.seen[0][0].partition("?")[0] == "/api/repos/create"
    assert {"README.md", RECORD, "modules.json"} <= set(hub.files)
    for name, content in hub.files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    again = hybrid_qproj.load(tmp_path, "cpu")
    np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    card = hub.files["README.md"].decode()
    assert 'hybrid_qproj.load("us/ours")' in card
    assert "## Projection head" in card
    assert not any(MADE_UP.encode() in content for content in hub.files.values())
