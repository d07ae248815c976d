"""Each method of the SDK: what it asks of which service, and what it makes of the answer, by a recording server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pandas as pd
import pytest

from headrace.client import Client, HeadraceError, ModelUri, Rejected, Stack, TimedOut, Unreachable
from headrace.client.sdk import BLOCK, datatype, stands
from headrace.contracts.services import PORTS, SERVICES

Document = dict[str, Any]
Call = Callable[[Client], Any]
ALIAS = {"alias": "champion", "version": 7}


@dataclass(frozen=True)
class Asked:
    """One request: which service was asked for what."""

    method: str
    service: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass
class Recorder:
    """Answers requests in the order that a test prepared; every service has a folder of its own below one address."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)

    def prepare(self, *answers: Any, status: int = 200) -> None:
        """The documents of the next answers."""
        self.answers += [(status, answer) for answer in answers]

    def next(self, asked: Asked) -> tuple[int, Any]:
        """What this request is answered; an empty document where nothing was prepared."""
        self.asked.append(asked)
        return self.answers.pop(0) if self.answers else (200, {})

    @property
    def said(self) -> list[str]:
        """The requests in one line each."""
        return [f"{each.method} {each.service}{each.path}" for each in self.asked]

    def stack(self, **more: Any) -> Stack:
        """A stack whose services this is."""
        return Stack({name: f"{self.url}/{name}" for name in PORTS}, key="hr_key", **more)


def handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    """A handler that records whatever comes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            url = urlsplit(self.path)
            _, service, rest = url.path.split("/", 2)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, service, f"/{rest}", parse_qsl(url.query), headers, self._body())
            self._answer(*recorder.next(asked))

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, status: int, body: Any) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    """One server for all tests of this file."""
    recorder = Recorder()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(recorder)) as server:
        server.daemon_threads = True
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield recorder
        server.shutdown()


@pytest.fixture
def service(server: Recorder) -> Recorder:
    """The server, with nothing asked yet."""
    server.asked.clear()
    server.answers.clear()
    return server


@pytest.fixture
def client(service: Recorder) -> Iterator[Client]:
    """A client of it."""
    with Client(service.stack()) as client:
        yield client


NUMBERED, ALIASED = ModelUri("flights", version=3), ModelUri("flights", alias="champion")
# call, what is asked, and the JSON body that is sent
PLAIN: dict[str, tuple[Call, str, Any]] = {
    "apply": (
        lambda c: c.apply({"name": "flights", "a": 1}),
        "PUT registry/models/flights",
        {"name": "flights", "a": 1},
    ),
    "train": (lambda c: c.train("flights"), "POST trainer/models/flights/runs", {"reason": "asked for"}),
    "train with wishes": (
        lambda c: c.train("flights", reason="new code", params={"depth": 3}),
        "POST trainer/models/flights/runs",
        {"reason": "new code", "params": {"depth": 3}},
    ),
    "run": (lambda c: c.run("r1"), "GET trainer/runs/r1", None),
    "cancel": (lambda c: c.cancel("r1"), "POST trainer/runs/r1/cancel", {"reason": "asked for"}),
    "cancel, why": (lambda c: c.cancel("r1", "too slow"), "POST trainer/runs/r1/cancel", {"reason": "too slow"}),
    "cancel an import": (lambda c: c.cancel_import("i1"), "POST trainer/imports/i1/cancel", {"reason": "asked for"}),
    "promote": (lambda c: c.promote_run("r1"), "POST trainer/runs/r1/promote", {"reason": "asked for"}),
    "promote, why": (lambda c: c.promote_run("r1", "best"), "POST trainer/runs/r1/promote", {"reason": "best"}),
    "reproduce": (
        lambda c: c.reproduce(NUMBERED, commit="abc"),
        "POST trainer/models/flights/versions/3/reproductions",
        {"commit": "abc"},
    ),
    "model": (lambda c: c.model("flights"), "GET registry/models/flights", None),
    "version": (lambda c: c.version(NUMBERED), "GET registry/models/flights/versions/3", None),
    "truth": (
        lambda c: c.truth("flights", ({"prediction_id": "p:0", "value": 1},)),
        "POST monitor/models/flights/truth",
        {"labels": [{"prediction_id": "p:0", "value": 1}]},
    ),
    "trace": (lambda c: c.trace("p:0"), "GET audit/trace/prediction/p%3A0", None),
    "predict": (
        lambda c: c.predict("flights", {"hour": [7, 8]}),
        "POST inference/v2/models/flights/infer",
        {"inputs": [{"name": "hour", "shape": [2], "datatype": "INT64", "data": [7, 8]}]},
    ),
    "predict with parameters": (
        lambda c: c.predict("flights", {"carrier": ["UA"]}, explain=True),
        "POST inference/v2/models/flights/infer",
        {
            "inputs": [{"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]}],
            "parameters": {"explain": True},
        },
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_method_is_one_request_and_its_answer(client: Client, service: Recorder, name: str) -> None:
    """The right service, the right place, the right body; the answer is the service's own document."""
    call, line, body = PLAIN[name]
    service.prepare({"answer": name})

    assert call(client) == {"answer": name}

    assert service.said == [line]
    assert (service.asked[0].document if service.asked[0].body else None) == body
    assert service.asked[0].query == []


