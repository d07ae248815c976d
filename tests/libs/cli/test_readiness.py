"""What `headrace status` says of each part: as the part says it itself, over real HTTP."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from headrace.cli.readiness import readiness_of
from headrace.local import Part

ANSWERS = {
    "/well/ready": (200, {"status": "ready", "problems": {}, "degraded": {}}),
    "/half/ready": (200, {"status": "degraded", "problems": {}, "degraded": {"jobs/1": "set aside"}}),
    "/ill/ready": (503, {"status": "not ready", "problems": {"objects": "away"}, "degraded": {}}),
}


class Parts(BaseHTTPRequestHandler):
    """Several services at one address."""

    def do_GET(self) -> None:
        """Answer as the path says."""
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def url() -> Iterator[str]:
    """Where they answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Parts) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_status_tells_ready_degraded_not_ready_and_silent_apart(url: str) -> None:
    """What has no readiness of its own has no state."""
    named = {"ingest": "/well", "trainer": "/half", "registry": "/ill"}
    parts = [Part(name, 1, 0, 0, f"{url}{path}") for name, path in named.items()]
    silent = [Part("audit", None, 3, 0, "http://127.0.0.1:1"), Part("nats", 1, 0, 0, url)]

    found = readiness_of([*parts, *silent])

    assert [each["state"] for each in found] == ["ready", "degraded", "not ready", "no answer", ""]
    assert found[1]["degraded"] == {"jobs/1": "set aside"}
    assert found[2]["problems"] == {"objects": "away"}
    assert found[3]["problems"]
