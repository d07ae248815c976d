"""Every step of an import, and the steps that there are not, without anything around them."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import (
    DatasetRef,
    ImportCancelled,
    ImportCompleted,
    Imported,
    ImportFailed,
    ImportQueued,
    ImportRequested,
    ObjectPlace,
)
from headrace.testkit import a
from headrace.trainer.domain import Decision, Impossible, State
from headrace.trainer.imports import DatasetPin, Import
from headrace.trainer.scheduling import MOST_ATTEMPTS
from headrace.trainer.tables import ImportRow
from headrace.trainer.worker.jobs import Brought, Data, Failure, ImportJob, Learned

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = timedelta(minutes=15)
DATASET = DatasetRef(name="flights", version=3, digest="d" * 64)
LEARNED = DatasetRef(name="history", version=2, digest="e" * 64)
EVENT = a(ImportCompleted)
PLACE = ObjectPlace(bucket="uploads", key="vendor/flights.onnx")
LOST = Failure(because="lost", reason="the worker is gone")


def wish(**asked: Any) -> Import:
    """An import that somebody has asked for."""
    request = ImportRequested(model="delay", object=PLACE, source_name="flights.onnx", reason="bought", **asked)
    told = {"import_id": "i", "model": "delay", "dataset": "flights", "pinned": None, "requested_by": "key:ann"}
    return Import(**told, request=request.model_dump(mode="json", exclude_none=True), declared_revision=2)


def job() -> ImportJob:
    """What it is resolved into."""
    data = Data(dataset="flights", digest="d" * 64, manifest=EVENT.reference, parts=1)
    told = {"import_id": "i", "attempt": 0, "model": "delay", "source": PLACE, "source_name": "x", "largest": 9}
    told |= {"data": data, "columns": ["wind"], "features": [], "target": "late", "task": "binary", "whole": True}
    told |= {"time": None, "by": "random", "fraction": 0.2, "metrics": [], "created": NOON, "bucket": "models"}
    return ImportJob.model_validate(told)


def running(**asked: Any) -> Import:
    """An import with a worker, started at noon."""
    return wish(**asked).started(job(), 3, NOON, LIMIT).after


def brought(**told: Any) -> Brought:
    """What a worker made of it."""
    same = {name: getattr(EVENT, name) for name in ("artifact", "signature", "features", "holdout", "metrics")}
    rest = {"format": "onnx", "source": EVENT.reference, "producer": "torch", "framework": None, "estimator": None}
    rest |= {"reference": EVENT.reference, "learned": None, "largest_difference": 1e-7, "compared_rows": 9}
    rest |= {"differing_rows": 0, "code_version": "1", "packages": {}, "python": "3", "warnings": ["look"]}
    return Brought.model_validate({**same, **rest, **told})


def fact(decision: Decision[Import]) -> Any:
    """The one fact of a decision."""
    (found,) = decision.facts
    return found


def test_it_waits_for_data_or_for_a_place() -> None:
    """Both are told, with what it is and who asked."""
    waiting = wish().queued("data")
    assert waiting.after.state is State.WAITING
    said = fact(waiting)
    assert isinstance(said, ImportQueued)
    assert (said.waits_for, said.requested_by, said.source, said.reason) == ("data", "key:ann", PLACE, "bought")
    assert waiting.after.queued("capacity").after.state is State.QUEUED


def test_it_is_started_under_a_name_of_its_own_for_each_attempt() -> None:
    """What is lost is tried again with objects of its own, and not for ever."""
    begun = running()
    assert (begun.state, begun.attempt, begun.dataset_version) == (State.RUNNING, 1, 3)
    assert ImportJob.model_validate(begun.job).prefix == "delay/i/1"
    again = begun.heard(LOST, [DATASET], NOON)
    assert (again.after.attempt, again.after.begun, again.facts) == (2, False, ())
    last = begun
    for _ in range(MOST_ATTEMPTS):
        decision = last.heard(LOST, [DATASET], NOON)
        last = decision.after
    assert (last.state, fact(decision).kind) == (State.FAILED, "lost")


@pytest.mark.parametrize(
    ("asked", "claim", "learned_from"),
    [
        ({}, "unknown", None),
        ({"learned_from": "none"}, "none", None),
        ({"learned_from": "history@2"}, "history@2", LEARNED),
    ],
)
def test_what_came_of_it_is_told_with_whose_claim_it_is(asked: Any, claim: str, learned_from: Any) -> None:
    """What it has learned from is what who asked says, and stands there as that."""
    begun = running(**asked)
    learned = Learned(object=EVENT.reference, columns=["wind"], rows=5) if claim != "unknown" else None
    datasets = [DATASET, *([learned_from] if learned_from else [])]
    done = begun.heard(brought(learned=learned), datasets, NOON + timedelta(seconds=4))
    said = fact(done)
    assert isinstance(said, ImportCompleted)
    assert isinstance(said.imported, Imported)
    assert (said.imported.claim, said.imported.claimed_by) == (claim, "key:ann")
    assert (said.learned_from, said.learned is None) == (learned_from, learned is None)
    assert (said.dataset, said.seconds, said.target, said.declared_revision) == (DATASET, 4, "late", 2)
    assert (said.warnings, said.imported.producer) == (["look"], "torch")
    assert (done.after.state, done.after.ended_at) == (State.COMPLETED, NOON + timedelta(seconds=4))


def test_it_fails_with_its_kind_and_reason() -> None:
    """Who asked is told what it was and why."""
    failed = running().heard(Failure(because="artifact", reason="a pickle", warnings=["w"]), [DATASET], NOON)
    said = fact(failed)
    assert isinstance(said, ImportFailed)
    assert (said.kind, said.reason, said.source_name, said.warnings) == ("artifact", "a pickle", "flights.onnx", ["w"])
    assert running().heard(None, [DATASET], NOON).facts == ()


def test_it_fails_where_its_time_is_over() -> None:
    """All attempts together have the limit."""
    assert running().late(NOON + LIMIT - timedelta(seconds=1)).facts == ()
    said = fact(running().late(NOON + LIMIT))
    assert (said.kind, "HEADRACE_TRAINER_IMPORT_TIMEOUT" in said.reason) == ("timeout", True)
    assert wish().late(NOON + LIMIT).facts == ()


@pytest.mark.parametrize(
    "begun", [wish(), wish().queued("data").after, running()], ids=["queued", "waiting", "running"]
)
def test_it_is_cancelled_once_whatever_it_does(begun: Import) -> None:
    """Who asked and why are told and kept; a second cancel says nothing more."""
    done = begun.cancelled("the wrong file", "key:bob", NOON)
    said = fact(done)
    assert isinstance(said, ImportCancelled)
    assert (said.import_id, said.model, said.source_name) == ("i", "delay", "flights.onnx")
    assert (said.by, said.reason) == ("key:bob", "the wrong file")
    assert (done.after.state, done.after.ended_at) == (State.CANCELLED, NOON)
    assert done.after.outcome == {"because": "cancelled", "reason": "the wrong file (key:bob)"}
    again = done.after.cancelled("once more", "key:eve", NOON + LIMIT)
    assert (again.after, again.facts) == (done.after, ())


def test_what_has_ended_otherwise_is_not_cancelled() -> None:
    """There is a version, or a reason why there is none."""
    done = running().completed(brought(), [DATASET], NOON).after
    with pytest.raises(Impossible, match="it is completed already"):
        done.cancelled("late", "key:bob", NOON)


def test_what_is_answered_by_itself_differs_from_nothing() -> None:
    """No figure is made up where nothing was converted."""
    done = running().heard(brought(largest_difference=None, compared_rows=0), [DATASET], NOON)
    assert fact(done).imported.largest_difference is None


def test_what_cannot_be_handled_is_given_up_without_being_read() -> None:
    """A row that cannot be read still ends."""
    broken = Import(**{**vars(running()), "request": {"nonsense": 1}})
    assert fact(broken.abandoned("a fault", NOON)).kind == "code"


def test_nothing_happens_after_its_end_or_before_its_time() -> None:
    """A step that an import cannot take says why."""
    done = running().completed(brought(), [DATASET], NOON).after
    with pytest.raises(Impossible, match="is completed, not running"):
        done.heard(LOST, [DATASET], NOON)
    with pytest.raises(Impossible, match="cannot be started: it is running"):
        running().started(job(), 3, NOON, LIMIT)
    with pytest.raises(Impossible, match="completed already"):
        done.abandoned("late", NOON)


def test_a_pin_names_a_version_or_the_newest() -> None:
    """As people write it."""
    assert DatasetPin.parse("flights@12") == DatasetPin("flights", 12)
    assert DatasetPin.parse("flights") == DatasetPin("flights", None)
    assert wish(learned_from="none").learned is None
    assert wish(learned_from="history@2").learned == DatasetPin("history", 2)


def test_a_row_keeps_everything_that_the_domain_knows() -> None:
    """No field of an import is lost between two looks."""
    assert {each.name for each in fields(Import)} <= ImportRow.model_fields.keys()