@pytest.mark.parametrize("name", PLAIN)
def test_a_refusal_of_any_method_is_the_services(client: Client, service: Recorder, name: str) -> None:
    """No method turns a refusal into an answer."""
    service.prepare({"title": "Not Found", "detail": f"no {name} here"}, status=404)

    with pytest.raises(Rejected, match=f"no {name} here") as refused:
        PLAIN[name][0](client)

    assert (refused.value.status, refused.value.retry_after, len(service.asked)) == (404, None, 1)


# with an odd name in each place; what is asked
ODD = "a/b?c#d e%"
ODD_QUOTED = "a%2Fb%3Fc%23d%20e%25"
NAMES: dict[str, tuple[Call, str]] = {
    "apply": (lambda c: c.apply({"name": ODD}), "PUT registry/models/{}"),
    "train": (lambda c: c.train(ODD), "POST trainer/models/{}/runs"),
    "run": (lambda c: c.run(ODD), "GET trainer/runs/{}"),
    "logs": (lambda c: list(c.logs(ODD)), "GET trainer/runs/{}/logs"),
    "cancel": (lambda c: c.cancel(ODD), "POST trainer/runs/{}/cancel"),
    "cancel an import": (lambda c: c.cancel_import(ODD), "POST trainer/imports/{}/cancel"),
    "promote": (lambda c: c.promote_run(ODD), "POST trainer/runs/{}/promote"),
    "reproduce": (lambda c: c.reproduce(ModelUri(ODD, 1)), "POST trainer/models/{}/versions/1/reproductions"),
    "model": (lambda c: c.model(ODD), "GET registry/models/{}"),
    "version": (lambda c: c.version(ModelUri(ODD, 1)), "GET registry/models/{}/versions/1"),
    "truth": (lambda c: c.truth(ODD, []), "POST monitor/models/{}/truth"),
    "trace": (lambda c: c.trace(ODD), "GET audit/trace/prediction/{}"),
    "predict": (lambda c: c.predict(ODD, {}), "POST inference/v2/models/{}/infer"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_cannot_lead_to_another_place(client: Client, service: Recorder, name: str) -> None:
    """A slash, a question mark or a hash in a name stays in its part of the path."""
    call, line = NAMES[name]

    call(client)

    assert service.said == [line.format(ODD_QUOTED)]
    assert all(key != "c" for key, _ in service.asked[0].query)


LISTED: dict[str, tuple[Call, str, list[tuple[str, str]]]] = {
    "models": (lambda c: c.models(), "GET registry/models", []),
    "versions": (lambda c: c.versions("flights"), "GET registry/models/flights/versions", []),
    "versions of an odd name": (lambda c: c.versions(ODD), f"GET registry/models/{ODD_QUOTED}/versions", []),
    "rollouts": (lambda c: c.rollouts(ODD), "GET deployer/rollouts", [("model", ODD)]),
    "windows": (lambda c: c.windows("flights"), "GET monitor/models/flights/windows", []),
    "windows of an odd name": (lambda c: c.windows(ODD), f"GET monitor/models/{ODD_QUOTED}/windows", []),
}


@pytest.mark.parametrize("name", LISTED)
def test_a_listing_is_read_to_its_end(client: Client, service: Recorder, name: str) -> None:
    """Page by page, each with the cursor of the page before and the same wishes, until none is given."""
    call, line, query = LISTED[name]
    pages: list[Document] = [
        {"items": [1, 2], "next_cursor": "a&b"},
        {"items": [], "next_cursor": "c"},
        {"items": [3], "next_cursor": None},
    ]
    service.prepare(*pages)

    assert call(client) == [1, 2, 3]

    assert service.said == [line] * 3
    assert [each.query for each in service.asked] == [query, [*query, ("cursor", "a&b")], [*query, ("cursor", "c")]]


def test_a_page_is_asked_for_when_it_is_needed(client: Client, service: Recorder) -> None:
    """Who looks at the first item alone pays for one page; the caller's own wishes are not changed."""
    wishes = {"limit": 1}
    service.prepare({"items": ["a"], "next_cursor": "1"}, {"items": ["b"]})
    pages = client.http.pages("registry", "/models", wishes)

    assert service.asked == []
    assert next(pages) == "a"
    assert len(service.asked) == 1
    assert list(pages) == ["b"]
    assert wishes == {"limit": 1}


def test_a_listing_that_breaks_off_is_no_short_listing(client: Client, service: Recorder) -> None:
    """A refusal of the second page reaches the caller."""
    service.prepare({"items": ["a"], "next_cursor": "1"})
    service.prepare({"detail": "the cursor is too old"}, status=410)

    with pytest.raises(Rejected, match="too old"):
        client.models()


def test_dead_letters_are_those_of_every_service(client: Client, service: Recorder) -> None:
    """Each with the service that has it, whatever the item itself says."""
    service.prepare(*({"items": [{"id": at, "service": "x"}]} for at in range(len(SERVICES))))

    assert list(client.dead_letters()) == [{"id": at, "service": name} for at, name in enumerate(SERVICES)]
    assert service.said == [f"GET {name}/dead-letters" for name in SERVICES]


@pytest.mark.parametrize(
    ("call", "last", "after"),
    [
        (lambda c: c.version(ALIASED), "GET registry/models/flights/versions/7", 1),
        (lambda c: c.reproduce(ALIASED), "POST trainer/models/flights/versions/7/reproductions", 1),
    ],
)
def test_an_alias_is_looked_up_first(client: Client, service: Recorder, call: Call, last: str, after: int) -> None:
    """What the alias points at now is what is asked for."""
    service.prepare(ALIAS, {"version": 7})

    assert call(client) == {"version": 7}

    assert service.said == ["GET registry/models/flights/aliases/champion", last]


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize("uri", [NUMBERED, ALIASED], ids=str)
def test_a_decision_is_about_the_version_that_was_found(
    client: Client, service: Recorder, uri: ModelUri, decision: str
) -> None:
    """The number is the registry's answer, not the text of the URI."""
    service.prepare(*([] if uri.version else [ALIAS]), {"version": 9}, {"state": "decided"})

    assert client.decide(uri, decision, "looks right") == {"state": "decided"}

    assert service.said[-1] == f"POST registry/models/flights/versions/9/{decision}"
    assert service.asked[-1].document == {"comment": "looks right"}


@pytest.mark.parametrize(
    ("wishes", "query"),
    [
        ({}, [("cpus", "1"), ("gpus", "0")]),
        ({"cpus": 0.5, "gpus": 2}, [("cpus", "0.5"), ("gpus", "2")]),
        ({"framework": "torch"}, [("cpus", "1"), ("gpus", "0"), ("framework", "torch")]),
    ],
)
@pytest.mark.parametrize("lacks", [None, "no node has 2 GPUs"])
def test_room_is_what_the_trainer_lacks(
    client: Client, service: Recorder, wishes: Document, query: list[tuple[str, str]], lacks: str | None
) -> None:
    """A reason, or None where a run could start."""
    service.prepare({"lacks": lacks})

    assert client.room(**wishes) == lacks
    assert (service.said, service.asked[0].query) == (["GET trainer/room"], query)


def test_runs_are_compared_in_the_order_that_was_given(client: Client, service: Recorder) -> None:
    """Each run is one parameter of its own."""
    client.compare_runs(("b", "a"), differs=True)
    client.compare_runs(["c"])

    assert service.said == ["GET trainer/comparison"] * 2
    assert service.asked[0].query == [("run", "b"), ("run", "a"), ("differs", "true")]
    assert service.asked[1].query == [("run", "c"), ("differs", "false")]


@pytest.mark.parametrize(
    ("file_name", "kind"),
    [
        ("flights.csv", "text/csv"),
        ("flights.parquet", "application/vnd.apache.parquet"),
        ("flüge 2024.csv.gz", "text/csv"),
    ],
)
def test_a_file_is_sent_in_blocks_as_it_is(
    client: Client, service: Recorder, tmp_path: Path, file_name: str, kind: str
) -> None:
    """Every byte, with its name and kind; progress tells what has been sent."""
    file, told = tmp_path / file_name, list[int]()
    file.write_bytes(bytes(range(256)) * 4096 + b"more")
    service.prepare({"version": 4})

    assert client.ingest("flights", file, progress=told.append) == {"version": 4}

    (asked,) = service.asked
    assert service.said == ["POST ingest/datasets/flights/files"]
    assert asked.body == file.read_bytes()
    assert asked.query == [("mode", "append")]
    assert (asked.headers["content-type"], unquote(asked.headers["x-source-name"])) == (kind, file_name)
    assert told == [BLOCK, 4]


def test_an_empty_file_is_sent_too(client: Client, service: Recorder, tmp_path: Path) -> None:
    """What is wrong with it, the service says; another mode and an odd dataset are passed on as they are."""
    (tmp_path / "empty.csv").touch()

    client.ingest(ODD, tmp_path / "empty.csv", mode="replace")

    assert service.said == [f"POST ingest/datasets/{ODD_QUOTED}/files"]
    assert (service.asked[0].body, service.asked[0].query) == (b"", [("mode", "replace")])


def test_an_import_carries_its_wishes(client: Client, service: Recorder, tmp_path: Path) -> None:
    """The artifact is the body; what is wished for stands in one JSON parameter."""
    file, told = tmp_path / "model.onnx", list[int]()
    file.write_bytes(b"onnx")
    service.prepare({"import_id": "i1"})

    answer = client.import_model(ODD, file, "Modèle.onnx", told.append, format="onnx", labels=["a", "b"])

    (asked,) = service.asked
    assert (answer, told, asked.body) == ({"import_id": "i1"}, [4], b"onnx")
    assert service.said == [f"POST trainer/models/{ODD_QUOTED}/imports/files"]
    assert json.loads(dict(asked.query)["wishes"]) == {"format": "onnx", "labels": ["a", "b"]}
    assert asked.headers["content-type"] == "application/octet-stream"
    assert unquote(asked.headers["x-source-name"]) == "Modèle.onnx"


@pytest.mark.parametrize(("status", "created"), [(201, True), (200, False)])
def test_pushing_code_says_whether_it_is_new(
    client: Client, service: Recorder, tmp_path: Path, status: int, created: bool
) -> None:
    """A folder that was pushed before is no new version; a folder of no repository has no commit."""
    (tmp_path / "train.py").write_text("print(1)\n")
    service.prepare({"package": "p", "version": 2}, status=status)

    assert client.push_code(ODD, tmp_path) == {"package": "p", "version": 2, "created": created}

    (asked,) = service.asked
    assert service.said == [f"POST trainer/code/{ODD_QUOTED}/files"]
    assert asked.headers["content-type"] == "application/x-tar"
    assert b"train.py" in asked.body
    assert "commit" not in dict(asked.query)


@pytest.mark.parametrize(("follow", "query"), [(False, "false"), (True, "true")])
def test_logs_are_given_piece_by_piece(client: Client, service: Recorder, follow: bool, query: str) -> None:
    """What was printed is text, whatever characters it has."""
    service.prepare("epoch 1: loss 0,5 → 0,4\n".encode())

    assert "".join(client.logs("r1", follow=follow)) == "epoch 1: loss 0,5 → 0,4\n"
    assert (service.said, service.asked[0].query) == (["GET trainer/runs/r1/logs"], [("follow", query)])


def test_logs_that_are_refused_are_refused(client: Client, service: Recorder) -> None:
    """The refusal of a stream carries its words, too."""
    service.prepare({"detail": "no run r9"}, status=404)

    with pytest.raises(Rejected, match="no run r9"):
        list(client.logs("r9"))


TERMINAL = ["completed", "failed", "cancelled"]


@pytest.mark.parametrize("state", TERMINAL)
@pytest.mark.parametrize(
    ("wait", "line"),
    [
        (lambda c, **o: c.wait_for_run("r1", **o), "GET trainer/runs/r1"),
        (lambda c, **o: c.wait_for_import("i/1", **o), "GET trainer/imports/i%2F1"),
    ],
)
def test_a_wait_ends_with_the_state_that_nothing_follows(
    client: Client, service: Recorder, wait: Callable[..., Document], line: str, state: str
) -> None:
    """Each state on the way is shown, the last one is answered."""
    seen: list[str] = []
    service.prepare({"state": "running"}, {"state": state}, {"state": "never asked for"})

    assert wait(client, seen=lambda each: seen.append(each["state"])) == {"state": state}
    assert (seen, service.said) == (["running", state], [line] * 2)


@pytest.mark.parametrize(
    ("wait", "what"),
    [
        (lambda c: c.wait_for_run("r1", timeout=-1), "run r1"),
        (lambda c: c.wait_for_import("i1", timeout=-1), "import i1"),
    ],
)
def test_a_wait_that_is_over_says_that_it_goes_on(client: Client, service: Recorder, wait: Call, what: str) -> None:
    """The last look comes after the deadline; the error names what was waited for."""
    service.prepare({"state": "running"})

    with pytest.raises(TimedOut, match=f"^{what} has not ended after -1 s; it goes on, ask again later$"):
        wait(client)
    assert len(service.asked) == 1


@pytest.mark.parametrize("state", ["approved", "rejected", "expired", "revoked", "pending"])
@pytest.mark.parametrize("made_by", ["run", "import_id"])
def test_a_version_is_waited_for_until_it_is_decided_or_waits_for_people(
    client: Client, service: Recorder, state: str, made_by: str
) -> None:
    """First there is none, then it is judged; those of other runs are passed over."""
    mine, other = {"version": 2, made_by: "r1"}, {"version": 3, "run": "r2", "state": "approved"}
    service.prepare(
        {"items": [other, {**mine, "state": "registered"}] if state == "pending" else [other]},
        {"items": [other, {**mine, "state": state}]},
    )

    assert client.wait_for_version("flights", "r1") == {**mine, "state": state}
    assert service.said == ["GET registry/models/flights/versions"] * 2


METADATA = {
    "name": "flights",
    "inputs": [{"name": "hour", "datatype": "INT64", "shape": [-1]}],
    "outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1]}],
}


def test_a_served_model_is_read_from_its_replica(client: Client, service: Recorder) -> None:
    """The name stays one part of the path."""
    service.prepare(METADATA)

    assert client.served(ODD).inputs == {"hour": "INT64"}
    assert service.said == [f"GET inference/v2/models/{ODD_QUOTED}"]


@pytest.mark.parametrize("status", [404, 503])
def test_one_waits_until_a_model_is_served(client: Client, service: Recorder, status: int) -> None:
    """While no version answers, the newest run and its version say what is waited for."""
    seen: list[str] = []
    service.prepare({"error": "no model"}, status=status)
    service.prepare({"items": [{"run": "r1", "state": "running"}]}, {"items": []}, METADATA)

    assert client.wait_until_served("flights", seen=seen.append).model == "flights"

    assert seen == ["run r1: running"]
    assert service.said == [
        "GET inference/v2/models/flights",
        "GET trainer/runs",
        "GET registry/models/flights/versions",
        "GET inference/v2/models/flights",
    ]
    assert service.asked[1].query == [("model", "flights"), ("limit", "1")]


def test_a_refusal_is_not_waited_out(client: Client, service: Recorder) -> None:
    """Without the right, no model will be served to this key."""
    service.prepare({"error": "the key may not"}, status=403)

    with pytest.raises(Rejected, match="the key may not"):
        client.wait_until_served("flights")
    assert len(service.asked) == 1


RUN = {"run": "r1", "state": "completed"}


@pytest.mark.parametrize(
    ("run", "versions", "text"),
    [
        (None, [], "m waits for its first run"),
        ({"run": "r1", "state": "queued"}, [], "run r1: queued"),
        (RUN, [], "run r1: completed"),
        (RUN, [{"run": "r0", "version": 1, "state": "rejected"}], "run r1: completed"),
        (RUN, [{"run": "r1", "version": 2, "state": "registered"}], "version 2: registered"),
        (RUN, [{"run": "r1", "version": 2, "state": "approved"}], "version 2: approved"),
    ],
)
def test_it_is_said_what_a_model_waits_for(run: Document | None, versions: list[Document], text: str) -> None:
    """The newest run, or the version that it made."""
    assert stands("m", run, versions).startswith(text)


@pytest.mark.parametrize(
    ("run", "versions", "text"),
    [
        ({"run": "r1", "state": "failed"}, [], "run r1 failed: `headrace runs show r1` says why"),
        ({"run": "r1", "state": "cancelled"}, [], "run r1 cancelled"),
        (RUN, [{"run": "r1", "version": 2, "state": "rejected", "reason": "gate"}], "version 2 was rejected: gate"),
        (RUN, [{"run": "r1", "version": 2, "state": "expired", "reason": "late"}], "version 2 was expired: late"),
        (RUN, [{"run": "r1", "version": 2, "state": "revoked", "reason": "bug"}], "version 2 was revoked: bug"),
        (RUN, [{"run": "r1", "version": 2, "state": "pending"}], "headrace approve models:/m/2"),
    ],
)
def test_where_nothing_follows_by_itself_nobody_waits(
    run: Document | None, versions: list[Document], text: str
) -> None:
    """The error says what happened, and what to do."""
    with pytest.raises(HeadraceError, match=text):
        stands("m", run, versions)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "BOOL"),
        ([True, None], "BOOL"),
        (["a", None], "BYTES"),
        ([1, 2], "INT64"),
        ([1, None], "FP64"),
        ([1, 2.5], "FP64"),
        ([1.0], "FP64"),
        ([None], "FP64"),
        ([], "FP64"),
        ([True, 1], "FP64"),
    ],
)
def test_a_column_has_the_datatype_of_its_values(values: list[Any], kind: str) -> None:
    """Whole numbers with gaps are sent as floating point, since a gap is no integer."""
    assert datatype(values) == kind


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda c: c.models(), "registry"),
        (lambda c: list(c.logs("r")), "trainer"),
        (lambda c: c.served("m"), "inference"),
    ],
)
def test_a_service_that_does_not_answer_is_unreachable(call: Call, name: str) -> None:
    """Whether its answer is a document, a page or a stream."""
    with (
        Client(Stack(dict.fromkeys(PORTS, "http://127.0.0.1:1"))) as client,
        pytest.raises(
            Unreachable, match=f"{name} does not answer at http://127.0.0.1:1 .ConnectError.; `headrace status`"
        ),
    ):
        call(client)


