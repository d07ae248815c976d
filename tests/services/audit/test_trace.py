"""From a prediction back to the file: the whole chain, and what is missing of it said."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.audit.domain import Chain, NoSuchRow
from headrace.audit.repository import Repository, Search
from headrace.chassis import NotFound

A, B = "a" * 64, "b" * 64
SOURCE = {"bucket": "uploads", "key": "feb.csv"}
DATASET = {"name": "flights", "version": 2, "digest": "d" * 64}
STORY: list[dict[str, Any]] = [
    {
        "kind": "model.declared",
        "key": "m",
        "id": "declared",
        "data": {"name": "m", "revision": 1},
        "authid": "key:anna",
    },
    {
        "kind": "dataset.ingested",
        "id": "file-1",
        "data": {
            "dataset": "flights",
            "version": 1,
            "part": {"source": {"sha256": "f1", "key": "k1"}, "source_name": "jan.csv", "rows": 10},
            "parts": 1,
        },
    },
    {
        "kind": "dataset.ingested",
        "id": "file-2",
        "causationid": "outsider:asked",
        "data": {
            "dataset": "flights",
            "version": 2,
            "part": {"source": {"sha256": "f2", "key": "k2"}, "source_name": "feb.csv", "rows": 12},
            "parts": 2,
        },
    },
    {
        "kind": "training.queued",
        "key": "m",
        "id": "queued",
        "causationid": "drift",
        "data": {"run": "r1", "model": "m"},
    },
    {"kind": "training.progressed", "key": "m", "id": "progress", "data": {"run": "r1", "model": "m"}},
    {
        "kind": "training.completed",
        "key": "m",
        "id": "trained",
        "data": {"run": "r1", "model": "m", "dataset": DATASET},
    },
    {
        "kind": "version.registered",
        "key": "m",
        "id": "registered",
        "causationid": "trained",
        "data": {
            "model": "m",
            "version": 3,
            "origin": "trained",
            "digest": A,
            "dataset": DATASET,
            "lineage": {"run": "r1"},
            "declared_revision": 1,
        },
    },
    {"kind": "version.approved", "key": "m", "id": "approved", "data": {"model": "m", "version": 3, "digest": A}},
    {"kind": "alias.moved", "key": "m", "id": "moved", "data": {"model": "m", "alias": "champion", "version": 3}},
    {
        "kind": "route.changed",
        "key": "m",
        "id": "routed",
        "data": {"model": "m", "routes": [{"version": 3, "digest": A}]},
    },
    {"kind": "drift.detected", "key": "m", "id": "drift", "data": {"model": "m", "version": 2}},
]
LATER = {"kind": "rollout.completed", "key": "m", "id": "later", "data": {"model": "m", "version": 3}}
PREDICTION = {
    "kind": "prediction.logged",
    "key": "m",
    "id": "logged",
    "data": {"prediction_id": "p1", "model": "m", "version": 3, "digest": A},
}
TRUTH = {
    "kind": "request.truth",
    "key": "m",
    "id": "truth",
    "data": {"labels": [{"prediction_id": "p1:0", "value": 1}]},
}


async def tell(log: Any, *, without: str = "", prediction: dict[str, Any] = PREDICTION) -> None:
    """Record the story, one event left out where asked."""
    requested = log.message(
        1,
        stream="REQUESTS",
        kind="request.ingest",
        id="asked",
        authid="nats:outsider",
        data={"dataset": "flights", "object": SOURCE},
    )
    await log.hear(requested)
    told = [
        {**step, "kind": "x.y", "data": {}, "id": f"not-{step['id']}"} if step["id"] == without else step
        for step in STORY
    ]
    await log.hear(*(log.message(seq, **step) for seq, step in enumerate(told, 1)))
    await log.hear(log.message(100, **LATER))
    await log.hear(log.message(50, stream="PREDICTIONS", **prediction))
    await log.hear(log.message(60, stream="REQUESTS", **TRUTH))


async def traced(log: Any, prediction: str = "p1") -> Chain:
    """The chain behind a prediction."""
    async with log.store.read() as session:
        _, _, chain = await Repository(session).trace_prediction(prediction)
        return chain


async def test_a_prediction_is_traced_to_its_files(log: Any) -> None:
    """Model, run, data set, each source file, and every event on the way and its causes, in order."""
    await tell(log)

    chain = await traced(log)

    assert chain.missing == []
    assert (chain.digest, chain.run, chain.dataset) == (A, "r1", DATASET)
    assert [source["source_name"] for source in chain.sources] == ["jan.csv", "feb.csv"]
    assert [event.id for event in chain.ordered()] == [
        "outsider:asked",
        "declared",
        "file-1",
        "file-2",
        "queued",
        "trained",
        "registered",
        "approved",
        "moved",
        "routed",
        "drift",
    ]
    assert [event.authid for event in chain.ordered()][:2] == ["nats:outsider", "key:anna"]


async def test_a_row_of_a_request_has_the_same_trace(log: Any) -> None:
    """`<id>:<i>` leads to the request's event; its truth is found too."""
    await tell(log)
    async with log.store.read() as session:
        logged, truths, _ = await Repository(session).trace_prediction("p1:0")
    assert (logged.id, [truth.id for truth in truths]) == ("logged", ["outsider:truth"])


