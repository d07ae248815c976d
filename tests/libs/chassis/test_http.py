"""HTTP as every service speaks it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.chassis.auth import ROLES, Caller, new_key, new_keys, read_keys, write_keys
from headrace.contracts import TrainingQueued

SECOND_KEY = "second"


async def test_what_a_request_writes_and_says_is_one_transaction(on_harness: Any) -> None:
    """It is committed when the answer comes; the event follows, with the caller and the caller's trace."""
    trace = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
    async with on_harness() as on:
        answer = await on.http.post("/notes", json={"id": "one"}, headers={"traceparent": trace})
        said = await on.heard(TrainingQueued)

        assert answer.json() == {"actor": "key:anonymous"}
        assert (await on.http.get("/notes")).json() == ["one"]
        assert (said.authid, said.source) == ("key:anonymous", "headrace/trainer")
        assert "c" * 32 in answer.headers["traceparent"]
        assert "c" * 32 in said.traceparent


@pytest.mark.parametrize(
    ("how", "status", "detail"),
    [
        ("refused", 422, "never"),
        ("not_yet", 503, "later"),
        ("not_found", 404, "nothing there"),
        ("conflict", 409, "not now"),
        ("contract", 422, "data.rows: Input should be an integer"),
        ("bug", 500, "something went wrong here; the log holds the trace id of this answer"),
    ],
)
async def test_an_error_is_problem_details_and_leaves_nothing_behind(
    how: str, status: int, detail: str, on_harness: Any
) -> None:
    """RFC 9457, without the inside of the service, and without half of what was done."""
    async with on_harness() as on:
        answer = await on.http.get(f"/fails/{how}")

        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["detail"], answer.json()["status"]) == (detail, status)
        assert answer.headers.get("retry-after") == ("7" if how == "not_yet" else None)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await on.http.get("/notes")).json() == []


async def test_wrong_input_names_its_place(on_harness: Any) -> None:
    """Field by field; unknown paths and methods are problems too."""
    async with on_harness() as on:
        wrong = await on.http.post("/notes", json={"pages": "many"})
        unknown = await on.http.get("/nowhere")

        assert wrong.status_code == 422
        assert "id" in wrong.json()["detail"]
        assert "pages" in wrong.json()["detail"]
        assert unknown.json()["status"] == 404


