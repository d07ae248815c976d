"""Ingest as a whole: files in by HTTP and by event, versions out, refusals with their reasons."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from headrace.contracts import (
    ColumnRule,
    DatasetIngested,
    DatasetRejected,
    IngestRequested,
    ModelDeclared,
    ObjectPlace,
    ObjectRef,
    RequestRefused,
)
from headrace.ingest.violations import TOLD
from headrace.objects.manifest import version_parts
from headrace.tasks import parse_declaration
from headrace.testkit import Harness, a, eventually
from headrace.testkit.s3 import S3

JAN = b"carrier,delay\nAA,1\nUA,2.5\n"
FEB = b"carrier,delay\nAA,3\nDL,4\n"
BAD = b"carrier,delay\nAA,1\nUA,late\n"


async def upload(on: Harness, data: Any, dataset: str = "flights", **query: str) -> Any:
    """Send a file as a person would."""
    headers = {"content-type": "text/csv", "x-source-name": "jan%20uary.csv"}
    return await on.http.post(f"/datasets/{dataset}/files", content=data, params=query, headers=headers)


def digests(*files: bytes) -> list[str]:
    """SHA-256 of files."""
    return [hashlib.sha256(file).hexdigest() for file in files]


async def declare(on: Harness, columns: Any, revision: int = 1, model: str = "m") -> None:
    """Declare a model whose data have a contract."""
    document = {"name": model, "data": {"dataset": "flights", "target": "delay", "contract": columns}}
    declaration = parse_declaration(document)
    await on.say(a(ModelDeclared, name=model, revision=revision, declaration=declaration, changed=[], by="key:anna"))
    await on.quiet()


async def test_an_uploaded_file_becomes_a_version(on: Harness, s3: S3) -> None:
    """201 with what it made; the event says where everything lies; the Parquet holds the rows."""
    answer = await upload(on, JAN)

    said = (await on.heard(DatasetIngested, "flights")).data
    assert isinstance(said, DatasetIngested)
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "dataset": "flights",
            "version": 1,
            "digest": said.digest,
            "rows": 2,
            "added_rows": 2,
            "rejected": 0,
            "sha256": hashlib.sha256(JAN).hexdigest(),
            "created": True,
            "warnings": [],
        },
    )
    part = said.part
    assert (part.source_name, part.source.sha256) == ("jan uary.csv", hashlib.sha256(JAN).hexdigest())
    assert await s3.store.get(part.source) == JAN
    rows = pq.read_table(io.BytesIO(await s3.store.get(part.object))).to_pylist()
    assert rows == [{"carrier": "AA", "delay": 1.0}, {"carrier": "UA", "delay": 2.5}]
    profile = json.loads(await s3.store.get(part.profile))
    assert profile["columns"]["delay"]["mean"] == 1.75


async def test_files_are_taken_again_after_the_database_was_away(on: Harness) -> None:
    """The loop that takes up jobs ends with its database and is started again; it must not stop the work for good."""
    engine = on.app.state.runtime.store.engine
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE ingest_job RENAME TO ingest_job_away"))
    await eventually(lambda: "jobs" in on.app.state.runtime.problems)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE ingest_job_away RENAME TO ingest_job"))

    answer = await upload(on, JAN)

    assert answer.status_code == 201, answer.text
    await eventually(lambda: not on.app.state.runtime.problems)


async def test_the_event_continues_the_uploads_trace(on: Harness) -> None:
    """Who uploaded is in the event, and the trace goes on."""
    trace = "ab" * 16
    await on.http.post("/datasets/flights/files", content=JAN, headers={"traceparent": f"00-{trace}-{'cd' * 8}-01"})
    said = await on.heard(DatasetIngested)
    assert said.authid == "key:anonymous"
    assert said.traceparent is not None
    assert said.traceparent.split("-")[1] == trace


async def test_the_same_file_again_is_the_same_version(on: Harness) -> None:
    """200, and nothing new is said; also while others have come since."""
    first = await upload(on, JAN)
    again = await upload(on, JAN)
    await upload(on, FEB)
    later = await upload(on, JAN)

    assert [answer.status_code for answer in (first, again, later)] == [201, 200, 200]
    assert [answer.json()["version"] for answer in (first, again, later)] == [1, 1, 2]
    await on.quiet()
    assert len(on.all(DatasetIngested)) == 2


async def test_appending_and_replacing(on: Harness, s3: S3) -> None:
    """Append keeps the parts before; replace begins anew; each version stays what it was, by its event alone."""
    await upload(on, JAN)
    await upload(on, FEB)
    replaced = await upload(on, FEB.replace(b"4", b"5"), mode="replace")

    assert replaced.json() | {"version": 3, "rows": 2} == replaced.json()
    second = (await on.http.get("/datasets/flights/versions/2")).json()
    assert (second["rows"], second["added_rows"], second["parts"]) == (4, 2, 2)
    said = await on.heard(DatasetIngested, where=lambda event: event.version == 2)
    assert isinstance(said.data, DatasetIngested)
    listed = (await on.http.get("/datasets/flights/versions/2/parts")).json()["items"]
    parts = version_parts(s3.sync, "flights", said.data.digest, said.data.manifest)
    assert [part.source.sha256 for part in parts] == [part["source"]["sha256"] for part in listed] == digests(JAN, FEB)
    profile = (await on.http.get("/datasets/flights/versions/2/profile")).json()
    assert (profile["rows"], profile["columns"]["delay"]["mean"]) == (4, 2.625)


async def test_a_file_that_breaks_the_contract_is_refused(on: Harness, s3: S3) -> None:
    """422 with the line; the same in the event and under /rejections; no version, and the file kept to look at."""
    await upload(on, JAN)
    answer = await upload(on, BAD)

    said = (await on.heard(DatasetRejected)).data
    assert isinstance(said, DatasetRejected)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("data_type_check: line 3: column 'delay': not a finite number")
    (violation,) = answer.json()["violations"]
    assert violation["first"] == [{"line": 3, "value": "late"}]
    assert said.violations[0].model_dump(exclude_none=True)["first"] == violation["first"]
    assert said.source is not None
    assert await s3.store.get(said.source) == BAD
    (kept,) = (await on.http.get("/datasets/flights/rejections")).json()["items"]
    assert (kept["reason"], kept["violations"]) == (said.reason, [violation])
    assert (await on.http.get("/datasets/flights")).json()["version"] == 1


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"a\ncaf\xe9\n"])
async def test_a_file_of_nothing_is_refused(on: Harness, data: bytes) -> None:
    """The first file too: no contract comes of it."""
    assert (await upload(on, data)).status_code == 422
    assert (await on.http.get("/datasets/flights/contract")).status_code == 404


async def test_a_declared_contract_holds(on: Harness) -> None:
    """From model.declared on; `infer` leaves it; the event heard again changes nothing."""
    rules = {"columns": [{"name": "carrier", "type": "string", "nullable": False, "allowed": ["AA", "UA"]},
                         {"name": "delay", "type": "number", "nullable": True, "maximum": 2.0}]}  # fmt: skip
    await declare(on, rules)
    await declare(on, "infer", revision=2)
    await declare(on, rules)

    contract = (await on.http.get("/datasets/flights/contract")).json()
    assert (contract["revision"], contract["origin"], contract["by"]) == (1, "declared:m/1", "key:anna")
    checks = {violation["check"] for violation in (await upload(on, JAN + FEB[14:])).json()["violations"]}
    assert checks == {"range_check", "categorical_values_check"}


async def test_an_impossible_contract_is_refused(on: Harness) -> None:
    """By PUT with the reason; an honest one holds at once."""
    rule = {"name": "delay", "type": "number", "nullable": False}
    wrong = await on.http.put("/datasets/flights/contract", json={"columns": [rule, rule]})
    right = await on.http.put("/datasets/flights/contract", json={"columns": [rule]})

    assert (wrong.status_code, right.status_code) == (422, 200)
    assert "'delay' is there a second time" in wrong.json()["detail"]
    assert right.json()["origin"] == "put"
    assert (await upload(on, JAN)).json()["violations"][0]["check"] == "extra_column_check"


async def test_whoever_set_the_contract_is_named_with_the_next_version(on: Harness) -> None:
    """By hand or by a declaration, and once: they are authors of the data that come under it."""
    await upload(on, JAN)
    columns = (await on.http.get("/datasets/flights/contract")).json()["columns"]
    await on.http.put("/datasets/flights/contract", json={"columns": columns, "missing": ["?"]})
    await declare(on, {"columns": columns})
    await upload(on, FEB)
    await upload(on, FEB + b"UA,9.5\n")

    said = on.all(DatasetIngested)

    caller = (await on.http.get("/datasets/flights/versions/1")).json()["by"]
    assert [event.data.contract_by for event in said] == [[], [caller, "key:anna"], []]


async def test_a_new_contract_does_not_mix_with_old_parts(on: Harness) -> None:
    """Parts of one version have one set of columns; the answer says what to do."""
    await upload(on, JAN)
    columns = [a(ColumnRule, name=name, type="string", nullable=True).model_dump() for name in ("carrier", "delay")]
    await on.http.put("/datasets/flights/contract", json={"columns": columns})

    answer = await upload(on, FEB)

    assert answer.status_code == 422
    assert "mode=replace" in answer.json()["detail"]
    assert (await upload(on, FEB, mode="replace")).json()["version"] == 2


async def test_a_contract_says_only_what_is_unusual(on: Harness) -> None:
    """A column misses no value unless its rule says so."""
    answer = await on.http.put("/datasets/flights/contract", json={"columns": [{"name": "delay", "type": "number"}]})
    assert (answer.status_code, answer.json()["columns"][0]["nullable"]) == (200, False)
    assert (await upload(on, b"delay\n1\n")).status_code == 201
    assert "completeness_check" in (await upload(on, b"delay\nNA\n")).json()["detail"]


async def test_a_place_is_named_once(on: Harness) -> None:
    """By the message, where it names the line itself; else in front of it."""
    for data, line in ((b"a,b\r1,2\r", 1), (b"a,b\n1,2\n3,4,5\n", 3)):
        detail = (await upload(on, data)).json()["detail"]
        assert detail.count(f"line {line}") == 1, detail


async def test_a_rejection_tells_of_so_many_violations_at_most(on: Harness) -> None:
    """An event has a bound; how many more there are, and in how many rows, is said in all three places alike."""
    names = [f"c{number}" for number in range(90)]
    await upload(on, f"{','.join(names)}\n{','.join('1' * 90)}\n".encode())

    answer = await upload(on, f"{','.join(names)}\n{','.join('x' * 90)}\n".encode())

    said = (await on.heard(DatasetRejected)).data
    assert isinstance(said, DatasetRejected)
    found = answer.json()["violations"]
    assert len(found) == len(said.violations) == TOLD + 1
    assert (found[-1]["message"], found[-1]["rows"]) == (f"{90 - TOLD} more violations are not told", 90 - TOLD)
    assert "(and 89 more violations)" in answer.json()["detail"]
    (kept,) = (await on.http.get("/datasets/flights/rejections")).json()["items"]
    assert kept["violations"] == found


async def test_uploads_at_once_make_one_version_each(on: Harness) -> None:
    """Versions of a dataset come one behind the other, whoever uploads at the same time."""
    await upload(on, JAN)
    files = [JAN + b"XX,%d\n" % number for number in range(8)]
    answers = await asyncio.gather(*(upload(on, file) for file in files))

    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 10))
    newest = (await on.http.get("/datasets/flights")).json()
    assert (newest["version"], newest["parts"]) == (9, 9)


async def test_a_streamed_body_is_taken(on: Harness) -> None:
    """No length given, in pieces that cut lines anywhere."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"n,t\n"
        for start in range(0, 300_000, 7_000):
            yield b"".join(b"%d,text %d\n" % (n, n) for n in range(start, min(start + 7_000, 300_000)))

    assert (await upload(on, pieces())).json()["rows"] == 300_000


