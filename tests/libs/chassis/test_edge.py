"""What surrounds every request: the caller, bounds, headers; and that nothing gets out which should not."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from headrace.chassis import ServiceSettings
from headrace.chassis.auth import new_key, new_keys, write_keys
from headrace.chassis.headers import SECURITY_HEADERS
from headrace.chassis.http import make_app, requires
from headrace.chassis.limits import Limiter, too_deep
from headrace.chassis.openapi import Unguarded
from headrace.chassis.run import http_server
from headrace.testkit.ports import free_ports


def test_a_route_that_asks_for_no_scope_does_not_start(program: Any) -> None:
    """Deny by default: who forgets the scope finds out before anybody else does, in whichever router it lies."""
    inner, outer = APIRouter(), APIRouter(prefix="/outer")

    @inner.get("/open")
    async def open_() -> None:
        """Nobody is asked."""

    @outer.get("/guarded", dependencies=[requires("registry:read")])
    async def guarded() -> None:
        """Somebody is."""

    service = replace(program.build(ServiceSettings()), routes=[outer])
    make_app(service, [])
    outer.include_router(inner, prefix="/inner")

    with pytest.raises(Unguarded, match="/outer/inner/open"):
        make_app(service, [])


def test_a_scope_of_the_router_guards_its_routes(program: Any) -> None:
    """The page says so too, beside the scope of the route itself."""
    router = APIRouter(prefix="/r", dependencies=[requires("audit:read")])

    @router.get("/one")
    async def one() -> None:
        """Guarded by the router."""

    app = make_app(replace(program.build(ServiceSettings()), routes=[router]), [])

    assert app.openapi()["paths"]["/r/one"]["get"]["security"] == [{"bearer": ["audit:read"]}]


async def test_every_answer_has_the_security_headers(on_sqlite: Any) -> None:
    """Good ones, errors, and pages, which may load their viewer and nothing else."""
    async with on_sqlite() as on:
        answers = [await on.http.get(path) for path in ("/notes", "/nowhere", "/fails/bug", "/live", "/openapi.json")]
        page = await on.http.get("/docs")

    for answer in answers:
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_the_inside_of_a_service_does_not_get_out(on_sqlite: Any) -> None:
    """Of an error that nobody expected a caller learns where to look, not what went wrong."""
    async with on_sqlite() as on:
        answer = await on.http.get("/fails/bug")

    assert answer.status_code == 500
    for inside in ("Traceback", "ZeroDivisionError", "the inside of the service", ".py", "server"):
        assert inside not in answer.text
        assert inside not in str(answer.headers)


async def test_a_compressed_body_is_refused(on_sqlite: Any) -> None:
    """What is small on the wire and large here cannot be sent."""
    async with on_sqlite() as on:
        for kind in ("gzip", "deflate", "br", "zstd", "identity, gzip"):
            answer = await on.http.post("/notes", content=b"x", headers={"content-encoding": kind})
            assert answer.status_code == 415


async def test_an_upload_may_be_compressed_in_the_one_way_that_its_service_reads(on_sqlite: Any) -> None:
    """Gzip passes the edge, which says of others what is read; what no route knows is 404, not 415."""
    async with on_sqlite() as on:
        told = {
            kind: await on.http.post("/things/files", content=b"x", headers={"content-encoding": kind})
            for kind in ("gzip", "GZIP", "br", "gzip, gzip")
        }

        assert {kind: answer.status_code for kind, answer in told.items()} == {
            "gzip": 404, "GZIP": 404, "br": 415, "gzip, gzip": 415,
        }  # fmt: skip
        assert "Content-Encoding: gzip" in told["br"].text


@pytest.mark.parametrize("opener", ["[", '{"a":', '[{"a":'])
async def test_json_that_nests_too_deep_is_refused_before_it_is_parsed(on_sqlite: Any, opener: str) -> None:
    """At any depth, closed or not, and whatever a string says of brackets."""
    async with on_sqlite() as on:
        for depth in (70, 5_000, 200_000):
            answer = await on.http.post("/notes", content=opener.encode() * depth)
            assert (answer.status_code, answer.json()["detail"]) == (422, "the JSON nests too deep")
        fine = await on.http.post("/notes", json={"id": "[" * 5_000, "pages": 1})

    assert fine.status_code == 200


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b'{"a":' * 65 + b"1" + b"}" * 65, True),
        (b'"' + b"[" * 100 + b'"', False),
        (b'["\\"' + b"[" * 100 + b'"]', False),
        (b"[]" * 10_000, False),
        (b"[" + b"[],{}," * 50_000 + b"[]]", False),
        (b"]" * 100 + b"[" * 60, False),
        (b"", False),
        (b"[" * 200 + b'"' + b'\\"' * 2_000_000, True),
        (b'"' + b'\\"' * 2_000_000 + b"[" * 200, False),
        (b"]" * 4_000_000, False),
        (b"[" * 4_000_000, True),
        (b"[]" * 2_000_000 + b"[" * 65 + b"]" * 65, True),
    ],
)
def test_depth_is_counted_without_parsing(body: bytes, deep: bool) -> None:
    """Width is no depth, brackets in strings are none, and megabytes of quotes or brackets take no time."""
    started = time.monotonic()

    assert too_deep(body) is deep
    assert time.monotonic() - started < 5


async def test_who_asks_too_often_waits_and_nobody_else_does(on_sqlite: Any, tmp_path: Path) -> None:
    """429, with how long; each caller has a share of their own, and strangers have none to use up."""
    file = tmp_path / "keys.json"
    ann, keys = new_key(new_keys(), "ann", ["trainer:read"])
    bob, keys = new_key(keys, "bob", ["trainer:read"])
    write_keys(file, keys)

    async with on_sqlite(api_keys_file=file, rate_limit=0.1, rate_burst=3) as on:

        async def ask(key: str) -> httpx.Response:
            answer: httpx.Response = await on.http.get("/notes", headers={"authorization": f"Bearer {key}"})
            return answer

        for _ in range(20):
            assert (await ask("hr_x_guess")).status_code == 401
        statuses = [(await ask(ann)).status_code for _ in range(5)]
        last, other = await ask(ann), await ask(bob)

    assert statuses == [200, 200, 200, 429, 429]
    assert 1 <= int(last.headers["retry-after"]) <= 10
    assert "key:ann" in last.json()["detail"]
    assert other.status_code == 200


def test_tokens_come_back_at_the_rate() -> None:
    """Two at once, then one in each half second."""
    now = 0.0
    limiter = Limiter(rate=2, burst=2, clock=lambda: now)

    assert [limiter.wait("a"), limiter.wait("a"), limiter.wait("a")] == [0, 0, 0.5]
    now = 0.5
    assert [limiter.wait("a"), limiter.wait("a")] == [0, 0.5]
    now = 60.0
    assert [limiter.wait("a"), limiter.wait("a"), limiter.wait("a")] == [0, 0, 0.5]
    assert [Limiter(rate=0, burst=1).wait("a") for _ in range(3)] == [0, 0, 0]


async def test_a_head_without_end_ends_its_connection(program: Any) -> None:
    """Headers would fill the memory before anything could look at them."""
    port = free_ports(1)[0]
    settings = ServiceSettings(http_port=port)
    server = http_server(make_app(program.build(settings), []), settings)
    serving = asyncio.create_task(server.serve())
    reader, writer = await _opened(port)

    sent = await _filled(writer)
    answer = await _rest(reader)

    writer.close()
    server.leave()
    await serving
    assert sent < 2**20
    assert answer[:13] in (b"", b"HTTP/1.1 431 ")  # a reset may overtake the answer


async def _filled(writer: asyncio.StreamWriter) -> int:
    """Send headers until the connection ends, or a megabyte is sent."""
    writer.write(b"GET /live HTTP/1.1\r\nhost: x\r\n")
    try:
        for at in range(256):
            writer.write(b"x-filler-%d: %b\r\n" % (at, b"y" * 4096))
            await writer.drain()
            await asyncio.sleep(0.001)  # the other side runs in this loop too
            if writer.transport.is_closing():
                return at * 4096
    except ConnectionError:
        return at * 4096
    return 2**20


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        return b""


async def _opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(500):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    raise AssertionError("nobody listens")
