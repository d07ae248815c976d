"""The list of a version's parts: what an append costs, what any version can be read from, and who may be faster."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headrace.contracts import DatasetIngested, Manifest, ObjectRef, Part, Segment
from headrace.contracts.versions import version_digest
from headrace.ingest.manifest import FAN, Grown, Manifests, folded, fullest
from headrace.ingest.pipeline import Ingestion, Task, spool
from headrace.ingest.profile import GRID, measure
from headrace.ingest.profiles import Profile, Profiles
from headrace.objects import Corrupt, Missing
from headrace.objects.manifest import parts_of, version_parts
from headrace.testkit import Harness
from headrace.testkit.s3 import S3

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ROOT_BYTES = 40_000  # at most, of a million parts: 7 of them, and 7 nodes of each of seven levels


def profile(*values: float) -> bytes:
    """The profile document of a column x."""
    column = measure("number", pa.chunked_array([pa.array(values, pa.float64())]))
    column.sketch.add(np.array(values, dtype=float))
    column.grid = column.sketch.quantiles(GRID)
    return Profile(len(values), {"x": column}).as_json()


def ref(content: bytes) -> ObjectRef:
    """Where content would lie."""
    digest = hashlib.sha256(content).hexdigest()
    return ObjectRef(bucket="test-datasets", key=f"sha256/{digest[:2]}/{digest[2:]}", size=len(content), sha256=digest)


def part(number: int, profile: ObjectRef, rows: int = 20) -> Part:
    """The part that a file with this number made."""
    return Part(
        object=ref(b"object %d" % number),
        rows=rows,
        source=ref(b"source %d" % number),
        source_name=f"{number}.csv",
        profile=profile,
        ingested_at=MOMENT,
    )


@dataclass
class Grew:
    """A manifest after each of its parts had come."""

    parts: list[Part]
    steps: list[Grown]


async def grow(s3: S3, count: int) -> Grew:
    """Add parts, one after the other."""
    manifests, told = Manifests(s3.store), await Profiles(s3.store).put(profile(*range(20)))
    parts, steps = [part(number, told) for number in range(count)], list[Grown]()
    for each in parts:
        steps.append(await manifests.add(steps[-1].root if steps else None, each))
    return Grew(parts, steps)


@pytest.fixture(scope="module")
def many(s3_server: S3) -> tuple[S3, Grew]:
    """A manifest of more parts than one level holds, in a store of its own."""
    s3 = s3_server.fresh("many-")
    return s3, asyncio.run(grow(s3, 2 * FAN * FAN + FAN + 3))


def test_each_version_reads_from_its_own_root(many: tuple[S3, Grew]) -> None:
    """Also an old one, after many others; every part is there once, in order."""
    s3, grew = many
    for count in (1, FAN - 1, FAN, FAN + 1, FAN * FAN - 1, FAN * FAN, FAN * FAN + 1, len(grew.parts)):
        assert list(parts_of(s3.sync, grew.steps[count - 1].root)) == grew.parts[:count]


def test_the_cost_of_an_append_does_not_grow(many: tuple[S3, Grew]) -> None:
    """A root has a bounded size; a node is written once, when it is full; of all objects, an event names each."""
    s3, grew = many
    count = len(grew.parts)

    assert max(step.root.size for step in grew.steps) < ROOT_BYTES
    sealed = [segment for step in grew.steps for segment in step.sealed]
    assert [segment.level for segment in sealed].count(0) == count // FAN
    assert {(segment.level, segment.parts, segment.rows) for segment in sealed} == {
        (0, FAN, FAN * 20),
        (1, FAN * FAN, FAN * FAN * 20),
    }
    named = {each.root.key for each in grew.steps} | {grew.parts[0].profile.key}
    named |= {key for segment in sealed for key in (segment.object.key, segment.profile.key)}
    assert {found.key for found in s3.sync.list("datasets")} == named


def test_a_root_stays_small_over_a_million_parts() -> None:
    """Of each level it lists at most FAN - 1 nodes; checked without a store, for as many as nobody will have."""
    one = ref(b"x")
    for count in (1, FAN**2, FAN**3 - 1, FAN**4 + FAN + 1, FAN**7 - 1):
        root = Manifest(segments=list(in_powers(count - count % FAN, one)), parts=[part(0, one)] * (count % FAN))
        sealed = 0
        while (full := fullest(root)) is not None:
            sealed += 1
            level = full.segments[0].level + 1 if full.segments else 0
            root = folded(root, segment(level, one))
        assert sealed == 0
        assert len(root.segments) < FAN * 7
        assert len(root.model_dump_json(exclude_none=True)) < ROOT_BYTES


def segment(level: int, at: ObjectRef) -> Segment:
    """A full node of a level."""
    return Segment(object=at, level=level, parts=FAN ** (level + 1), rows=0, profile=at)


def in_powers(parts: int, at: ObjectRef) -> Iterator[Segment]:
    """The nodes that so many parts fill, the largest first."""
    for level in range(6, -1, -1):
        full, parts = divmod(parts, FAN ** (level + 1))
        yield from [segment(level, at)] * full


async def test_what_is_not_the_versions_list_is_not_believed(s3: S3) -> None:
    """A list of other parts, of none, and one that is gone: each is an error, never fewer rows."""
    grew = await grow(s3, FAN + 2)
    digests: list[str] = []
    for each in grew.parts:
        digests.append(version_digest("flights", digests[-1] if digests else None, each.object.sha256))
    root, before = grew.steps[-1].root, grew.steps[-2].root

    assert list(version_parts(s3.sync, "flights", digests[-1], root)) == grew.parts
    for digest, dataset, at in ((digests[-1], "flights", before), (digests[-1], "other", root)):
        with pytest.raises(Corrupt, match="another version"):
            list(version_parts(s3.sync, dataset, digest, at))
    with pytest.raises(Corrupt, match="no manifest"):
        list(parts_of(s3.sync, s3.sync.put("datasets", b'{"parts": 3}')))
    (node,) = [segment for step in grew.steps for segment in step.sealed]
    s3.sync.remove("datasets", node.object.key)
    with pytest.raises(Missing):
        list(parts_of(s3.sync, root))


async def test_readers_ignore_what_a_later_writer_adds(s3: S3) -> None:
    """A field that they do not know is none of theirs."""
    told = json.loads(Manifest(segments=[], parts=[part(1, ref(b"p"))]).model_dump_json(exclude_none=True))
    root = s3.sync.put("datasets", json.dumps(told | {"new": 1}).encode())
    assert [each.source_name for each in parts_of(s3.sync, root)] == ["1.csv"]


async def test_the_profile_of_a_version_is_that_of_all_its_rows(s3: S3) -> None:
    """Merged from sealed nodes and single parts, whatever their number."""
    manifests, profiles, root = Manifests(s3.store), Profiles(s3.store), None
    for number in range(2 * FAN + 3):
        document = await profiles.put(profile(number, number + 0.5))
        root = (await manifests.add(root, part(number, document, rows=2))).root
    assert root is not None

    merged = json.loads(await manifests.profile(root))

    count = 2 * FAN + 3
    assert merged["rows"] == 2 * count
    column = merged["columns"]["x"]
    assert (column["count"], column["min"], column["max"]) == (2 * count, 0, count - 0.5)
    assert column["mean"] == pytest.approx((count - 1) / 2 + 0.25)
    assert column["quantiles"]["0.5"] == pytest.approx((count - 1) / 2 + 0.25, abs=1)


async def send(on: Harness, ingestion: Ingestion, folder: Path, name: str, mode: str = "append") -> Any:
    """Take one file in as one process among several does."""

    async def content() -> Any:
        yield f"carrier,delay\n{name},1\n".encode()

    place = folder / name
    place.mkdir()
    file = await spool(content(), place / "source")
    return await ingestion.ingest(on.app.state.runtime, Task("flights", mode, "key:anna"), file)


async def test_two_processes_that_append_at_once_lose_nothing(on: Harness, s3: S3, tmp_path: Path) -> None:
    """Who comes second begins again behind the first: each file is a part once, and the list has them all."""
    first: Ingestion = on.app.state.runtime.service.provides[Ingestion]
    processes = [Ingestion(s3.store, first.options, tmp_path, at_once=8) for _ in range(4)]

    answers = await asyncio.gather(*(send(on, processes[n % 4], tmp_path, f"f{n}") for n in range(FAN + 4)))

    assert sorted(answer.version for answer in answers) == list(range(1, FAN + 5))
    newest = await on.heard(DatasetIngested, where=lambda event: event.version == FAN + 4)
    assert isinstance(newest.data, DatasetIngested)
    listed = list(version_parts(s3.sync, "flights", newest.data.digest, newest.data.manifest))
    assert len({each.source.sha256 for each in listed}) == newest.data.parts == FAN + 4
    await on.quiet()
    assert [each.data.version for each in on.all(DatasetIngested)] == list(range(1, FAN + 5))  # type: ignore[attr-defined]


async def test_two_processes_with_the_same_file_make_one_version(on: Harness, s3: S3, tmp_path: Path) -> None:
    """The second finds that the first has done it."""
    first: Ingestion = on.app.state.runtime.service.provides[Ingestion]
    processes = [Ingestion(s3.store, first.options, tmp_path / str(n)) for n in range(2)]
    for each in processes:
        each.folder.mkdir()

    answers = await asyncio.gather(*(send(on, each, each.folder, "same") for each in processes))

    assert sorted((answer.version, answer.created) for answer in answers) == [(1, False), (1, True)]
    await on.quiet()
    assert len(on.all(DatasetIngested)) == 1


async def test_a_list_that_is_gone_is_said(on: Harness, s3: S3, tmp_path: Path) -> None:
    """Nothing is appended to what cannot be read; the answer names the object, and the way on works."""
    ingestion: Ingestion = on.app.state.runtime.service.provides[Ingestion]
    await send(on, ingestion, tmp_path, "first")
    root = (await on.http.get("/datasets/flights")).json()["manifest"]["key"]
    s3.sync.remove("datasets", root)

    answers = [
        await on.http.post("/datasets/flights/files", content=b"carrier,delay\nUA,2\n"),
        await on.http.get("/datasets/flights/versions/1/profile"),
    ]

    for answer in answers:
        assert (answer.status_code, root in answer.json()["detail"]) == (422, True)
    assert (await send(on, ingestion, tmp_path, "anew", mode="replace")).version == 2


async def test_replacing_begins_a_new_list(on: Harness, s3: S3, tmp_path: Path) -> None:
    """And so does the next append behind it; the version before still reads from its own event."""
    ingestion: Ingestion = on.app.state.runtime.service.provides[Ingestion]
    for number in range(FAN + 1):
        await send(on, ingestion, tmp_path, f"f{number}")
    await send(on, ingestion, tmp_path, "new", mode="replace")
    await send(on, ingestion, tmp_path, "more")

    await on.quiet()
    events = [each.data for each in on.all(DatasetIngested)]
    names = [[each.source.sha256 for each in listed(s3, event)] for event in events]

    assert [len(each) for each in names] == [*range(1, FAN + 2), 1, 2]
    assert names[-1][0] == names[-2][0]
    assert [len(event.sealed) for event in events] == [0] * (FAN - 1) + [1, 0, 0, 0]  # type: ignore[attr-defined]


def listed(s3: S3, event: Any) -> Iterator[Part]:
    """The parts of the version that an event tells of, by the event alone."""
    return version_parts(s3.sync, event.dataset, event.digest, event.manifest)
