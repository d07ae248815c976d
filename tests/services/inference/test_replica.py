"""A replica among the real things: broker, object store, sockets; and what it does when they fail."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from headrace.bus import Connection, Follower, connect
from headrace.bus.tasks import cancel
from headrace.chassis.auth import Gate, new_key, new_keys, write_keys
from headrace.chassis.paging import Asked
from headrace.contracts import Artifact, Envelope, PredictionLogged, ReplicaLoaded, ReplicaReported, Route
from headrace.inference.key_uses import KeyUses
from headrace.testkit.broker import Broker, serving
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

from .conftest import Alone, Folder, Lonely, Model, matrix, row, served

ROW = [1.0, 2.0, 3.0, 4.0]


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[list[Envelope]]:
    """Everything that replicas say."""
    connection = await connect(broker.settings("provisioner"), name="test-ear")
    heard: list[Envelope] = []

    async def collect(stream: str, filter_: str) -> None:
        async with Follower(connection, stream, filter_, start="all") as follower:
            async for message in follower:
                heard.append(message.envelope())

    tasks = [
        asyncio.create_task(collect("PREDICTIONS", "headrace.prediction.>")),
        asyncio.create_task(collect("EVENTS", "headrace.replica.>")),
    ]
    yield heard
    for task in tasks:
        await cancel(task)
    await connection.close()


def of(heard: list[Envelope], kind: type) -> list[Any]:
    """The data of one type."""
    return [envelope.data for envelope in heard if isinstance(envelope.data, kind)]


async def test_a_route_table_becomes_answers_and_answers_become_events(
    nats_server: Broker, s3: S3, numbers: Model, tmp_path: Path
) -> None:
    """From route.changed to replica.loaded, an answer, and the prediction in its stream, with one trace."""
    artifact = await s3.store.put_directory("models", numbers.folder, prefix="numbers/run/1/model")
    route = numbers.route().model_copy(update={"artifact": artifact, "digest": artifact.digest})
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with listening(nats_server) as heard, served(nats_server, tmp_path, s3.store) as server:
        said = await server.route("numbers", route, traceparent=trace)
        await server.answers("numbers")

        answer = await server.http.post(
            "/v2/models/numbers/infer",
            json={"id": "7", "parameters": {"time": "2013-03-01T06:00:00Z"}, **matrix(ROW)},
            headers={"traceparent": trace},
        )

        await eventually(lambda: of(heard, PredictionLogged) and of(heard, ReplicaLoaded))
    logged = next(each for each in heard if isinstance(each.data, PredictionLogged))
    loaded = next(each for each in heard if isinstance(each.data, ReplicaLoaded))
    body = answer.json()
    assert loaded.data.ok  # type: ignore[attr-defined]
    assert (loaded.causationid, loaded.traceparent and loaded.traceparent[3:35]) == (said.id, "a" * 32)
    assert answer.headers["traceparent"][3:35] == "a" * 32
    assert logged.traceparent == answer.headers["traceparent"]
    data = logged.data
    assert isinstance(data, PredictionLogged)
    assert (data.prediction_id, data.request_id, data.digest) == (
        body["parameters"]["prediction_id"],
        "7",
        artifact.digest,
    )
    assert data.inputs == {f"x{at}": [value] for at, value in enumerate(ROW)}
    assert data.outputs == {output["name"]: output["data"] for output in body["outputs"]}
    assert data.time.year == 2013


async def test_no_request_fails_while_versions_change(
    nats_server: Broker, numbers: Model, rival: Model, tmp_path: Path
) -> None:
    """A canary comes, grows, takes over and goes back under load: every request is answered, every answer logged."""
    async with (
        listening(nats_server) as heard,
        served(nats_server, tmp_path, Folder(numbers, rival)) as server,
    ):
        await server.route("m", numbers.route(1))
        await server.answers("m")
        statuses: Counter[int] = Counter()
        versions: Counter[str] = Counter()
        running = True

        async def load() -> None:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
                while running:
                    answer = await client.post("/v2/models/m/infer", json=matrix(ROW))
                    statuses[answer.status_code] += 1
                    versions[answer.json().get("model_version", "none")] += 1

        loads = [asyncio.create_task(load()) for _ in range(4)]
        for revision, share in enumerate((10, 50, 100), 2):
            routes = [numbers.route(1, "champion", 100 - share), rival.route(2, "canary", share)]
            await server.route("m", *routes, revision=revision)
            before = versions["2"]
            await eventually(lambda: versions["2"] > before + 20)  # noqa: B023  awaited within the loop
        await server.route("m", rival.route(2), revision=5)
        await server.route("m", numbers.route(1), revision=6)
        await eventually(lambda: server.replica.repository.table("m").revision == 6)
        running = False
        await asyncio.gather(*loads)
        total = sum(statuses.values())
        await eventually(lambda: len(of(heard, PredictionLogged)) == total)

    assert set(statuses) == {200}
    assert len({each.prediction_id for each in of(heard, PredictionLogged)}) == total


async def test_a_canary_is_reported_on_every_second(
    nats_server: Broker, numbers: Model, rival: Model, tmp_path: Path
) -> None:
    """The evidence that the control loop judges by; it also shows that the replica lives."""
    async with (
        listening(nats_server) as heard,
        served(nats_server, tmp_path, Folder(numbers, rival)) as server,
    ):
        await server.route("m", numbers.route(1, "champion", 50), rival.route(2, "canary", 50))
        await server.answers("m")
        for _ in range(40):
            await server.http.post("/v2/models/m/infer", json=matrix(ROW))

        def reported() -> bool:
            seen = [part for each in of(heard, ReplicaReported) for part in each.versions]
            return sum(part.requests for part in seen) == 40

        await eventually(reported)
    parts = [part for each in of(heard, ReplicaReported) for part in each.versions if part.requests]
    assert {part.role for part in parts} == {"champion", "canary"}
    assert all(0 < part.p50_ms <= part.p99_ms and part.errors == 0 for part in parts)


async def test_a_tampered_artifact_is_refused_and_the_old_version_goes_on(
    nats_server: Broker, s3: S3, numbers: Model, rival: Model, tmp_path: Path
) -> None:
    """Bytes that are not those that were approved never answer anybody, and the control loop hears why."""
    champion = await _stored(s3, numbers.folder, "good")
    approved = await _stored(s3, rival.folder, "approved")
    (changed := tmp_path / "changed").mkdir()
    for path in rival.folder.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    (changed / "model.onnx").write_bytes((numbers.folder / "model.onnx").read_bytes())
    tampered = approved.model_copy(update={"prefix": (await _stored(s3, changed, "changed")).prefix})
    async with listening(nats_server) as heard, served(nats_server, tmp_path / "cache", s3.store) as server:
        await server.route("m", _routed(numbers.route(1), champion))
        await server.answers("m")
        await server.route(
            "m", _routed(numbers.route(1), champion), _routed(rival.route(2, "canary", 50), tampered), revision=2
        )

        await eventually(lambda: [each for each in of(heard, ReplicaLoaded) if not each.ok])
        answers = [await server.http.post("/v2/models/m/infer", json=matrix(ROW)) for _ in range(20)]

    (refused,) = [each for each in of(heard, ReplicaLoaded) if not each.ok]
    assert refused.version == 2
    assert "model.onnx" in refused.error
    assert {answer.json()["model_version"] for answer in answers} == {"1"}


async def _stored(s3: S3, folder: Path, prefix: str) -> Artifact:
    return await s3.store.put_directory("models", folder, prefix=prefix)


def _routed(route: Route, artifact: Artifact) -> Route:
    return route.model_copy(update={"artifact": artifact, "digest": artifact.digest})


@pytest.fixture
async def durable_broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker that acknowledges only what is on its disk, as in every stack of ours; it may be killed."""
    async with serving(tmp_path / "durable", sync_always=True) as broker:
        yield broker


