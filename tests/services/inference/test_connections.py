"""What a client may hold open without having shown a key: of a service and of a replica, which share the protocol."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.bus.tasks import cancel
from headrace.chassis import Service, ServiceSettings
from headrace.chassis.auth import new_key, new_keys, write_keys
from headrace.chassis.http import make_app
from headrace.chassis.process import HttpServer
from headrace.chassis.run import http_server as service_server
from headrace.inference.errors import Gone
from headrace.inference.http import read_body
from headrace.inference.server import Replica, http_server
from headrace.inference.settings import InferenceSettings
from headrace.testkit.waiting import eventually

from .conftest import Alone, Lonely, Model, matrix, open_port

ROW = [1.0, 2.0, 3.0, 4.0]
PATHS = {"service": "/openapi.json", "replica": "/v2/health/live"}
HALF_HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\nauthorization: Bea"
HALF_BODY = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
LONG_BODY = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{"
FULL_MINUTE = os.environ.get("HEADRACE_FAULTS") == "all"
SECONDS = 60.0 if FULL_MINUTE else 3.0


@dataclass
class Open:
    """A server that listens."""

    server: HttpServer
    port: int
    path: str

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has sent something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        return reader, writer

    async def answer(self, sent: bytes) -> bytes:
        """What is answered to something that goes no further, up to the end of the connection."""
        reader, writer = await self.connect(sent)
        async with asyncio.timeout(20):
            told = await reader.read(-1)
        writer.close()
        return told


@asynccontextmanager
async def opened(kind: str, folder: Path, **settings: Any) -> AsyncIterator[Open]:
    """A service's HTTP port or a replica's."""
    told = {"http_port": 0, **settings}
    if kind == "replica":
        server = http_server(Replica(InferenceSettings(cache_dir=folder, **told)))
    else:
        made = ServiceSettings(**told)
        server = service_server(make_app(Service("registry", made, {}), []), made)
    async with listening(server, PATHS[kind]) as at:
        yield at


@asynccontextmanager
async def listening(server: HttpServer, path: str) -> AsyncIterator[Open]:
    """A server on its port."""
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield Open(server, server.servers[0].sockets[0].getsockname()[1], path)
    finally:
        server.leave()
        await serving


@pytest.fixture(params=PATHS)
def kind(request: pytest.FixtureRequest) -> str:
    """A service, and a replica."""
    return str(request.param)


async def test_a_head_that_does_not_come_ends_its_connection(kind: str, tmp_path: Path) -> None:
    """408 where something was sent; a connection that says nothing is just closed."""
    async with opened(kind, tmp_path, http_head_s=0.2) as at:
        half, silent = await asyncio.gather(at.answer(HALF_HEAD), at.answer(b""))
        left = len(at.server.clients.open)

    assert half.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"head of a request has 0.2 s" in half
    assert silent == b""
    assert left == 0


async def test_a_body_that_does_not_come_ends_its_connection(kind: str, tmp_path: Path) -> None:
    """By the short way and the long one; a stranger is refused before that."""
    async with opened(kind, tmp_path, http_body_s=0.2) as at:
        told = await asyncio.gather(at.answer(HALF_BODY), at.answer(LONG_BODY))
        left = len(at.server.clients.open)

    assert {answer[:13] for answer in told} <= {b"HTTP/1.1 408 ", b"HTTP/1.1 404 ", b"HTTP/1.1 401 "}
    assert left == 0


async def test_a_slow_body_that_keeps_coming_is_taken(alone: Lonely, numbers: Model) -> None:
    """The deadline grows with what has come: a slow line is no attack."""
    made: Alone = await alone(numbers, http_body_s=0.5)
    await made.serve("m", numbers.route())
    body = httpx.Request("POST", "http://x", json=matrix(*[ROW] * 300)).content
    head = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)

    async with open_port(made.replica) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        started = time.monotonic()
        for at in range(0, len(body), 1024):
            writer.write(body[at : at + 1024])
            await asyncio.sleep(0.2)  # five KiB a second: the line's pace, not a wait for a fact
        told = await reader.read(-1)
        writer.close()

    assert time.monotonic() - started > 0.8
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_half_a_body_is_no_request() -> None:
    """A client that goes away in the midst of rows of CSV has asked for nothing, so nothing is answered or logged."""
    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x0,x1\n1,2\n", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    with pytest.raises(Gone):
        await read_body({"headers": []}, receive, 1000)


async def test_one_address_holds_so_many_connections_and_no_more(kind: str, tmp_path: Path) -> None:
    """The next one is told so; one that is given back can be used again."""
    async with opened(kind, tmp_path, http_connections_per_address=3) as at:
        held = [await at.connect(HALF_HEAD) for _ in range(3)]
        await eventually(lambda: at.server.clients.counts.total() == 3)
        refused = await at.answer(b"")
        held.pop()[1].close()
        await eventually(lambda: at.server.clients.counts.total() == 2)
        taken = await at.answer(f"GET {at.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        for _, writer in held:
            writer.close()

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 5" in refused
    assert taken.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_that_nobody_reads_ends_its_connection(kind: str, tmp_path: Path) -> None:
    """What does not fit into the network's buffers is dropped with its connection."""
    async with opened(kind, tmp_path) as at:
        reader, writer = await at.connect(f"GET {at.path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert await reader.read(1) == b"H"
        (protocol,) = at.server.clients.open
        protocol.pause_writing()
        now = asyncio.get_running_loop().time()

        at.server.clients.end_the_late(now + 59)
        kept = not protocol.transport.is_closing()
        at.server.clients.end_the_late(now + 61)
        writer.close()

        assert kept
        assert protocol.transport.is_closing()


@pytest.mark.parametrize("way", ["short", "long"])
async def test_two_keys_are_no_key(way: str, alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """Whichever comes first, and on both ways through a replica: one rule, so that nobody chooses who asked."""
    good, keys = new_key(new_keys(), "ann", ["predict"])
    write_keys(tmp_path / "keys.json", keys)
    made: Alone = await alone(numbers, api_keys_file=tmp_path / "keys.json")
    await made.serve("m", numbers.route())
    path = "/v2/models/m/infer" if way == "short" else "/v2/models/m/versions/1/infer"
    right, wrong = ("authorization", f"Bearer {good}"), ("authorization", "Bearer hr_x_y")

    async with open_port(made.replica) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        one = await http.post(path, json=matrix(ROW), headers=[right])
        two = [
            await http.post(path, json=matrix(ROW), headers=pair)
            for pair in ([right, wrong], [wrong, right], [right] * 2)
        ]

    assert one.status_code == 200
    assert [answer.status_code for answer in two] == [400] * 3
    assert "one Authorization header" in two[0].json()["error"]


async def test_two_keys_are_no_key_for_a_service(tmp_path: Path) -> None:
    """The same rule as on a replica."""
    good, keys = new_key(new_keys(), "ann", ["admin"])
    write_keys(tmp_path / "keys.json", keys)
    pair = [("authorization", f"Bearer {good}")] * 2
    async with (
        opened("service", tmp_path, api_keys_file=tmp_path / "keys.json") as at,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as http,
    ):
        answers = [await http.get("/keys", headers=each) for each in (pair, pair[::-1])]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "one Authorization header" in answers[0].json()["detail"]


@pytest.mark.timeout(120)
async def test_hundreds_of_half_sent_requests_slow_nobody_down(alone: Lonely, numbers: Model) -> None:
    """500 half-open connections, opened again whenever they are ended; `make faults` keeps them up for a minute."""
    made: Alone = await alone(numbers, **({} if FULL_MINUTE else {"http_head_s": 0.5, "http_body_s": 0.5}))
    await made.serve("m", numbers.route())
    slowest, ended = 0.0, [0] * 500
    async with listening(http_server(made.replica), "") as at:
        attackers = [asyncio.create_task(_attack(at, ended, number)) for number in range(500)]
        await eventually(lambda: len(at.server.clients.open) > 450)
        end = time.monotonic() + SECONDS
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as http:
            while time.monotonic() < end or min(ended) == 0:
                started = time.monotonic()
                answer = await http.post("/v2/models/m/infer", json=matrix(ROW), timeout=10)
                slowest = max(slowest, time.monotonic() - started)
                assert answer.status_code == 200
        for attacker in attackers:
            await cancel(attacker)

    assert slowest < 1.0


async def _attack(at: Open, ended: list[int], number: int) -> None:
    """Half a request, and another one as soon as that is ended, for ever."""
    while True:
        reader, writer = await at.connect(HALF_BODY if number % 2 else HALF_HEAD)
        try:
            await reader.read(-1)
        finally:
            writer.close()
        ended[number] += 1