async def test_parquet_is_taken_too(on: Harness, s3: S3) -> None:
    """A version's own Parquet file goes in again as another dataset."""
    await upload(on, JAN)
    part = (await on.http.get("/datasets/flights")).json()["part"]
    parquet = await s3.store.get(ObjectRef(**part["object"]))

    answer = await on.http.post("/datasets/copy/files", content=parquet)

    assert (answer.status_code, answer.json()["rows"]) == (201, 2)
    assert (await on.http.get("/datasets?limit=1")).json()["next_cursor"] == "copy"
    assert [d["dataset"] for d in (await on.http.get("/datasets?cursor=copy")).json()["items"]] == ["flights"]


async def test_what_there_is_not_is_not_found(on: Harness) -> None:
    """Each says what was looked for."""
    for path in ("/datasets/none", "/datasets/none/versions/1", "/datasets/none/contract", "/jobs/none"):
        answer = await on.http.get(path)
        assert answer.status_code == 404
        assert "none" in answer.json()["detail"]
    assert (await on.http.post("/datasets/No.Name/files", content=JAN)).status_code == 422


# request.ingest


async def deliver(s3: S3, key: str, data: bytes) -> ObjectPlace:
    """Put an object as an outsider would: without a digest anywhere."""
    s3.sync.client.put_object(s3.sync.bucket("uploads"), key, io.BytesIO(data), len(data))
    return ObjectPlace(bucket="uploads", key=key)


