"""One bad thing never stops the judging of other models, nor for long that of its own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import (
    Declaration,
    Envelope,
    ModelDeclared,
    PredictionLogged,
    TruthReported,
    WindowEvaluated,
    encode,
    wrap,
)
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3

from .conftest import DAY, DECLARATION, MARCH, answer_day, declared, logged, rows, trained

SCHEDULES = ["never", "99 99 * * *", "P0D", "PT0S", "0 0 31 2 *", "", "banana", "@yearly-ish"]


@pytest.fixture
async def two(watched: Harness, s3: S3) -> Harness:
    """A model that will be poisoned, `bad`, beside the one that must go on."""
    await watched.say(declared(model="bad"))
    await watched.say(trained(s3, model="bad"))
    await watched.quiet()
    return watched


async def goes_on(on: Harness, day: int = 0) -> None:
    """The good model's next window is judged."""
    await answer_day(on, day, count=300)
    await answer_day(on, day + 1, count=300)
    await on.heard(WindowEvaluated, key="flights", where=lambda event: event.window.start == MARCH + day * DAY)


async def problems(on: Harness) -> dict[str, Any]:
    """What `/ready` says."""
    answer: dict[str, Any] = (await on.http.get("/ready")).json()
    return answer


def unchecked(schedule: str, revision: int) -> ModelDeclared:
    """A declaration from before schedules were checked."""
    document = json.loads(declared(revision, model="bad").declaration.model_dump_json(exclude_none=True))
    document["monitoring"]["every"] = schedule
    declaration = Declaration.model_validate(document)
    return a(ModelDeclared, name="bad", revision=revision, declaration=declaration)


async def test_a_model_that_cannot_be_judged_is_named(two: Harness) -> None:
    """Stuck judging is no secret: `/ready` names the item, and `/dead-letters` has the dead letter."""
    await two.say(unchecked("P0D", 2))
    await answer_day(two, 0, model="bad", count=300)

    async def named() -> bool:
        return "bad/window-1/revision-2" in json.dumps(await problems(two))

    await _eventually(named)

    async def dead_letter() -> bool:
        return "bad/window-1" in (await two.http.get("/dead-letters")).text

    await _eventually(dead_letter)


async def test_a_schedule_that_makes_no_windows_stops_no_other_model(two: Harness) -> None:
    """`never`, a cron time that never comes, a length of nothing; and a declaration that mends it is enough."""
    for revision, schedule in enumerate(SCHEDULES, 2):
        await two.say(unchecked(schedule, revision))
        await two.quiet()
        if revision == 2:
            await answer_day(two, 0, model="bad", count=300)
        await goes_on(two, 2 * revision)
        assert (await two.http.get("/models/bad/status")).json()["open_window"] is None
    assert not [each for each in two.all(WindowEvaluated) if each.subject == "bad"]

    await two.say(declared(50, model="bad"))
    await answer_day(two, 1, model="bad", count=300)

    await two.heard(WindowEvaluated, key="bad")


async def _eventually(condition: Callable[[], Any]) -> None:
    from headrace.testkit.waiting import eventually

    await eventually(condition)


def at(time: datetime, prediction: str, **fields: Any) -> PredictionLogged:
    """An answer of the bad model at a time of its own."""
    return logged(prediction, time, rows(300, 1), [0.9] * 300, model="bad", **fields)


async def test_a_time_in_the_future_moves_no_window(two: Harness) -> None:
    """One request said 2099, and the model was not watched until then."""
    for number, year in enumerate((2099, 2199)):
        await two.say(at(datetime(year, 1, 1, tzinfo=UTC), f"ahead-{number}"))
    await two.quiet()
    await goes_on(two)

    status = (await two.http.get("/models/bad/status")).json()
    newest = datetime.fromisoformat(status["newest_prediction"])
    assert newest <= datetime.now(UTC) + timedelta(minutes=5)


async def test_a_replay_of_the_past_is_watched_although_one_answer_said_2099(two: Harness) -> None:
    """The answer counts when it arrived; those of March 2013 after it come late for no window that was judged."""
    await answer_day(two, 0, model="bad", count=300)
    await answer_day(two, 1, model="bad", count=300)
    await two.heard(WindowEvaluated, key="bad")
    await two.say(at(datetime(2099, 1, 1, tzinfo=UTC), "ahead"))
    await two.quiet()

    second = (await two.heard(WindowEvaluated, key="bad", where=lambda event: event.window.number == 2)).data

    assert second.window.start == MARCH + DAY