IMPORTED = {"origin": "imported", "lineage": {}}


async def test_a_version_without_a_run_is_traced_as_far_as_it_goes(log: Any) -> None:
    """What was made elsewhere has no run: none is missing, and the data that it was judged on are still there."""
    story = [step for step in STORY if not step["kind"].startswith("training.")]
    made = [
        {**step, "causationid": None, "data": {**step["data"], **IMPORTED}} if step["id"] == "registered" else step
        for step in story
    ]
    await log.hear(log.message(1, stream="REQUESTS", kind="request.ingest", id="asked", data={"dataset": "flights"}))
    await log.hear(*(log.message(seq, **step) for seq, step in enumerate(made, 1)))
    await log.hear(log.message(50, stream="PREDICTIONS", **PREDICTION))

    chain = await traced(log)

    assert (chain.origin, chain.run, chain.missing) == ("imported", None, [])
    assert [source["source_name"] for source in chain.sources] == ["jan.csv", "feb.csv"]


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("registered", ["version.registered of m/3"]),
        ("trained", ["training.completed of run r1", "event trained, which caused another"]),
        ("approved", ["version.approved of m/3"]),
        ("moved", ["alias.moved of m/3"]),
        ("routed", ["route.changed of m/3"]),
        ("file-2", ["dataset.ingested of flights/2"]),
        ("file-1", ["dataset.ingested of flights/1"]),
        ("drift", ["event drift, which caused another"]),
    ],
)
async def test_what_is_missing_is_said(log: Any, without: str, missing: list[str]) -> None:
    """A link that the record does not hold is named, and the rest is shown."""
    await tell(log, without=without)
    assert (await traced(log)).missing == missing


def about(kind: str, id: str, **data: Any) -> dict[str, Any]:
    """One more event, about something else."""
    return {"kind": kind, "key": "m", "id": id, "data": data}


STRANGERS = [
    about("training.completed", "other-run", run="r2", model="m", dataset={"name": "flights", "version": 3}),
    about("training.started", "same-data", run="r9", model="other", dataset=DATASET),
    about("dataset.ingested", "newer-data", dataset="flights", version=3, part={"source": {"sha256": "f2"}}),
    about("dataset.ingested", "other-data", dataset="copy", version=1, part={"source": {"sha256": "f1"}}),
    about("evaluation.requested", "rival", model="m", candidate={"version": 4}, champion={"version": 3}),
    about("alias.moved", "successor", model="m", version=4, previous=3),
    about("version.registered", "next", model="m", version=4, lineage={"run": "r2"}, digest=A),
]


async def test_a_trace_shows_nothing_of_other_runs_and_data(log: Any) -> None:
    """Runs, data sets, rivals and successors that name the same version, file or data are not behind the prediction."""
    await log.hear(*(log.message(seq, **event) for seq, event in enumerate(STRANGERS, 1)))
    shift = len(STRANGERS)
    await log.hear(*(log.message(seq + shift, **step) for seq, step in enumerate(STORY, 1)))
    await log.hear(log.message(50, stream="PREDICTIONS", **PREDICTION))

    shown = {event.id for event in (await traced(log)).ordered()}

    assert shown == {step["id"] for step in STORY} - {"progress"}


async def test_of_many_routes_the_first_and_the_last_are_shown(log: Any) -> None:
    """In between, other versions came and went; why the last one did is not of this chain."""
    await tell(log)
    routes = [{"version": 3, "digest": A}, {"version": 4, "digest": B}]
    later = [
        about("route.changed", f"route-{n}", model="m", routes=routes) | {"causationid": f"of-4-{n}"} for n in range(3)
    ]
    await log.hear(*(log.message(seq, **event) for seq, event in enumerate(later, 20)))

    chain = await traced(log)

    assert [event.id for event in chain.ordered() if event.is_a("route.changed")] == ["routed", "route-2"]
    assert chain.missing == []


@pytest.mark.parametrize("row", ["5", "99", "-1", "²", "9" * 5000, "x"])
async def test_a_row_that_the_answer_has_not_is_not_traced(log: Any, row: str) -> None:
    """Of five rows, row 5 does not exist."""
    await tell(log, prediction=PREDICTION | {"data": {**PREDICTION["data"], "rows": 5}})  # type: ignore[dict-item]
    with pytest.raises(NoSuchRow, match="5 rows, 0 to 4"):
        await traced(log, f"p1:{row}")
    assert (await traced(log, "p1:4")).version == 3