async def job(on: Harness, identity: str) -> Any:
    """A job that has ended."""

    async def ended() -> Any:
        found = (await on.http.get(f"/jobs/{identity}")).json()
        return found if found.get("state") in ("done", "rejected") else None

    return await eventually(ended)


async def test_an_object_in_the_store_is_ingested_by_request(on: Harness, s3: S3) -> None:
    """The event's cause is the request, and the source is a copy that nobody can change."""
    place = await deliver(s3, "in/jan.csv", JAN)
    request = await on.say(IngestRequested(dataset="flights", object=place), as_="operator")

    said = await on.heard(DatasetIngested)

    assert (said.causationid, said.correlationid, said.authid) == (request.id, request.id, "nats:operator")
    assert said.data.part.source.key.startswith("sha256/")  # type: ignore[attr-defined]
    assert (await job(on, request.id))["answer"]["version"] == 1
    version = (await on.http.get("/datasets/flights")).json()
    assert version["part"]["source_name"] == "jan.csv"


async def test_a_bare_request_is_enough(on: Harness, s3: S3) -> None:
    """Any NATS client can ask."""
    await deliver(s3, "feb.csv", FEB)
    await on.publish("headrace.request.ingest.flights", b'{"object": {"bucket": "uploads", "key": "feb.csv"}}')
    assert (await on.heard(DatasetIngested)).causationid == "outsider:REQUESTS-1"