async def test_while_the_broker_is_away_it_answers_and_afterwards_nothing_is_missing(
    durable_broker: Broker, numbers: Model, tmp_path: Path
) -> None:
    """Kill -9 of the broker in the middle: no request fails, health tells of it, and each prediction arrives once."""
    async with listening(durable_broker) as heard, served(durable_broker, tmp_path, Folder(numbers)) as server:
        await server.route("m", numbers.route())
        await server.answers("m")
        ids = []

        async def ask(times: int) -> None:
            for _ in range(times):
                answer = await server.http.post("/v2/models/m/infer", json=matrix(ROW))
                assert answer.status_code == 200
                ids.append(answer.json()["parameters"]["prediction_id"])

        await ask(50)
        durable_broker.kill()
        await ask(200)
        await eventually(lambda: server.replica.details()["broker"].startswith("away"))
        ready = await server.http.get("/ready")
        durable_broker.start()
        await ask(50)

        await eventually(lambda: len({each.prediction_id for each in of(heard, PredictionLogged)}) == 300, 30)
        await eventually(lambda: server.replica.wal.empty)

    assert ready.status_code == 200
    assert ready.json()["wal_bytes"] > 0
    assert sorted(ids) == sorted({each.prediction_id for each in of(heard, PredictionLogged)})


