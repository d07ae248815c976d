"""`headrace reproduce` asks for a version to be made again, and says whether the same came of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from headrace.cli.app import DONE, LATE, REFUSED, USAGE
from headrace.cli.reproduce import verdict
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, Ran, until

RUN = "0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77"
PARTS = [
    {"part": "data", "same": True, "recorded": "d1", "now": "d1"},
    {"part": "packages", "same": False, "recorded": {"numpy": "1.0"}, "now": {"numpy": "2.0"}},
    {"part": "artifact", "same": False, "recorded": {"model.onnx": "aa"}, "now": {"model.onnx": "bb"}},
]
FOUND = {"version": 3, "run": "r0", "tolerance": 0.01, "because": None, "parts": PARTS}
SAME = {**FOUND, "reproduced": True, "by": "artifact"}
OTHER = {**FOUND, "reproduced": False, "by": "artifact", "because": "packages: numpy was 1.0 and is 2.0"}
GOES_ON = {**FOUND, "reproduced": None, "by": None, "parts": []}


@contextmanager
def a_trainer(*states: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """A trainer that tells of a run in these states, one after the other; its address, and what it was asked."""
    left, asked = list(states), []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self._say({"run": RUN, "state": "queued", "waits_detail": None})

        def do_GET(self) -> None:
            told = left.pop(0) if len(left) > 1 else left[0]
            self._say({"run": RUN, "warnings": [], "progress": None, "waits_detail": None, **told})

        def _say(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


Told = Callable[..., tuple[Ran, list[Any]]]


@pytest.fixture
def told(at: CommandLine, cluster: Cluster) -> Told:
    """What the command says where the run goes through some states."""

    def ask(*states: dict[str, Any], options: tuple[str, ...] = ("--wait",)) -> tuple[Ran, list[Any]]:
        with a_trainer(*states) as (url, asked):
            own, cluster.urls["trainer"] = cluster.urls["trainer"], url
            try:
                return at("reproduce", "models:/delay/3", *options), asked
            finally:
                cluster.urls["trainer"] = own

    return ask


def test_a_reproduced_version_ends_with_0(told: Told) -> None:
    """After its run has ended; one line a part, and the verdict."""
    states = [{"state": "queued", "reproduction": GOES_ON}, {"state": "running", "reproduction": GOES_ON}]

    ran, asked = told(*states, {"state": "completed", "reproduction": SAME}, options=("--wait", "--reason", "proof"))

    assert ran.code == DONE
    assert ran.rows[:3] == [
        ["part", "result", "recorded", "now"],
        ["data", "same", "d1", "d1"],
        ["packages", "differs", '{"numpy": "1.0"}', '{"numpy": "2.0"}'],
    ]
    assert ran.rows[-1] == ["models:/delay/3 is reproduced: the same files came of it"]
    assert asked == [("/models/delay/versions/3/reproductions", {"tolerance": None, "reason": "proof"})]


def test_what_is_not_reproduced_ends_with_1_and_its_likely_reason(told: Told) -> None:
    """In words, and as one document with every part."""
    ran, asked = told({"state": "completed", "reproduction": OTHER}, options=("--wait", "--tolerance", "0.2"))
    document, _ = told({"state": "completed", "reproduction": OTHER}, options=("--wait", "--json"))

    assert (ran.code, document.code) == (REFUSED, REFUSED)
    assert "not reproduced; the likely reason: packages: numpy was 1.0 and is 2.0" in ran.out
    assert document.document["reproduction"] == OTHER
    assert asked[0][1]["tolerance"] == 0.2


def test_a_run_that_fails_reproduces_nothing(told: Told) -> None:
    """Its failure is said, as that of any other run."""
    failed = {"state": "failed", "reproduction": GOES_ON, "outcome": {"because": "data", "reason": "a part is gone"}}

    ran, _ = told(failed)

    assert (ran.code, ran.out.strip()) == (REFUSED, f"run {RUN}: failed; data: a part is gone")


def test_without_waiting_it_says_where_the_answer_will_be(told: Told) -> None:
    """And ends with 0: it was asked for."""
    ran, _ = told({"state": "queued"}, options=())

    assert ran.code == DONE
    assert ran.out.splitlines() == [f"run {RUN}: queued", f"  `headrace runs show {RUN}` tells what comes of it"]


def test_the_wait_ends_with_its_time(told: Told) -> None:
    """The run goes on by itself."""
    ran, _ = told({"state": "running", "reproduction": GOES_ON}, options=("--wait", "--timeout", "0"))

    assert ran.code == LATE


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"reproduced": True, "by": "metrics", "tolerance": 0.02}, "other files, as its framework may give"),
        ({"reproduced": True, "by": "metrics", "tolerance": 0.02}, "metrics within 0.02"),
        ({"reproduced": False, "by": "metrics", "because": "python was 3.8 and is 3.11"}, "python was 3.8"),
    ],
)
def test_the_verdict_says_what_it_rests_on(found: dict[str, Any], words: str) -> None:
    """Files, or metrics where no equal files are promised."""
    assert words in verdict("models:/net/2", found)


def test_what_cannot_be_reproduced_is_refused_with_why(at: CommandLine, parcels: Cluster) -> None:
    """By number and by alias; a version, a model or a word that nobody knows; a viewer may not ask."""

    def refused() -> Ran | None:
        ran = at("reproduce", "models:/parcels/1")
        return ran if "of which nothing is known here" in ran.err else None  # once the trainer has heard of it

    assert until(refused).code == REFUSED
    for uri, why in (
        ("models:/parcels@champion", "of which nothing is known here"),
        ("models:/parcels/99", "no version models:/parcels/99"),
        ("models:/nobody/1", "no version models:/nobody/1"),
        ("parcels", "is not a model URI"),
    ):
        ran = at("reproduce", uri)
        assert (ran.code, why in ran.err) == (REFUSED, True), ran.err
    assert at("reproduce", "models:/parcels/1", "--json", role="viewer").document["status"] == 403
    assert at("reproduce", "models:/parcels/1", "--tolerance", "2").code == USAGE