async def test_a_request_for_what_is_not_there_is_refused(on: Harness) -> None:
    """At once, with the reason."""
    await on.publish("headrace.request.ingest.flights", b'{"object": {"bucket": "uploads", "key": "none.csv"}}')
    said = await on.heard(RequestRefused)
    assert "no object 'none.csv' in bucket 'uploads'" in said.data.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"mode": "apend"}, "mode: 'apend' is not known; did you mean 'append'?"),
        ({"format": "parket"}, "format: 'parket' is not known; did you mean 'parquet'?"),
    ],
)
async def test_a_word_that_no_catalogue_knows_is_refused_on_every_way_in(
    on: Harness, s3: S3, asked: dict[str, str], says: str
) -> None:
    """Over HTTP and by event, with its place and the nearest right word."""
    place = await deliver(s3, "jan.csv", JAN)

    answer = await upload(on, JAN, **asked)
    await on.say(IngestRequested(dataset="flights", object=place, **asked), as_="operator")

    refused = await on.heard(RequestRefused)
    assert (answer.status_code, answer.json()["detail"]) == (422, says)
    assert refused.data.reason == says  # type: ignore[attr-defined]


async def test_a_requested_file_that_breaks_the_contract_is_rejected(on: Harness, s3: S3) -> None:
    """The job ends, and dataset.rejected says why; there are no dead letters."""
    await upload(on, JAN)
    request = await on.say(IngestRequested(dataset="flights", object=await deliver(s3, "bad.csv", BAD)), as_="operator")

    assert (await job(on, request.id))["state"] == "rejected"
    assert (await on.heard(DatasetRejected)).causationid == request.id
    assert (await on.http.get("/dead-letters")).json()["items"] == []