async def test_what_a_killed_process_had_written_is_sent_by_the_next(
    nats_server: Broker, alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """An answered prediction is on the disk before its answer leaves."""
    first: Alone = await alone(numbers, cache_dir=tmp_path / "cache")
    await first.serve("m", numbers.route())
    answer = await first.http.post("/v2/models/m/infer", json=matrix(ROW))

    async with listening(nats_server) as heard, served(nats_server, tmp_path / "cache", Folder(numbers)):
        await eventually(lambda: of(heard, PredictionLogged))

    (logged,) = of(heard, PredictionLogged)
    assert logged.prediction_id == answer.json()["parameters"]["prediction_id"]


async def test_a_batch_whose_acknowledgement_was_lost_is_not_stored_twice(
    nats_server: Broker, alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """The second attempt finds its ids known and goes on one by one."""
    made: Alone = await alone(numbers, cache_dir=tmp_path / "cache")
    await made.serve("m", numbers.route())
    for _ in range(20):
        await made.http.post("/v2/models/m/infer", json=matrix(ROW))
    wal, log_relay = made.replica.wal, made.replica.log_relay
    start = wal.place
    connection: Connection = await connect(nats_server.settings("inference"), name="test")
    await log_relay.ship(connection)
    wal.place, wal.size = start, 1  # as if the mark had not been written

    await log_relay.ship(connection)

    info = await (admin := await connect(nats_server.settings("provisioner"), name="admin")).request(
        "STREAM.INFO.PREDICTIONS"
    )
    assert info["state"]["messages"] == 20
    await connection.close()
    await admin.close()


async def test_it_starts_and_answers_without_broker_and_object_store(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """The last route table and the models that it names lie on its own disk."""
    store = Folder(numbers)
    first: Alone = await alone(store=store, cache_dir=tmp_path / "c")
    await first.serve("m", numbers.route())
    store.away = True

    second: Alone = await alone(store=store, cache_dir=tmp_path / "c")
    assert second.replica.repository.recall() == 1
    await eventually(lambda: second.replica.repository.settled)

    assert (await second.http.post("/v2/models/m/infer", json=matrix(ROW))).status_code == 200


async def test_a_cached_model_that_was_changed_is_fetched_again(alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """The cache is trusted only byte for byte."""
    store = Folder(numbers)
    first: Alone = await alone(store=store, cache_dir=tmp_path / "c")
    await first.serve("m", numbers.route())
    (tmp_path / "c" / "models" / numbers.artifact.digest / "model.onnx").write_bytes(b"evil")

    second: Alone = await alone(store=store, cache_dir=tmp_path / "c")
    await second.serve("m", numbers.route(), revision=2)

    assert store.fetched == 2
    assert (await second.http.post("/v2/models/m/infer", json=matrix(ROW))).status_code == 200


async def test_a_model_whose_signature_is_not_the_registered_one_is_refused(
    alone: Lonely, numbers: Model, mixed: Model
) -> None:
    """What was approved is the interface, too."""
    made: Alone = await alone(numbers)
    lying = numbers.route().model_copy(update={"signature": mixed.signature})
    await made.serve("m", lying)

    assert "signature" in made.replica.repository.troubles["m"]
    assert (await made.http.post("/v2/models/m/infer", json=matrix(ROW))).status_code == 503


async def test_a_store_that_is_away_is_tried_again(alone: Lonely, numbers: Model) -> None:
    """Not loaded yet is 503 with a Retry-After, and not ready; it heals by itself."""
    store = Folder(numbers)
    store.away = True
    made: Alone = await alone(store=store)
    await made.serve("m", numbers.route(), settle=False)
    await eventually(lambda: "away" in made.replica.repository.troubles.get("m", ""))

    answer = await made.http.post("/v2/models/m/infer", json=matrix(ROW))
    ready = await made.http.get("/ready")
    store.away = False
    await eventually(lambda: made.replica.repository.settled)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "the object store is away" in answer.json()["error"]
    assert ready.status_code == 503
    assert (await made.http.post("/v2/models/m/infer", json=matrix(ROW))).status_code == 200


@pytest.mark.parametrize(("policy", "status"), [("require", 503), ("best-effort", 200)])
async def test_a_full_log_refuses_or_forgets_as_the_policy_says(
    alone: Lonely, numbers: Model, policy: str, status: int
) -> None:
    """An audited model answers nothing that it cannot record; others answer, and count what was lost."""
    made: Alone = await alone(numbers, log_policy=policy, wal_mb=8)
    await made.serve("m", numbers.route())
    while made.replica.wal.room:
        made.replica.wal.append("headrace.prediction.logged.m", "x", b"x" * 100_000)
    made.replica.wal._bound = made.replica.wal.size  # the last megabyte is room for one large message

    answer = await made.http.post("/v2/models/m/infer", json=matrix(ROW))

    assert answer.status_code == status
    assert ("cannot be recorded" in answer.text) is (policy == "require")
    assert made.replica.inference.lost.count == (0 if policy == "require" else 1)


async def test_a_shadow_sees_what_the_champion_answers(alone: Lonely, numbers: Model, rival: Model) -> None:
    """Callers meet only the champion; the record has both, under one prediction id."""
    made: Alone = await alone(numbers, rival)
    await made.serve("m", numbers.route(1), rival.route(2, "shadow", 100))

    answers = [await made.http.post("/v2/models/m/infer", json=matrix(ROW)) for _ in range(5)]

    logged = [json.loads(frame.payload) for frame in made.replica.wal.read()[0] if "prediction" in frame.subject]
    routes = Counter((each["data"]["route"], each["data"]["version"]) for each in logged)
    assert {answer.json()["model_version"] for answer in answers} == {"1"}
    assert routes == {("champion", 1): 5, ("shadow", 2): 5}
    told = made.replica.repository.table("m").shadows[0].stats.take().compared
    assert (told.rows, told.numbers > 0) == (5, True)
    assert len({each["data"]["prediction_id"] for each in logged}) == 5


async def test_a_routing_key_meets_the_same_version_and_a_growing_canary_keeps_its_keys(
    alone: Lonely, numbers: Model, rival: Model
) -> None:
    """The same customer does not hop between versions."""
    made: Alone = await alone(numbers, rival)
    met: dict[int, set[str]] = {}
    for revision, share in enumerate((20, 60), 1):
        await made.serve(
            "m", numbers.route(1, "champion", 100 - share), rival.route(2, "canary", share), revision=revision
        )
        table = made.replica.repository.table("m")
        met[share] = {key for key in map(str, range(1000)) if table.choose(key).role == "canary"}

    request = {"parameters": {"routing_key": next(iter(met[20]))}, **matrix(ROW)}
    answers = [(await made.http.post("/v2/models/m/infer", json=request)).json()["model_version"] for _ in range(5)]

    assert met[20] < met[60]
    assert 150 < len(met[20]) < 250
    assert answers == ["2"] * 5


async def test_a_canary_that_fails_is_covered_by_the_champion(alone: Lonely, numbers: Model, rival: Model) -> None:
    """The caller gets an answer; the failure counts against the canary."""
    made: Alone = await alone(numbers, rival)
    await made.serve("m", numbers.route(1, "champion", 0), rival.route(2, "canary", 100))
    canary = made.replica.repository.table("m").version(2)
    assert canary is not None

    def broken(_feeds: Any) -> Any:
        raise RuntimeError("no such operator")

    canary.loaded.answer = broken
    answer = await made.http.post("/v2/models/m/infer", json=matrix(ROW))

    assert (answer.status_code, answer.json()["model_version"]) == (200, "1")
    assert canary.stats.errors == 1


async def test_only_keys_that_may_predict_are_let_in(alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """401 without a key, 403 with one that may do other things, and the caller's name in the record."""
    good, keys = new_key(new_keys(), "demo", ["predict"])
    other, keys = new_key(keys, "reader", ["registry:read"])
    write_keys(tmp_path / "keys.json", keys)
    made: Alone = await alone(numbers, api_keys_file=tmp_path / "keys.json")
    await made.serve("m", numbers.route())

    async def ask(key: str | None) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return await made.http.post("/v2/models/m/infer", json=matrix(ROW), headers=headers)

    answers = [await ask(None), await ask("hr_x_y"), await ask(other), await ask(good), await ask(good)]

    assert [answer.status_code for answer in answers] == [401, 401, 403, 200, 200]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert json.loads(made.replica.wal.read()[0][-1].payload)["authid"] == "key:demo"


async def test_a_replica_keeps_when_a_key_was_last_used(alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """In a file of its own, for those who may see keys; a file that is damaged costs nothing but the times."""
    ann, keys = new_key(new_keys(), "ann", ["predict", "keys:read"])
    bob, keys = new_key(keys, "bob", ["predict"])
    write_keys(tmp_path / "keys.json", keys)

    async def shown(made: Alone, key: str) -> httpx.Response:
        return await made.http.get("/keys", headers={"authorization": f"Bearer {key}"})

    first: Alone = await alone(numbers, api_keys_file=tmp_path / "keys.json")
    assert (await shown(first, bob)).status_code == 403
    first.replica.key_uses.save()
    kept = {key["name"]: key["last_used"] for key in (await shown(first, ann)).json()["items"]}
    file = first.replica.settings.cache_dir / "key-use.json"
    again = KeyUses(Gate(tmp_path / "keys.json", open_to_all=False), file)
    read = {key["name"]: key["last_used"] for key in (await again.shown(f"Bearer {ann}", Asked()))["items"]}
    file.write_text("{nonsense")
    damaged = KeyUses(Gate(tmp_path / "keys.json", open_to_all=False), file)

    page = (await first.http.get("/keys?limit=1", headers={"authorization": f"Bearer {ann}"})).json()
    refused = await first.http.get("/keys?limit=none", headers={"authorization": f"Bearer {ann}"})

    assert kept["bob"] is not None
    assert (len(page["items"]), page["next_cursor"]) == (1, page["items"][0]["id"])
    assert refused.status_code == 400
    assert read["bob"] == kept["bob"]
    assert [key["name"] for key in (await damaged.shown(f"Bearer {ann}", Asked()))["items"] if key["last_used"]] == [
        "ann"
    ]


async def test_a_table_that_cannot_be_taken_up_is_named_and_stops_no_other(
    nats_server: Broker, numbers: Model, tmp_path: Path
) -> None:
    """Bytes that are no route table, and one whose file cannot be written: the next model is served, all is told."""
    async with served(nats_server, tmp_path, Folder(numbers)) as server:
        await server.deployer.publish_and_wait("headrace.route.changed.broken", b"{}", {"Nats-Msg-Id": "broken"})
        (tmp_path / "routes" / "unwritten.new").mkdir(parents=True)
        await server.route("unwritten", numbers.route())
        await server.route("m", numbers.route())

        await server.answers("m")
        await server.answers("unwritten")
        told = (await server.http.get("/v2/health/ready")).json()

    assert sorted(told["degraded"]) == ["routes/headrace.route.changed.broken", "routes/unwritten"]
    assert "without the broker" in told["degraded"]["routes/unwritten"]
    assert told["ready"]


async def test_a_file_of_last_uses_that_cannot_be_written_is_named(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """Predictions go on; it is written as soon as that is possible again."""
    key, keys = new_key(new_keys(), "ann", ["predict"])
    write_keys(tmp_path / "keys.json", keys)
    made: Alone = await alone(numbers, api_keys_file=tmp_path / "keys.json", cache_dir=tmp_path / "cache")
    made.replica.gate.caller(f"Bearer {key}")
    blocked = tmp_path / "cache/key-use.new"
    blocked.mkdir()
    ticker = made.replica.key_uses.loop().in_memory(None, made.replica.problems, made.replica.degraded)

    await ticker.once()
    named = dict(made.replica.details()["degraded"])
    blocked.rmdir()

    async def well() -> bool:
        await ticker.once()
        return made.replica.details()["degraded"] == {}

    await eventually(well)

    assert "key_use/always" in named
    assert (tmp_path / "cache/key-use.json").exists()


async def test_a_sampled_trace_is_found_in_the_logs(alone: Lonely, mixed: Model) -> None:
    """One trace id leads from a request to its prediction; requests without a trace leave no line."""
    made: Alone = await alone(mixed)
    await made.serve("m", mixed.route())
    with structlog.testing.capture_logs() as lines:
        await made.http.post("/v2/models/m/infer", json=row())
        trace = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
        answer = await made.http.post("/v2/models/m/infer", json=row(), headers={"traceparent": trace})

    (line,) = [line for line in lines if line["event"] == "prediction_answered"]
    assert line["trace_id"] == "c" * 32
    assert line["prediction_id"] == answer.json()["parameters"]["prediction_id"]


async def test_a_served_replica_stops_without_loss(nats_server: Broker, numbers: Model, tmp_path: Path) -> None:
    """What is in the write-ahead log when the process is told to stop still goes out."""
    async with listening(nats_server) as heard:
        async with served(nats_server, tmp_path, Folder(numbers)) as server:
            await server.route("m", numbers.route())
            await server.answers("m")
            for _ in range(30):
                await server.http.post("/v2/models/m/infer", json=matrix(ROW))
        await eventually(lambda: len(of(heard, PredictionLogged)) == 30)