@pytest.mark.parametrize(("sampled", "flags"), [(True, "01"), (False, "00")])
def test_a_client_continues_the_trace_that_it_was_given(service: Recorder, sampled: bool, flags: str) -> None:
    """The trace's id and whether it is sampled go with every request, streams too."""
    with Client(service.stack(), trace_id="ab" * 16, sampled=sampled) as client:
        client.model("m")
        list(client.logs("r"))

    traces = [each.headers["traceparent"].split("-") for each in service.asked]
    assert [(version, trace, flag) for version, trace, _, flag in traces] == [("00", "ab" * 16, flags)] * 2
    assert traces[0][2] != traces[1][2]
    assert {each.headers["authorization"] for each in service.asked} == {"Bearer hr_key"}


def test_without_a_key_none_is_presented(service: Recorder) -> None:
    """A stack that asks for no key gets none."""
    with Client(Stack({"registry": f"{service.url}/registry/"})) as client:
        client.model("m")

    assert "authorization" not in service.asked[0].headers
    assert service.said == ["GET registry/models/m"]


def test_a_closed_client_asks_nothing(service: Recorder) -> None:
    """The connections are closed where the block ends."""
    with Client(service.stack()) as client:
        client.models  # noqa: B018 - only opened

    with pytest.raises(RuntimeError, match="closed"):
        client.run("r1")
    assert service.asked == []