async def test_an_object_that_vanishes_ends_its_job(on: Harness, s3: S3) -> None:
    """Asked for, then removed before it was read: rejected, not tried for ever."""
    place = await deliver(s3, "gone.csv", JAN)
    await on.stop()
    request = await on.say(IngestRequested(dataset="flights", object=place), as_="operator")
    await on._start()
    s3.sync.client.remove_object(s3.sync.bucket("uploads"), "gone.csv")

    async def over() -> bool:
        refused = any(each.data.request_id == request.id for each in on.all(RequestRefused))  # type: ignore[attr-defined]
        return refused or bool(on.all(DatasetRejected)) or bool(on.all(DatasetIngested))

    await eventually(over)


async def test_a_restart_loses_no_request_and_doubles_none(on: Harness, s3: S3) -> None:
    """Stopped in the midst of its jobs and started again, ingest makes each version once."""
    for number in range(5):
        place = await deliver(s3, f"{number}.csv", JAN + b"XX,%d\n" % number)
        await on.say(IngestRequested(dataset="flights", object=place), as_="operator")
    await on.restart()
    await on.restart()

    await on.heard(DatasetIngested, where=lambda event: event.version == 5, timeout=20)
    await on.quiet()

    versions = [each.data.version for each in on.all(DatasetIngested)]  # type: ignore[attr-defined]
    assert versions == [1, 2, 3, 4, 5]
    assert (await on.http.get("/datasets/flights")).json()["rows"] == 15


# What is taken but may not be what was meant


async def test_warnings_stand_in_the_answer_the_event_and_the_version(on: Harness) -> None:
    """Who uploads sees them, who listens, and who looks later; also where the file is sent again."""
    data = b"zip,y\n02134,1\n10001,0\n"
    answer = await upload(on, data)
    said = (await on.heard(DatasetIngested)).data
    assert isinstance(said, DatasetIngested)
    told = [each["check"] for each in answer.json()["warnings"]]

    assert told == ["kept_as_text"] == [each.check for each in said.warnings or []]
    assert (await on.http.get("/datasets/flights")).json()["warnings"] == answer.json()["warnings"]
    assert (await upload(on, data)).json()["warnings"] == answer.json()["warnings"]


async def test_a_form_is_an_upload(on: Harness) -> None:
    """As browsers and `curl -F` send it; the file keeps its name."""
    answer = await on.http.post("/datasets/flights/files", files={"file": ("jan.csv", JAN, "text/csv")})
    assert (answer.status_code, answer.json()["sha256"]) == (201, hashlib.sha256(JAN).hexdigest())
    version = (await on.http.get("/datasets/flights")).json()
    assert version["part"]["source_name"] == "jan.csv"
    assert [column["name"] for column in version["columns"]] == ["carrier", "delay"]


@pytest.mark.parametrize("data", [b"id,v\r1,2\r", b"a,b\n1e300,1\n5,2\n", b"%PDF-1.7", b"\x1f\x8b\x08", b"r\n1\ninf\n"])
async def test_no_file_is_an_error_of_ours(on: Harness, data: bytes) -> None:
    """It is taken or refused with its reason, never answered by 500."""
    assert (await upload(on, data)).status_code in (201, 422)


