"""How long a store is waited for that hangs, is slow, or fails again and again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from headrace.contracts import ObjectRef
from headrace.objects import ObjectSettings, StoreAway, SyncObjectStore, object_store
from headrace.testkit.s3 import S3, Seaweed

pytestmark = pytest.mark.resilience

SILENCE_S = 1.0  # of settings that are used while the server is stopped: else a busy machine may take longer
LARGE = 32 << 20  # bytes: more than the kernel keeps for a process that does not read


Hasty = tuple[Seaweed, S3, ObjectSettings]


@pytest.fixture
def hasty(own_s3: tuple[Seaweed, S3]) -> Iterator[Hasty]:
    """A server of the test's own, its store, and settings that wait for it for a second."""
    server, buckets = own_s3
    told = buckets.settings.model_copy(update={"read_timeout_s": SILENCE_S, "probe_timeout_s": SILENCE_S})
    yield server, buckets, told
    server.resume()


def calls(store: SyncObjectStore, ref: ObjectRef, file: Path) -> dict[str, Callable[[], object]]:
    """Every operation, as far as it asks the server."""
    return {
        "put": lambda: store.put("datasets", b"new"),
        "put of much": lambda: store.put("datasets", file),
        "get": lambda: store.get(ref),
        "stat": lambda: store.stat(ref.bucket, ref.key),
        "list": lambda: [*store.list("datasets")],
        "remove": lambda: store.remove(ref.bucket, "another"),  # the server does it when it goes on
        "download": lambda: store.download(ref, file.with_name("fetched")),
    }


def test_each_operation_ends_when_the_server_has_been_silent_for_long(hasty: Hasty, tmp_path: Path) -> None:
    """A stopped server takes connections and answers nothing: it is away, and is not asked five times."""
    server, buckets, settings = hasty
    store, file = SyncObjectStore(settings), tmp_path / "large"
    file.write_bytes(bytes(LARGE))
    ref = buckets.sync.put("datasets", b"there")

    server.suspend()
    for name, call in calls(store, ref, file).items():
        started = time.monotonic()
        with pytest.raises(StoreAway):
            call()
        assert time.monotonic() - started < 3 * SILENCE_S, name

    server.resume()
    assert buckets.sync.get(ref) == b"there"
    assert buckets.sync.get(buckets.sync.put("datasets", file)) == bytes(LARGE)


def begun(store: SyncObjectStore, ref: ObjectRef) -> Iterator[bytes]:
    """A stream whose first block has come; a busy machine may be silent for as long as these settings bear."""
    while True:
        blocks = store.stream(ref)
        with suppress(StoreAway):
            next(blocks)
            return blocks


def test_a_server_that_stops_in_the_midst_of_an_answer_is_noticed(hasty: Hasty) -> None:
    """What has come is no reason to wait for ever for the rest."""
    server, buckets, settings = hasty
    blocks = begun(SyncObjectStore(settings), buckets.sync.put("datasets", bytes(LARGE)))

    server.suspend()
    started = time.monotonic()
    with pytest.raises(StoreAway):
        list(blocks)
    assert time.monotonic() - started < 3 * SILENCE_S


async def test_calls_that_hang_keep_no_other_work_waiting(hasty: Hasty) -> None:
    """The store has threads of its own, and the event loop's are free."""
    server, _, settings = hasty
    store = object_store(settings)

    server.suspend()
    hanging = [asyncio.create_task(store.stat("datasets", f"{number}")) for number in range(50)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await asyncio.to_thread(time.sleep, 0)
    assert time.monotonic() - started < SILENCE_S / 2

    server.resume()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_look_tells_a_server_that_hangs_from_one_that_answers(hasty: Hasty) -> None:
    """Within its own deadline; a no is an answer, to a stranger as well."""
    server, buckets, settings = hasty
    store = object_store(settings)
    await buckets.store.probe("datasets")
    await object_store(buckets.settings.model_copy(update={"secret_key": "wrong"})).probe("datasets")
    await buckets.store.probe("no-such-bucket")

    server.suspend()
    started = time.monotonic()
    with pytest.raises(StoreAway):
        await store.probe("datasets")
    assert time.monotonic() - started < 3 * SILENCE_S

    server.resume()
    await buckets.store.probe("datasets")


async def test_whoever_must_answer_soon_does_not_wait_for_a_server_that_hangs(hasty: Hasty) -> None:
    """After its own short while, whatever the settings say of silence: the object may be there."""
    server, buckets, _ = hasty

    server.suspend()
    started = time.monotonic()
    assert await buckets.store.may_be_there("datasets", "no-such-object", within_s=0.2)
    assert time.monotonic() - started < SILENCE_S

    server.resume()
    assert not await buckets.store.may_be_there("datasets", "no-such-object")


class Failing(BaseHTTPRequestHandler):
    """Says after a while that it cannot answer now."""

    def do_HEAD(self) -> None:
        """503, late."""
        time.sleep(0.3)
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_no_attempt_begins_after_the_time_that_is_given() -> None:
    """However many retries are left, and however slowly each fails."""
    server = HTTPServer(("127.0.0.1", 0), Failing)
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    settings = ObjectSettings(endpoint=endpoint, access_key="a", secret_key="b", retries=100, give_up_after_s=1.0)

    started = time.monotonic()
    with pytest.raises(StoreAway):
        SyncObjectStore(settings).stat("datasets", "x")
    assert time.monotonic() - started < 5
    server.shutdown()