# body of a refusal; what the error says, and its violations
REFUSALS: dict[str, tuple[Any, str, list[Any]]] = {
    "problem details": ({"title": "t", "detail": "no column", "violations": [{"a": 1}]}, "no column", [{"a": 1}]),
    "no detail": ({"title": "Conflict", "detail": ""}, "Conflict", []),
    "the V2 protocol": ({"error": "no model"}, "no model", []),
    "detail before error before title": ({"title": "c", "error": "b", "detail": "a"}, "a", []),
    "a list as detail": ({"detail": [{"loc": ["body"]}]}, "[{'loc': ['body']}]", []),
    "violations that are null": ({"detail": "no", "violations": None}, "no", []),
    "violations that are none": ({"detail": "no", "violations": "many"}, "no", []),
    "an empty object": ({}, "{}", []),
    "a list": (["no"], '502 Bad Gateway: ["no"]', []),
    "a text": ("no", '502 Bad Gateway: "no"', []),
    "null": (None, "502 Bad Gateway: null", []),
    "a page": (b"<html>" + b"x" * 400, "502 Bad Gateway: <html>" + "x" * 294, []),
    "nothing": (b"", "502 Bad Gateway: ", []),
    "nested too deep": (b"[" * 99_999, "502 Bad Gateway: " + "[" * 300, []),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_whatever_a_refusal_looks_like_it_is_one(client: Client, service: Recorder, name: str) -> None:
    """A proxy in between answers in its own way; the status and what can be read of it reach the caller."""
    body, detail, violations = REFUSALS[name]
    service.prepare(body, status=502)

    with pytest.raises(Rejected) as refused:
        client.model("m")

    assert (refused.value.status, refused.value.detail, refused.value.violations) == (502, detail, violations)
    assert str(refused.value) == detail


@pytest.mark.parametrize("call", [lambda c: c.model("m"), lambda c: c.models(), lambda c: list(c.logs("r"))])
def test_a_redirection_is_no_answer(client: Client, service: Recorder, call: Call) -> None:
    """Neither an empty document nor an empty listing: it is refused with its status."""
    service.prepare(b"", status=307)

    with pytest.raises(Rejected, match=r"^307 Temporary Redirect: $"):
        call(client)


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[" * 99_999, b"\xff\xfe"])
def test_what_is_no_json_is_no_service(client: Client, service: Recorder, body: bytes) -> None:
    """A page to sign in, with status 200, is an error that names the address."""
    service.prepare(body)

    with pytest.raises(HeadraceError, match=r"what answers at http://.*/registry/models/m is not registry: no JSON"):
        client.model("m")


def test_an_answer_without_a_body_is_none(client: Client, service: Recorder) -> None:
    """A request that answers nothing is done."""
    service.prepare(b"")

    assert client.http.json("DELETE", "registry", "/x") is None
    assert service.said == ["DELETE registry/x"]


ARRAYS: dict[str, tuple[Any, str, list[Any]]] = {
    "integers of numpy": (np.array([1, 2], dtype=np.int32), "INT64", [1, 2]),
    "numbers of numpy": (np.array([0.5, np.nan]), "FP64", [0.5, None]),
    "booleans of numpy": (np.array([True, False]), "BOOL", [True, False]),
    "texts of numpy": (np.array(["a", "b"]), "BYTES", ["a", "b"]),
    "a series with a gap": (pd.Series([1, None], index=[5, 6]), "FP64", [1.0, None]),
    "a series of integers": (pd.Series([1, 2], index=["a", "b"]), "INT64", [1, 2]),
    "a series of texts": (pd.Series(["a", None]), "BYTES", ["a", None]),
    "a tuple": ((1.5, float("nan")), "FP64", [1.5, None]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_column_may_be_an_array_or_a_series(client: Client, service: Recorder, name: str) -> None:
    """What numpy and pandas hold is sent as JSON holds it; what is no number is a gap."""
    values, kind, data = ARRAYS[name]

    client.predict("m", {"x": values})

    tensor = {"name": "x", "shape": [len(data)], "datatype": kind, "data": data}
    assert service.asked[0].document == {"inputs": [tensor]}
    assert [type(each) for each in service.asked[0].document["inputs"][0]["data"]] == [type(each) for each in data]


SERVED = {
    "name": "m",
    "inputs": [
        {"name": "code", "datatype": "BYTES", "shape": [-1], "parameters": {"nullable": False}},
        {"name": "hour", "datatype": "INT64", "shape": [-1]},
    ],
    "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1]}],
    "parameters": {"context": [{"name": "group", "datatype": "BYTES"}]},
}
ANSWER = {
    "model_version": "3",
    "parameters": {"prediction_id": "p"},
    "outputs": [{"name": "y", "datatype": "FP64", "shape": [2], "data": [0.5, 0.25]}],
}
KEPT = [{"code": "01", "hour": 7, "flight": "x"}, {"code": "02", "hour": None, "flight": "y"}]


@pytest.mark.parametrize("from_file", [False, True])
def test_rows_are_asked_about_by_the_signature(
    client: Client, service: Recorder, tmp_path: Path, from_file: bool
) -> None:
    """From a file or at hand: what the model takes is sent, what is kept stands beside the answer."""
    source: Any = KEPT
    if from_file:
        source = tmp_path / "rows.csv"
        source.write_text("code,hour,flight\n01,7,x\n02,,y\n")
    service.prepare(SERVED, ANSWER)

    found = list(client.predict_rows(ODD, source, keep=["flight"], key="flight", explain=True))

    assert found == [
        {"prediction_id": "p:0", "model_version": "3", "outputs": {"y": 0.5}, "kept": {"flight": "x"}},
        {"prediction_id": "p:1", "model_version": "3", "outputs": {"y": 0.25}, "kept": {"flight": "y"}},
    ]
    assert service.said == [f"GET inference/v2/models/{ODD_QUOTED}", f"POST inference/v2/models/{ODD_QUOTED}/infer"]
    sent = service.asked[1].document
    assert sent["parameters"] == {"explain": True}
    assert {each["name"]: each["data"] for each in sent["inputs"]} == {
        "code": ["01", "02"],
        "hour": [7, None],
        "headrace:key": ["x", "y"],
    }


def test_nothing_is_asked_before_the_first_row_is_wanted(client: Client, service: Recorder) -> None:
    """The answers are a generator; a model that is not served is refused then."""
    answers = client.predict_rows("m", KEPT)
    assert service.asked == []

    service.prepare({"error": "no model m"}, status=404)
    with pytest.raises(Rejected, match="no model m"):
        next(answers)
