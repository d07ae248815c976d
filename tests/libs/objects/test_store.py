"""What any S3 server must do for us: one suite, run against each server at hand."""

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import urllib3

from headrace.contracts import ObjectRef
from headrace.objects import (
    AlreadyExists,
    Corrupt,
    Denied,
    Missing,
    ObjectSettings,
    StoreAway,
    SyncObjectStore,
    object_store,
)
from headrace.testkit.ports import free_ports
from headrace.testkit.s3 import S3

MIB = 1 << 20


def overwrite(objects: S3, ref: ObjectRef, data: bytes) -> None:
    """Do what nobody should: change an object behind the store's back."""
    objects.sync.client.put_object(ref.bucket, ref.key, BytesIO(data), len(data))


async def test_content_is_named_by_its_digest(objects: S3) -> None:
    """Without a key the content's SHA-256 is the key, and the reference says all of it."""
    ref = await objects.store.put("datasets", b"water")

    digest = hashlib.sha256(b"water").hexdigest()
    assert ref.key == f"sha256/{digest[:2]}/{digest[2:]}"
    assert (ref.sha256, ref.size, ref.bucket) == (digest, 5, objects.store.bucket("datasets"))
    assert await objects.store.get(ref) == b"water"


async def test_nothing_is_content_too(objects: S3) -> None:
    """An empty object is written and read like any other."""
    assert await objects.store.get(await objects.store.put("datasets", b"")) == b""


async def test_the_same_content_again_is_no_second_write(objects: S3) -> None:
    """Writing what is there already gives the same reference, under a given key as under its own."""
    assert await objects.store.put("models", b"a") == await objects.store.put("models", b"a")
    assert await objects.store.put("models", b"a", key="k") == await objects.store.put("models", b"a", key="k")


async def test_a_digest_that_is_known_already_names_the_file(objects: S3, tmp_path: Path) -> None:
    """It is not computed again; one that is not the file's is found out by whoever reads."""
    file = tmp_path / "file"
    file.write_bytes(b"water")

    known = await objects.store.put("datasets", file, sha256=hashlib.sha256(b"water").hexdigest())
    wrong = await objects.store.put("datasets", file, sha256="0" * 64)

    assert known == await objects.store.put("datasets", b"water")
    with pytest.raises(Corrupt):
        await objects.store.get(wrong)


@pytest.mark.parametrize("other", [b"two", b"longer than before"], ids=["same size", "other size"])
async def test_a_key_is_written_once(objects: S3, other: bytes) -> None:
    """Other content under a taken key is refused, and the first content stays."""
    first = await objects.store.put("models", b"one", key="k")

    with pytest.raises(AlreadyExists, match="choose another"):
        await objects.store.put("models", other, key="k")

    assert await objects.store.get(first) == b"one"


def test_one_of_many_writers_wins(objects: S3) -> None:
    """Twelve writers of one key at once: one reference, eleven refusals, and the winner's bytes are there."""

    def write(number: int) -> ObjectRef | AlreadyExists:
        try:
            return objects.sync.put("models", b"%d" % number, key="race")
        except AlreadyExists as refused:
            return refused

    with ThreadPoolExecutor(12) as pool:
        outcomes = [*pool.map(write, range(12))]

    (won,) = [each for each in outcomes if isinstance(each, ObjectRef)]
    assert hashlib.sha256(objects.sync.get(won)).hexdigest() == won.sha256


async def test_changed_bytes_are_noticed(objects: S3, tmp_path: Path) -> None:
    """An object changed behind our back is Corrupt by whichever way it is read, and no file appears."""
    ref = await objects.store.put("datasets", b"clean")
    overwrite(objects, ref, b"dirty")

    with pytest.raises(Corrupt, match=ref.key):
        await objects.store.get(ref)
    with pytest.raises(Corrupt):
        await objects.store.download(ref, tmp_path / "copy")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - the drafts, too, are gone


async def test_what_is_not_there_is_missing(objects: S3) -> None:
    """A reference to nothing raises Missing with its place; stat says None; removing it is no error."""
    ref = ObjectRef(bucket=objects.store.bucket("datasets"), key="no/such", size=1, sha256="0" * 64)

    with pytest.raises(Missing, match="no/such"):
        await objects.store.get(ref)
    with pytest.raises(Missing):
        [_ async for _ in objects.store.read("datasets", "no/such")]
    assert await objects.store.stat("datasets", "no/such") is None
    assert await objects.store.stat("datasets-", "no/such") is None
    assert await objects.store.stat("no bucket", "no/such") is None
    assert await objects.store.stat("datasets", "") is None
    await objects.store.remove("datasets", "no/such")


async def test_a_bucket_that_is_not_there_is_missing(objects: S3) -> None:
    """Reading from no bucket is Missing (on writing, SeaweedFS makes the bucket for an administrator)."""
    with pytest.raises(Missing, match="nowhere"):
        [_ async for _ in objects.store.read("nowhere", "x")]


async def test_a_stream_is_written_and_read_with_bounded_memory(objects: S3) -> None:
    """64 MiB pass through in blocks while this process holds a few MiB of them."""

    async def blocks() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * MIB

    tracemalloc.start()
    ref = await objects.store.put("uploads", blocks())
    size = 0
    async for block in objects.store.stream(ref):
        size += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == ref.size == 64 * MIB
    assert peak < 16 * MIB


async def test_a_reader_may_stop_early(objects: S3) -> None:
    """Reading a first block of many objects leaves the store usable."""
    ref = await objects.store.put("uploads", b"x" * (3 * MIB))

    for _ in range(40):
        blocks = objects.store.stream(ref)
        assert await anext(blocks)
        await blocks.aclose()  # type: ignore[attr-defined]

    assert len(await objects.store.get(ref)) == 3 * MIB


