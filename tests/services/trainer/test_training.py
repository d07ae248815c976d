"""From a request to a model, on a real broker, object store and Ray."""

import io
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from headrace.contracts import (
    ANSWER_COLUMN,
    Column,
    RequestRefused,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingQueued,
    TrainingRequested,
    TrainingStarted,
)
from headrace.runtimes import load
from headrace.tasks import target_of
from headrace.testkit import Harness
from headrace.testkit.s3 import S3

COLUMNS = [
    Column(name="at", type="timestamp", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="carrier", type="string", nullable=False),
    Column(name="late", type="integer", nullable=False),
]
ASK = TrainingRequested(model="delay", reason="new season")


async def test_a_request_becomes_a_model(on: Harness, world: Any, buckets: S3, tmp_path: Path) -> None:
    """Queued, started, progressed, completed: with everything that a person needs to make the model again."""
    await on.say(world.declared(training={"params": {"C": 0.5}, "seed": 4}))
    await on.say(world.ingested(world.flights(seed=1), world.flights(seed=2)))
    await on.quiet()

    asked = await on.say(ASK, as_="operator", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")

    completed = await on.heard(TrainingCompleted, "delay", timeout=120)
    told = completed.data
    assert (told.reason, told.requested_by) == ("new season", "nats:operator")
    assert (told.dataset.name, told.dataset.version, told.declared_revision) == ("flights", 1, 1)
    assert (told.params, told.seed, told.estimator) == ({"C": 0.5}, 4, "sklearn.linear_model.LogisticRegression")
    assert str(UUID(told.run)) == told.run
    assert target_of(told.signature).labels == (0, 1)
    assert told.signature.task == "binary"
    assert told.learned is not None
    assert (told.learned.rows, told.learned.object.size) == (960, 8 * 960)
    assert [column.name for column in told.features] == ["wind", "carrier"]
    assert (told.train_rows, told.holdout.rows) == (960, 240)
    assert told.holdout.boundary is not None
    assert told.metrics["roc_auc"] > 0.8
    assert "+sources." in told.code_version
    assert "scikit-learn" in told.packages
    folder = buckets.sync.get_directory(told.artifact, tmp_path / "model")
    answer = load(folder).answer({"wind": [90.0, 0.0], "carrier": ["UA", "AA"]})
    assert answer["label"].tolist() == [1, 0]
    assert load(folder).signature == told.signature
    reference = pd.read_parquet(io.BytesIO(buckets.sync.get(told.reference)))
    assert list(reference.columns) == ["wind", "carrier", ANSWER_COLUMN, "late"]
    for kind in (TrainingQueued, TrainingStarted, TrainingCompleted):
        said = on.all(kind)
        assert [each.correlationid for each in said] == [asked.id]
        assert [(each.traceparent or "")[3:35] for each in said] == ["a" * 32], kind
        assert said[0].causationid
    stages = [each.data.stage for each in on.all(TrainingProgressed)]
    assert list(dict.fromkeys(stages)) == ["loading", "fitting", "exporting", "scoring", "uploading"]


async def test_any_nats_client_can_ask(on: Harness, world: Any) -> None:
    """Bare JSON on the subject is enough."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    await on.publish("headrace.request.training.delay", b'{"reason": "new season"}')

    assert (await on.heard(TrainingCompleted, "delay", timeout=120)).data.reason == "new season"


async def test_a_model_that_nobody_declared_is_refused(on: Harness) -> None:
    """The answer says what to do first."""
    await on.publish("headrace.request.training.nobody", b"{}")

    refused = await on.heard(RequestRefused)
    assert "headrace apply" in refused.data.reason


async def test_new_data_start_a_run(on: Harness, world: Any) -> None:
    """Where the declaration says so, without anybody asking."""
    await on.say(world.declared(training={"on": ["new-data"]}))

    await on.say(world.ingested(world.flights()))

    assert (await on.heard(TrainingCompleted, timeout=120)).data.reason == "new data: flights version 1"


async def test_a_run_of_newer_data_waits_for_them(on: Harness, world: Any) -> None:
    """It says that it waits, and starts once, also where new data would start a run anyway."""
    await on.say(world.declared(training={"on": ["new-data"]}))
    await on.say(world.ingested(world.flights()))
    await on.heard(TrainingCompleted, timeout=120)

    await on.say(TrainingRequested(model="delay", reason="drift", data="newer"), as_="monitor")
    waiting = await on.heard(TrainingQueued, where=lambda event: event.reason == "drift")
    assert waiting.data.waits_for == "data"
    await on.say(world.ingested(world.flights(), world.flights(seed=2), version=2))

    done = await on.heard(TrainingCompleted, where=lambda event: event.dataset.version == 2, timeout=120)
    assert (done.data.reason, done.data.run) == ("drift", waiting.data.run)
    await on.quiet()
    assert len(on.all(TrainingStarted)) == 2


async def test_a_request_that_came_before_any_data_waits(on: Harness, world: Any) -> None:
    """Declare, ask, ingest: in this order too."""
    await on.say(world.declared())
    await on.quiet()
    await on.say(ASK, as_="operator")
    assert (await on.heard(TrainingQueued)).data.waits_for == "data"

    await on.say(world.ingested(world.flights()))

    await on.heard(TrainingCompleted, timeout=120)


async def test_the_request_may_change_parameters_version_and_seed(on: Harness, world: Any) -> None:
    """What was asked for is what was done, and is recorded."""
    await on.say(world.declared(training={"params": {"C": 0.5}}))
    await on.say(world.ingested(world.flights()))
    await on.say(world.ingested(world.flights(), world.flights(seed=2), version=2))
    await on.quiet()

    await on.say(TrainingRequested(model="delay", params={"max_iter": 50}, dataset_version=1, seed=7), as_="operator")

    told = (await on.heard(TrainingCompleted, timeout=120)).data
    assert (told.params, told.seed, told.dataset.version) == ({"C": 0.5, "max_iter": 50}, 7, 1)


@pytest.mark.parametrize(
    ("declared", "columns", "kind", "reason"),
    [
        ({"data": {"target": "delay"}}, {}, "data", "target 'delay' is no column of dataset 'flights'"),
        ({}, {"late": 1}, "data", "two classes are needed"),
        ({"data": {"time": "carrier"}}, {}, "data", "ordered by letters"),
        ({"data": {"groups": ["gender"]}}, {}, "data", "context columns gender are no columns"),
        ({"data": {"positive": "maybe"}}, {}, "data", "holds 0, 1"),
        ({"data": {"features": ["wind", "rain"]}}, {}, "data", "features rain are no columns"),
        (
            {
                "training": {
                    "estimator": "sklearn.neural_network.MLPClassifier",
                    "params": {"hidden_layer_sizes": [100_000, 10_000]},
                }
            },
            {},
            "memory",
            "more memory than it may have",
        ),
    ],
)
async def test_a_training_that_cannot_be_says_why(
    on: Harness, world: Any, declared: dict[str, Any], columns: dict[str, Any], kind: str, reason: str
) -> None:
    """In words for the author of the model; nothing is half done, and nothing else is said afterwards."""
    await on.say(world.declared(**declared))
    await on.say(world.ingested(world.flights(**columns)))
    await on.quiet()

    await on.say(ASK, as_="operator")

    failed = (await on.heard(TrainingFailed, timeout=120)).data
    assert (failed.kind, reason in failed.reason) == (kind, True), failed.reason
    assert not on.all(TrainingCompleted)


@pytest.mark.parametrize(
    ("unchecked", "refused", "kind", "reason"),
    [
        ({"params": {"max_itr": 3}}, "did you mean 'max_iter'", "code", "did you mean 'max_iter'"),
        ({"params": {"C": -1}}, "takes a number above 0; not -1", "code", "InvalidParameterError"),
        ({"estimator": "os.system"}, "sklearn has no estimator 'os.system'", "code", "refused"),
        (
            {"estimator": "sklearn.gaussian_process.GaussianProcessClassifier"},
            "cannot be saved without pickle",
            "export",
            "types that are not allowed",
        ),
    ],
)
async def test_a_declaration_that_should_not_be_is_refused_where_one_asks_and_fails_where_data_do(
    on: Harness, world: Any, unchecked: dict[str, Any], refused: str, kind: str, reason: str
) -> None:
    """Declared by a registry that checks less: a request is refused at once, a run that new data start says why."""
    await on.say(world.declared(training={"on": ["new-data"]}, unchecked=unchecked))
    await on.quiet()

    await on.say(ASK, as_="operator")
    told = (await on.heard(RequestRefused)).data
    await on.say(world.ingested(world.flights()))
    failed = (await on.heard(TrainingFailed, timeout=120)).data

    assert refused in told.reason
    assert (failed.kind, reason in failed.reason) == (kind, True), failed.reason
    assert not on.all(TrainingCompleted)


async def test_too_few_rows_cannot_train(on: Harness, world: Any) -> None:
    """Neither can none at all."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights(rows=9)))
    await on.quiet()

    await on.say(ASK, as_="operator")

    failed = (await on.heard(TrainingFailed, timeout=120)).data
    assert failed.kind == "data"
    assert "too few" in failed.reason


async def test_data_that_are_gone_are_named(on: Harness, world: Any, buckets: S3) -> None:
    """A part that somebody removed from the store."""
    event = world.ingested(world.flights(seed=9))
    buckets.sync.remove("datasets", event.part.object.key)
    await on.say(world.declared())
    await on.say(event)
    await on.quiet()

    await on.say(ASK, as_="operator")

    failed = (await on.heard(TrainingFailed, timeout=120)).data
    assert failed.kind == "data"
    assert event.part.object.key in failed.reason


async def test_rows_without_a_label_are_left_out_and_counted(on: Harness, world: Any) -> None:
    """The answer to them is not known yet; whole numbers stay whole numbers beside them."""
    late = world.flights()["late"].astype("Int64")
    late[:7] = None
    columns = [*COLUMNS[:3], Column(name="late", type="integer", nullable=True)]
    await on.say(world.declared())
    await on.say(world.ingested(world.flights(late=late), columns=columns))
    await on.quiet()

    await on.say(ASK, as_="operator")

    told = (await on.heard(TrainingCompleted, timeout=120)).data
    assert (told.unlabelled_rows, told.train_rows + told.holdout.rows) == (7, 593)
    assert target_of(told.signature).labels == (0, 1)
    assert "7 of 600 rows have no late and were left out" in (told.warnings or [])


async def test_what_the_library_warned_of_is_kept_with_the_run(on: Harness, world: Any) -> None:
    """In the event, and where one looks at the run; so is a timestamp that is no feature."""
    columns = [*COLUMNS, Column(name="seen_at", type="timestamp", nullable=False)]
    estimator = "sklearn.neural_network.MLPClassifier"
    await on.say(world.declared(training={"estimator": estimator, "params": {"max_iter": 2, "verbose": True}}))
    await on.say(world.ingested(world.flights().assign(seen_at=lambda f: f["at"]), columns=columns))
    await on.quiet()

    await on.say(ASK, as_="operator")

    told = (await on.heard(TrainingCompleted, timeout=120)).data
    assert any(each.startswith("ConvergenceWarning: ") for each in told.warnings or [])
    assert any(each.startswith("seen_at is a timestamp and no feature") for each in told.warnings or [])
    shown = (await on.http.get(f"/runs/{told.run}")).json()
    assert shown["warnings"] == told.warnings
    assert "Iteration 1, loss" in shown["log"]


async def test_a_failure_keeps_its_reason_and_the_log(on: Harness, world: Any) -> None:
    """What `train --wait` shows, and what was printed before."""
    await on.say(world.declared(training={"on": ["new-data"]}, unchecked={"params": {"C": -1}}))
    await on.quiet()

    await on.say(world.ingested(world.flights()))

    failed = (await on.heard(TrainingFailed, timeout=120)).data
    shown = (await on.http.get(f"/runs/{failed.run}")).json()
    assert shown["outcome"]["reason"] == failed.reason
    assert "InvalidParameterError" in failed.reason


async def test_a_framework_that_nobody_knows_fails_its_run_alone(on: Harness, world: Any) -> None:
    """Declared by a version of the registry that knows more, and started by new data: the others go on."""
    unknown = world.declared(training={"on": ["new-data"]}, unchecked={"framework": "spark"})
    strange = unknown.declaration.model_copy(update={"name": "strange"})
    await on.say(unknown.model_copy(update={"name": "strange", "declaration": strange}))
    await on.say(world.declared(training={"on": ["new-data"]}))
    await on.quiet()

    await on.say(world.ingested(world.flights()))

    failed = (await on.heard(TrainingFailed, "strange", timeout=120)).data
    assert failed.reason.startswith("no framework named 'spark'; training.framework may be sklearn, lightgbm")
    await on.heard(TrainingCompleted, "delay", timeout=120)
