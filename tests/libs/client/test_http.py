"""HTTP as the SDK speaks it, against a real server that answers what a service would."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from headrace.client import Client, Rejected, Stack, Unreachable
from headrace.client.http import Http
from headrace.client.predicting import patient
from headrace.contracts.services import PORTS


class Answers(BaseHTTPRequestHandler):
    """Answers by path: pages of a collection, a refusal with violations, a V2 error, or an echo of the headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/models":
            cursor = parse_qs(url.query).get("cursor", ["0"])[0]
            self._answer(200, {"items": [{"name": f"m{cursor}"}], "next_cursor": "1" if cursor == "0" else None})
        elif url.path == "/refused":
            violations = [{"check": "data_type_check", "column": "hour", "message": "hour: 'x' is no integer"}]
            self._answer(422, {"title": "refused", "detail": "3 rows do not fit", "violations": violations})
        elif url.path == "/v2":
            self._answer(404, {"error": "no model named 'x'"})
        elif url.path == "/plain":
            self._answer(502, None)
        elif url.path == "/busy":
            self.send_response(503)
            self.send_header("retry-after", "7")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._answer(200, dict(self.headers))

    def _answer(self, status: int, body: object) -> None:
        raw = b"bad gateway" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack whose services all answer at one address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Stack(dict.fromkeys(PORTS, f"http://127.0.0.1:{server.server_port}"), key="hr_key")
        server.shutdown()


def test_every_page_of_a_collection_is_read(stack: Stack) -> None:
    """The caller sees one list, however many pages the service made of it."""
    with Client(stack) as client:
        assert [model["name"] for model in client.models()] == ["m0", "m1"]


def test_a_refusal_carries_what_the_service_said(stack: Stack) -> None:
    """Problem details become an error with its status and its places."""
    with pytest.raises(Rejected, match="3 rows do not fit") as refused:
        Http(stack).json("GET", "ingest", "/refused")

    assert refused.value.status == 422
    assert refused.value.violations[0]["column"] == "hour"


def test_the_prediction_protocols_own_errors_are_read_too(stack: Stack) -> None:
    """V2 says {"error": ...} instead of problem details."""
    with pytest.raises(Rejected, match="no model named 'x'"):
        Http(stack).json("GET", "inference", "/v2")


def test_an_answer_that_is_no_json_is_shown_as_it_came(stack: Stack) -> None:
    """A proxy in between speaks plain text."""
    with pytest.raises(Rejected, match="bad gateway"):
        Http(stack).json("GET", "ingest", "/plain")


def test_the_key_and_one_trace_travel_with_every_request(stack: Stack) -> None:
    """Requests of one client belong to one trace, each with a span of its own."""
    http = Http(stack)

    first, second = http.json("GET", "audit", "/echo"), http.json("GET", "trainer", "/echo")

    assert first["authorization"] == "Bearer hr_key"
    assert first["traceparent"].split("-")[1] == second["traceparent"].split("-")[1] == http.trace_id
    assert first["traceparent"] != second["traceparent"]


def test_a_service_that_is_away_is_named() -> None:
    """The person learns which service, where, and what to do."""
    with pytest.raises(Unreachable, match=r"registry does not answer at http://127\.0\.0\.1:1 .*headrace status"):
        Http(Stack(dict.fromkeys(PORTS, "http://127.0.0.1:1"))).json("GET", "registry", "/models")


def test_a_refusal_says_when_to_come_back(stack: Stack) -> None:
    """Retry-After in seconds, where the service gives it."""
    http = Http(stack)
    with pytest.raises(Rejected) as busy:
        http.request("GET", "inference", "/busy")
    with pytest.raises(Rejected) as refused:
        http.request("GET", "inference", "/refused")

    assert (busy.value.status, busy.value.retry_after) == (503, 7.0)
    assert refused.value.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_prediction_is_asked_for_again_when_the_replica_wishes(status: int) -> None:
    """No sooner, and only where it was not answered because the replica could not."""
    refusals = [Rejected(status, "busy", retry_after=wait) for wait in (3.0, None)]
    asked, slept = list[Any](), list[float]()

    def ask(body: Any) -> dict[str, Any]:
        asked.append(body)
        if len(asked) <= len(refusals):
            raise refusals[len(asked) - 1]
        return {"model_version": "1"}

    assert patient(ask, sleep=slept.append)({"inputs": []}) == {"model_version": "1"}
    assert asked == 3 * [{"inputs": []}]
    assert slept[0] == 3.0
    assert 0 < slept[1] < 3.0


def test_a_prediction_is_not_asked_for_again_for_ever_or_where_it_is_wrong() -> None:
    """After a minute the last refusal is the answer; a 400 or 500 is at once."""
    slept = list[float]()

    def refusing(status: int) -> Any:
        def ask(_body: Any) -> dict[str, Any]:
            raise Rejected(status, "no", retry_after=10.0)

        return patient(ask, sleep=slept.append)

    with pytest.raises(Rejected, match="no"):
        refusing(503)({})
    assert 50 <= sum(slept) <= 60
    slept.clear()
    for status in (400, 404, 500):
        with pytest.raises(Rejected):
            refusing(status)({})
    assert not slept