def poison() -> dict[str, Callable[[], bytes]]:
    """Messages on the stream of predictions that no window can take."""
    good = at(MARCH, "poison")

    def changed(**data: Any) -> bytes:
        document = json.loads(encode(_said(good)))
        document["data"] = {**document["data"], **data}
        return json.dumps(document).encode()

    return {
        "no envelope": lambda: b'{"not": "an envelope"}',
        "no JSON": lambda: b"\xff\xfe",
        "columns of different lengths": lambda: changed(inputs={"wind": [1, 2, 3]}),
        "answers of different lengths": lambda: changed(outputs={"label": [1], "probability": []}),
        "the end of the calendar": lambda: changed(time="9999-12-31T23:59:59Z"),
        "whole numbers without end": lambda: changed(inputs={"wind": [10**400] * 300}),
        "text that no database holds": lambda: changed(inputs={"carrier": ["\u0000"] * 300}),
        "a time before all calendars": lambda: changed(time="0001-01-01T00:00:00Z"),
        "the first moment, elsewhere": lambda: changed(time="0001-01-01T00:00:00+14:00"),
        "rows beyond a database": lambda: changed(rows=10**30),
    }


def _said(event: PredictionLogged) -> Envelope:
    return wrap(event, source="headrace/inference", id="poison", time=MARCH, correlationid="poison")


@pytest.mark.parametrize("name", poison())
async def test_a_poisoned_answer_is_parked_and_everything_else_goes_on(two: Harness, name: str) -> None:
    """Whatever it is: in the list of dead letters, and no other answer waits for it."""
    await two.publish("headrace.prediction.logged.bad", poison()[name](), as_="inference")
    await goes_on(two)
    await answer_day(two, 0, model="bad", count=300)
    await answer_day(two, 1, model="bad", count=300)

    await two.heard(WindowEvaluated, key="bad")
    assert len((await two.http.get("/dead-letters")).json()["items"]) == 1


VALUES: dict[str, list[Any]] = {
    "words among numbers": ["ten"] * 300,
    "lists and objects": [[1], {"a": 2}] * 150,
    "numbers beyond all range": [1e308, -1e308] * 150,
    "great whole numbers": [2**53 - 1, -(2**53) + 1] * 150,
    "gaps alone": [None] * 300,
    "truth values": [True, False] * 150,
    "text with no characters": ["", "\u200b"] * 150,
}


@pytest.mark.parametrize("name", VALUES)
async def test_odd_values_in_one_column_leave_the_others_judged(two: Harness, name: str) -> None:
    """Whatever a request may have carried; the window is judged with all that can be."""
    odd = logged("odd", MARCH, rows(300, 1), [0.1, 0.9] * 150, model="bad")
    for number, column in enumerate(("wind", "carrier")):
        inputs = {**odd.inputs, column: VALUES[name]}
        message = {**odd.model_dump(), "inputs": inputs, "prediction_id": f"odd-{number}"}
        await two.say(PredictionLogged(**{**message, "time": MARCH + number * DAY}))
    await answer_day(two, 2, model="bad", count=300)

    for number in (1, 2):
        said = (await two.heard(WindowEvaluated, key="bad", where=lambda e, n=number: e.window.number == n)).data
        assert "hour" in {each.column for each in said.drift}
    await goes_on(two)


async def test_truth_that_came_before_the_model_was_known_is_read_when_it_counts(on: Harness, s3: S3) -> None:
    """It cannot be checked at the door then; what is none of the labels is listed, and stops nothing."""
    truths = [{"prediction_id": f"early:{row}", "value": row % 2} for row in range(300)]
    truths[7]["value"] = "maybe"
    await on.say(TruthReported.model_validate({"model": "flights", "labels": truths}), as_="operator")
    await on.quiet()
    await on.say(declared())
    await on.say(trained(s3))
    await on.quiet()

    await on.say(logged("early", MARCH, rows(300, 5), [0.1 + 0.8 * (row % 2) for row in range(300)]))
    await answer_day(on, 1)

    said = (await on.heard(WindowEvaluated)).data
    assert (said.truths, said.metrics["roc_auc"]) == (299, 1.0)
    assert [(each.rows, "report them again" in each.reason) for each in said.not_judged if each.column is None] == [
        (1, True)
    ]


async def test_a_window_that_cannot_be_judged_is_passed_over(
    harness: Callable[..., Harness], database_url: str, s3: S3
) -> None:
    """Its reference is gone for good: after some tries the window has failed, says why, and the next one is judged."""
    fast = {"monitor_look_every": 0.05, "objects": s3.settings, "database_url": database_url}
    async with harness(build, MonitorSettings, **fast, dead_letter_after_attempts=1) as on:
        await on.say(declared())
        lost = trained(s3)
        gone = lost.reference.model_copy(
            update={"key": "flights/nowhere.parquet", "version_id": None, "sha256": "f" * 64}
        )
        await on.say(lost.model_copy(update={"reference": gone}))
        await on.say(trained(s3, version=2))
        await answer_day(on, 0, truth=False)
        await answer_day(on, 1, version=2, truth=False)
        await answer_day(on, 2, version=2, truth=False)

        second = (await on.heard(WindowEvaluated)).data
        failed = await on.http.get("/models/flights/windows/1")

    assert (second.window.number, second.version) == (2, 2)
    assert (failed.status_code, "could not be judged" in failed.json()["detail"]) == (404, True)


def test_the_declaration_of_these_tests_is_one_that_is_accepted() -> None:
    """Poison is told apart from what the tests themselves got wrong."""
    assert declared().declaration.monitoring.every == DECLARATION["monitoring"]["every"]