async def test_an_id_with_colons_is_traced_by_its_last_one(log: Any) -> None:
    """As truths of it are read: id and row are told apart in one place."""
    named = {**PREDICTION["data"], "prediction_id": "a:b", "rows": 5}  # type: ignore[dict-item]
    await tell(log, prediction=PREDICTION | {"data": named})
    assert (await traced(log, "a:b:4")).version == 3


async def test_a_row_is_found_in_the_part_that_holds_it(log: Any) -> None:
    """A large answer is logged in parts; a shadow's answer to the same request is not the one that was given."""
    shadow = {**PREDICTION["data"], "version": 4, "digest": B, "route": "shadow", "rows": 9}  # type: ignore[dict-item]
    parts = [{**PREDICTION["data"], "rows": 5, "first_row": first} for first in (0, 5)]  # type: ignore[dict-item]
    told = [{**PREDICTION, "id": f"part-{at}", "data": data} for at, data in enumerate([shadow, *parts])]
    await log.hear(*(log.message(seq, stream="PREDICTIONS", **each) for seq, each in enumerate(told, 1)))

    async with log.store.read() as session:
        found = [(await Repository(session).trace_prediction(f"p1:{row}"))[0].id for row in (0, 4, 5, 9)]

    assert found == ["part-1", "part-1", "part-2", "part-2"]


async def test_a_truth_of_another_model_or_row_is_not_shown(log: Any) -> None:
    """What was reported to another model, or of another row, is no truth of this one."""
    await tell(log)
    others = [
        {"kind": "request.truth", "key": "other", "id": "foreign", "data": TRUTH["data"]},
        {"kind": "request.truth", "key": "m", "id": "row-3", "data": {"labels": [{"prediction_id": "p1:3"}]}},
    ]
    await log.hear(*(log.message(seq, stream="REQUESTS", **each) for seq, each in enumerate(others, 61)))
    async with log.store.read() as session:
        _, truths, _ = await Repository(session).trace_prediction("p1:0")
    assert [truth.id for truth in truths] == ["outsider:truth"]


async def test_another_model_than_registered_is_said(log: Any) -> None:
    """The prediction names the digest that answered; the version was registered with another."""
    await tell(log, prediction=PREDICTION | {"data": {**PREDICTION["data"], "digest": B}})  # type: ignore[dict-item]
    assert (await traced(log)).missing == [f"version.registered of m/3 with digest {B}: it has {A}"]


async def test_an_unknown_prediction_is_not_found(log: Any) -> None:
    """It says which."""
    await log.hear(log.message(1))
    with pytest.raises(NotFound, match="'p9'"):
        await traced(log, "p9")


async def test_a_version_is_traced_without_a_prediction(log: Any) -> None:
    """The same chain, and what came after too."""
    await tell(log)
    async with log.store.read() as session:
        chain = await Repository(session).trace_version("m", 3)
        with pytest.raises(NotFound):
            await Repository(session).trace_version("m", 9)
    assert chain.missing == []
    assert chain.ordered()[-1].id == "later"


async def search(log: Any, before: int | None = None, limit: int = 100, **wanted: Any) -> list[str]:
    """Ids of the events found."""
    async with log.store.read() as session:
        return [event.id for event in await Repository(session).search(Search(**wanted), before, limit)]


async def test_events_are_found_by_what_they_are(log: Any) -> None:
    """By type, with or without an ending left open; by key, actor, stream, correlation and time; newest first."""
    await tell(log)
    start = log.now

    assert await search(log, type="headrace.alias.moved.v1") == ["moved"]
    assert await search(log, type="headrace.version.*") == ["approved", "registered"]
    assert await search(log, key="flights", stream="EVENTS") == ["file-2", "file-1"]
    assert await search(log, authid="key:anna") == ["declared"]
    assert await search(log, stream="PREDICTIONS") == ["logged"]
    assert await search(log, type="headrace.%") == []
    since, until = start.replace(second=2), start.replace(second=4)
    assert await search(log, since=since, until=until, stream="EVENTS") == ["file-2", "file-1"]


async def test_a_search_is_continued_where_it_stopped(log: Any) -> None:
    """Pages by log index: what comes meanwhile shifts nothing."""
    await log.hear_many(10)
    first = await search(log, limit=4)
    await log.hear(log.message(11))
    assert first == ["EVENTS-10", "EVENTS-9", "EVENTS-8", "EVENTS-7"]
    assert await search(log, before=6, limit=2) == ["EVENTS-6", "EVENTS-5"]


async def test_the_original_comes_before_its_parked_copy(log: Any) -> None:
    """A dead letter bears the same id; asked for by id, the original is meant."""
    await log.hear(log.message(1, stream="PARKED", id="twice"))
    await log.hear(log.message(1, stream="REQUESTS", id="twice"))
    async with log.store.read() as session:
        assert (await Repository(session).event("twice")).stream == "REQUESTS"
        with pytest.raises(NotFound):
            await Repository(session).event("never")