async def test_a_contract_may_say_only_how_values_are_written(on: Harness) -> None:
    """Then the first file makes its columns, read so; declared by a model or put, the same way."""
    contract = {"missing": ["?"], "formats": {"day": "%d/%m/%Y"}, "dialect": {"delimiter": ";", "decimal": ","}}
    await declare(on, contract)
    answer = await upload(on, b"day;delay\n31/12/2024;1,5\n01/01/2025;?\n")

    assert answer.status_code == 201, answer.text
    columns = {each["name"]: each["type"] for each in (await on.http.get("/datasets/flights")).json()["columns"]}
    assert columns == {"day": "timestamp", "delay": "number"}
    held = (await on.http.get("/datasets/flights/contract")).json()
    assert (held["missing"], held["dialect"]["delimiter"], held["origin"]) == (["?"], ";", "inferred")
    assert held["columns"][0]["format"] == "%d/%m/%Y"
    put = await on.http.put("/datasets/other/contract", json={"formats": {"day": "%q"}})
    assert (put.status_code, "directive %q" in put.json()["detail"]) == (422, True)


async def test_rows_may_come_before_their_labels(on: Harness) -> None:
    """A target of a declared model may be missing where the contract was inferred; other columns may not."""
    await upload(on, JAN)
    await declare(on, "infer")
    assert (await upload(on, b"carrier,delay\nAA,\nUA,3\n")).status_code == 201
    assert (await upload(on, b"carrier,delay\n,1\n")).status_code == 422


async def test_text_does_not_order_rows_in_time(on: Harness) -> None:
    """Refused with the format to declare, if a declared model orders its rows by that column."""
    document = {"name": "m", "data": {"dataset": "flights", "target": "delay", "time": "day"}}
    declaration = parse_declaration(document)
    await on.say(a(ModelDeclared, name="m", revision=1, declaration=declaration, changed=[], by="key:anna"))
    await on.quiet()

    answer = await upload(on, b"day,delay\n31/12/2024,1\n30/12/2024,2\n")

    assert answer.status_code == 422
    assert "formats: {day: '%d/%m/%Y'}" in answer.json()["detail"]


async def test_a_listing_does_not_grow_with_the_parts(on: Harness) -> None:
    """A version says how many parts it has, alone or in a listing; they are listed page by page."""
    for number in range(12):
        await upload(on, b"carrier,delay\nAA,%d\n" % number)
    listed = (await on.http.get("/datasets/flights/versions")).json()["items"]

    assert [each["parts"] for each in listed] == list(range(12, 0, -1))
    assert len({len(json.dumps(each)) // 10 for each in listed}) <= 2
    whole = (await on.http.get("/datasets/flights/versions/7")).json()
    assert (whole["parts"], whole["part"]["rows"]) == (7, 1)
    path, pages = "/datasets/flights/versions/7/parts?limit=3", []
    page = (await on.http.get(path)).json()
    while page["items"]:
        pages.append([part["version"] for part in page["items"]])
        page = (
            (await on.http.get(f"{path}&cursor={page['next_cursor']}")).json() if page["next_cursor"] else {"items": []}
        )
    assert pages == [[1, 2, 3], [4, 5, 6], [7]]
    assert (await on.http.get("/datasets/flights/versions/70/parts")).status_code == 404


async def test_one_bad_job_stops_no_other(on: Harness, s3: S3) -> None:
    """A job whose object cannot be read is rejected and set aside; jobs of other datasets and of its own go on."""
    bad = await deliver(s3, "bad.csv", JAN)
    engine = on.app.state.runtime.store.engine
    first = await on.say(IngestRequested(dataset="flights", object=bad), as_="operator")
    await job(on, first.id)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE ingest_job SET state = 'queued', lease = NULL, source = :place, answer = NULL"),
            {"place": json.dumps({"bucket": "uploads", "key": "none.csv"})},
        )
    other = await on.say(IngestRequested(dataset="other", object=await deliver(s3, "o.csv", FEB)), as_="operator")

    assert (await job(on, other.id))["state"] == "done"
    assert (await job(on, first.id))["state"] == "rejected"
    said = await on.heard(DatasetRejected)
    assert (said.causationid, said.authid) == (first.id, "nats:operator")
    (dead_letter,) = (await on.http.get("/dead-letters")).json()["items"]
    assert "none.csv" in dead_letter["reason"]
    more = await on.say(IngestRequested(dataset="flights", object=await deliver(s3, "f.csv", FEB)), as_="operator")
    assert (await job(on, more.id))["state"] == "done"