async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(on_harness: Any) -> None:
    """A chunked body has no length to believe."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    async with on_harness(max_request_mb=1) as on:
        declared = await on.http.post("/size", content=b"x" * 2_000_000)
        chunked = await on.http.post("/size", content=chunks())
        small = await on.http.post("/size", content=b"x" * 1000)

        assert (declared.status_code, chunked.status_code, small.json()) == (413, 413, 1000)


async def test_a_service_is_ready_and_shows_its_figures(on_harness: Any, eventually: Any) -> None:
    """Broker, database, durables: all there."""
    async with on_harness() as on:
        await eventually(lambda: is_ready(on))

        assert (await on.http.get("/live")).json() == {"status": "alive"}
        assert "headrace_outbox_unsent" in (await on.http.get("/metrics")).text
        assert "/notes" in (await on.http.get("/openapi.json")).json()["paths"]


async def is_ready(on: Any) -> bool:
    """Whether the service says so."""
    return bool((await on.http.get("/ready")).status_code == 200)


async def test_readiness_tells_what_is_wrong_and_recovers(on_harness: Any, nats_server: Any, eventually: Any) -> None:
    """The broker is gone: reads are answered, readiness is not; it is back: ready again."""
    import asyncio

    async with on_harness() as on:
        await eventually(lambda: is_ready(on))
        await asyncio.to_thread(nats_server.kill)
        await eventually(lambda: names(on, "broker"))
        assert (await on.http.get("/notes")).status_code == 200
        await asyncio.to_thread(nats_server.start)

        await eventually(lambda: is_ready(on))


async def names(on: Any, problem: str) -> bool:
    """Whether readiness names a problem."""
    return problem in (await on.http.get("/ready")).json()["problems"]


async def test_what_is_parked_can_be_seen_said_again_and_given_up(on_harness: Any, eventually: Any) -> None:
    """Over HTTP, with the bytes that came, the reason and what to do."""
    async with on_harness() as on:
        for _ in range(2):
            await on.publish("headrace.request.training.flights", b"{nonsense")
        await eventually(lambda: dead_letter_count(on, 2))
        first, second = (await on.http.get("/dead-letters")).json()["items"]
        page = (await on.http.get("/dead-letters", params={"limit": 1})).json()

        shown = (await on.http.get(f"/dead-letters/{first['id']}")).json()
        replayed = await on.http.post(f"/dead-letters/{first['id']}/replay")
        dropped = await on.http.delete(f"/dead-letters/{second['id']}")

        assert (shown["body"], shown["key"]) == ("{nonsense", "flights")
        assert "not JSON" in shown["reason"]
        assert page["next_cursor"] == first["id"]
        assert (replayed.status_code, dropped.status_code) == (200, 204)
        assert (await on.http.get("/dead-letters/unknown")).status_code == 404


async def dead_letter_count(on: Any, count: int) -> bool:
    """Whether so many are set aside."""
    return len((await on.http.get("/dead-letters")).json()["items"]) == count


async def test_keys_say_who_asks_and_what_they_may(on_harness: Any, tmp_path: Path) -> None:
    """No key, a wrong key, a key with too little, a key that may."""
    file = tmp_path / "keys.json"
    viewer, keys = new_key(new_keys(), "vera", ROLES["viewer"])
    scientist, keys = new_key(keys, "sam", ROLES["scientist"])
    late, keys = new_key(keys, "old", ROLES["admin"], datetime.now(UTC) - timedelta(seconds=1))
    write_keys(file, keys)
    async with on_harness(api_keys_file=file) as on:

        async def status(key: str | None) -> int:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            code: int = (await on.http.post("/notes", json={"id": str(key)}, headers=headers)).status_code
            return code

        assert [await status(key) for key in (None, "hr_x_y", f"{scientist}x", late, viewer, scientist)] == [
            401,
            401,
            401,
            401,
            403,
            200,
        ]
        assert (await on.http.get("/who", headers={"authorization": f"bearer {viewer}"})).json() == "key:vera"
        assert (await on.http.get("/live")).status_code == 200


async def test_a_key_that_is_taken_away_is_refused_without_a_restart(on_harness: Any, tmp_path: Path) -> None:
    """The file is read again when it changes; a file that is gone allows nobody."""
    file = tmp_path / "keys.json"
    key, keys = new_key(new_keys(), "ann", ROLES["admin"])
    write_keys(file, keys)
    async with on_harness(api_keys_file=file) as on:
        headers = {"authorization": f"Bearer {key}"}
        assert (await on.http.get("/who", headers=headers)).status_code == 200
        write_keys(file, new_keys())
        assert (await on.http.get("/who", headers=headers)).status_code == 401
        file.unlink()
        assert (await on.http.get("/who", headers=headers)).status_code == 401


def test_the_file_of_keys_holds_no_key(tmp_path: Path) -> None:
    """Only keyed hashes, and only its owner reads it."""
    file = tmp_path / "keys.json"
    key, keys = new_key(new_keys(), "ann", ROLES["admin"])
    write_keys(file, keys)

    assert key.split("_", 2)[2] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert read_keys(file) == keys


@pytest.mark.parametrize(
    ("role", "scope", "may"),
    [
        ("viewer", "ingest:read", True),
        ("viewer", "ingest:write", False),
        ("scientist", "registry:approve", False),
        ("approver", "registry:approve", True),
        ("auditor", "audit:read", True),
        ("engineer", "dead-letters:read", True),
        ("admin", "anything:at-all", True),
    ],
)
def test_roles_are_sets_of_scopes(role: str, scope: str, may: bool) -> None:
    """Writing includes reading; an administrator may all."""
    assert Caller("x", frozenset(ROLES[role])).may(scope) == may