async def test_objects_too_big_for_one_put_go_in_parts(objects: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit of a single PUT the same promises hold: read back, written once."""
    monkeypatch.setattr("headrace.objects.sync.SINGLE_PUT", 5 * MIB)
    monkeypatch.setattr("headrace.objects.sync.PART", 5 * MIB)
    big = b"0123456789abcdef" * MIB

    ref = await objects.store.put("uploads", big, key="big")

    assert await objects.store.get(ref) == big
    assert await objects.store.put("uploads", big, key="big") == ref
    with pytest.raises(AlreadyExists):
        await objects.store.put("uploads", big[::-1], key="big")


class Killed(BaseException):
    """Ends a write as a killed process does: nobody tidies up."""


async def test_a_large_write_that_is_torn_leaves_nothing_to_read(
    objects: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of an object are no object; the write is done again as if nothing had been."""
    monkeypatch.setattr("headrace.objects.sync.SINGLE_PUT", 5 * MIB)
    monkeypatch.setattr("headrace.objects.sync.PART", 5 * MIB)
    write = objects.sync.client.put_object

    def torn(bucket: str, key: str, data: Any, *rest: Any, **more: Any) -> Any:
        read, left = data.read, iter(range(2))

        def reading(size: int = -1) -> bytes:
            if next(left, None) is None:
                raise Killed
            return bytes(read(size))

        data.read = reading
        return write(bucket, key, data, *rest, **more)

    file = tmp_path / "file"
    file.write_bytes(b"0123456789abcdef" * MIB)
    with monkeypatch.context() as killing:
        killing.setattr(objects.sync.client, "put_object", torn)
        with pytest.raises(Killed):
            objects.sync.put("datasets", file)

    assert [*objects.sync.list("datasets")] == []
    assert objects.sync.get(objects.sync.put("datasets", file)) == file.read_bytes()


async def test_directories_come_back_as_they_went(objects: S3, tmp_path: Path) -> None:
    """A model directory round trips; its digest depends on its content, not on where it lies."""
    source = tmp_path / "model"
    (source / "deep").mkdir(parents=True)
    (source / "MLmodel").write_text("flavors: {}")
    (source / "deep" / "weights.onnx").write_bytes(b"\0" * 1000)

    one = await objects.store.put_directory("models", source, prefix="m/1")
    two = await objects.store.put_directory("models", source, prefix="m/2")
    back = await objects.store.get_directory(one, tmp_path / "back")

    assert one.digest == two.digest
    assert [file.path for file in one.files] == ["MLmodel", "deep/weights.onnx"]
    assert (back / "deep" / "weights.onnx").read_bytes() == b"\0" * 1000


async def test_a_directory_cannot_lead_out_of_its_folder(objects: S3, tmp_path: Path) -> None:
    """An artifact whose list was changed, or whose file names climb, is Corrupt."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_text("a")
    artifact = await objects.store.put_directory("models", tmp_path / "model", prefix="m")
    climbing = [file.model_copy(update={"path": "../../evil"}) for file in artifact.files]

    with pytest.raises(Corrupt, match="list of files"):
        await objects.store.get_directory(artifact.model_copy(update={"files": climbing}), tmp_path / "to")


async def test_a_presigned_url_needs_no_key(objects: S3) -> None:
    """Whoever holds the URL reads the object."""
    ref = await objects.store.put("reports", b"for a person")

    answer = await asyncio.to_thread(
        urllib3.request, "GET", objects.store.presign(ref, timedelta(minutes=1)), retries=False
    )

    assert (answer.status, answer.data) == (200, b"for a person")


async def test_listing_sees_all_under_a_prefix(objects: S3) -> None:
    """Only keys that begin with the prefix, with sizes."""
    for key in ("a/1", "a/2", "b/1"):
        await objects.store.put("reports", key.encode() * 2, key=key)

    assert [(each.key, each.size) for each in await objects.store.list("reports", "a/")] == [("a/1", 6), ("a/2", 6)]


async def test_a_wrong_key_is_denied_with_advice(objects: S3) -> None:
    """An identity with the wrong secret learns that it is the key, for reading as for writing."""
    stranger = object_store(objects.settings.model_copy(update={"secret_key": "wrong-secret"}))
    ref = await objects.store.put("datasets", b"secret")

    with pytest.raises(Denied, match="key and policy"):
        await stranger.get(ref)
    with pytest.raises(Denied, match="key and policy"):
        await stranger.put("datasets", b"more")


async def test_whoever_must_answer_soon_is_told_whether_an_object_may_be_there(objects: S3) -> None:
    """What is not there, and what one may not look at, is not; of a store that is away nobody knows."""
    ref = await objects.store.put("datasets", b"water")
    stranger = object_store(objects.settings.model_copy(update={"secret_key": "wrong-secret"}))
    away = object_store(
        ObjectSettings(endpoint=f"http://127.0.0.1:{free_ports(1)[0]}", access_key="a", secret_key="b", retries=0)
    )

    assert await objects.store.may_be_there(ref.bucket, ref.key)
    assert not await objects.store.may_be_there(ref.bucket, "another")
    assert not await stranger.may_be_there(ref.bucket, ref.key)
    assert await away.may_be_there(ref.bucket, ref.key)


def test_a_store_that_is_away_is_said_to_be_away() -> None:
    """No answer is StoreAway with the endpoint's name, soon, and not a hang of minutes."""
    port = free_ports(1)[0]
    away = SyncObjectStore(
        ObjectSettings(endpoint=f"http://127.0.0.1:{port}", access_key="a", secret_key="b", retries=1)
    )

    with pytest.raises(StoreAway, match=str(port)):
        away.put("datasets", b"x")
    with pytest.raises(StoreAway, match=str(port)):
        away.stat("datasets", "x")
