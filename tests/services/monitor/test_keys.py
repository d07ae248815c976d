"""Truth by the caller's own key: joined to the newest prediction that has it, or to the first that comes."""

from datetime import timedelta
from typing import Any

import pytest

from headrace.contracts import Label, RequestRefused, TruthReported, WindowEvaluated
from headrace.monitor.truth import Answer, Known, sort_truths
from headrace.tasks import TASKS
from headrace.testkit import Harness, a

from .conftest import MARCH, answer_day, logged, rows

HOUR = timedelta(hours=1)
PLAIN = {"accepted": 0, "waiting": 0, "late": 0, "unknown": 0, "unknown_ids": []}


def keyed(count: int, first: int = 0) -> list[str]:
    """The keys of so many rows."""
    return [f"order-{first + at}" for at in range(count)]


async def report(on: Harness, truths: dict[str, Any]) -> Any:
    """Report truths by key over HTTP."""
    body = {"labels": [{"key": key, "value": value} for key, value in truths.items()]}
    return await on.http.post("/models/flights/truth", json=body)


async def test_truth_by_key_counts_as_truth_by_id_does(watched: Harness) -> None:
    """Over HTTP and by event, for rows in the midst of a request."""
    count = 200
    probability = [0.1 + 0.8 * (at % 2) for at in range(count)]
    await watched.say(logged("p", MARCH, rows(count, 1), probability, keys=keyed(count)))
    await watched.quiet()

    taken = await report(watched, {key: at % 2 for at, key in enumerate(keyed(count)) if at < count - 1})
    last = Label(key=keyed(count)[-1], value=1)
    await watched.say(a(TruthReported, model="flights", labels=[last]), as_="operator")
    await answer_day(watched, 1)

    judged = (await watched.heard(WindowEvaluated)).data
    assert taken.json() == {**PLAIN, "accepted": count - 1}
    assert (judged.truths, judged.metrics["roc_auc"]) == (count, 1.0)


async def test_truth_that_comes_first_waits_for_the_prediction(watched: Harness) -> None:
    """A key names nothing yet; the first prediction that has it takes the truth, and the next one does not."""
    taken = await report(watched, {"order-0": 1, "order-1": 0})
    await watched.say(logged("p", MARCH, rows(2, 1), [0.9, 0.1], keys=keyed(2)))
    await watched.say(logged("q", MARCH + HOUR, rows(2, 2), [0.9, 0.1], keys=keyed(2)))
    await answer_day(watched, 1)

    assert taken.json() == {**PLAIN, "waiting": 2}
    assert (await watched.heard(WindowEvaluated)).data.truths == 2


async def test_of_several_predictions_the_newest_in_event_time_has_the_truth(watched: Harness) -> None:
    """In whatever order they were logged; a shadow with the same key is none."""
    await watched.say(logged("late", MARCH + 2 * HOUR, rows(1, 1), [0.9], keys=["order-0"]))
    await watched.say(logged("early", MARCH, rows(1, 2), [0.1], keys=["order-0"]))
    await watched.say(logged("late", MARCH + 3 * HOUR, rows(1, 1), [0.1], keys=["order-0"], version=2, route="shadow"))
    await watched.quiet()

    await report(watched, {"order-0": 1})

    answer = await watched.http.post(
        "/models/flights/truth",
        json={"labels": [{"prediction_id": "late:0", "value": 1}, {"key": "order-0", "value": 1}]},
    )
    assert answer.json() == {**PLAIN, "accepted": 1}  # it is one row, named twice


async def test_rows_without_a_key_have_none(watched: Harness) -> None:
    """A request may name some of its rows alone."""
    await watched.say(logged("p", MARCH, rows(3, 1), [0.9] * 3, keys=[None, "order-1", None]))
    await watched.quiet()

    assert (await report(watched, {"order-1": 1})).json() == {**PLAIN, "accepted": 1}


async def test_keys_that_do_not_fit_the_rows_are_parked(watched: Harness) -> None:
    """Like columns that do not."""
    await watched.say(logged("p", MARCH, rows(3, 1), [0.9] * 3, keys=["order-1"]))
    await watched.quiet()

    (dead_letter,) = (await watched.http.get("/dead-letters")).json()["items"]
    assert "keys has 1 values for 3 rows" in dead_letter["reason"]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ({"value": 1}, "either by prediction_id or by key"),
        ({"prediction_id": "p:0", "key": "order-1", "value": 1}, "either by prediction_id or by key"),
        ({"key": "", "value": 1}, "is no key"),
        ({"key": "a\u0000", "value": 1}, "is no key"),
        ({"key": "x" * 201, "value": 1}, "is no key"),
        ({"key": "order-1", "value": "maybe"}, "none of the model's labels, which are 0, 1"),
    ],
)
async def test_a_bad_truth_by_key_is_refused(watched: Harness, label: dict[str, Any], says: str) -> None:
    """Nothing of the report is kept."""
    answer = await watched.http.post("/models/flights/truth", json={"labels": [label, {"key": "order-0", "value": 1}]})

    assert answer.status_code == 422
    assert says in answer.json()["detail"]


async def test_a_truth_that_names_no_row_is_refused_by_event(watched: Harness) -> None:
    """The same rule on both ways in."""
    await watched.publish("headrace.request.truth.flights", b'{"labels": [{"value": 1}]}')

    refused = (await watched.heard(RequestRefused)).data

    assert "either by prediction_id or by key" in refused.reason


def test_a_truth_by_key_for_a_judged_window_is_late() -> None:
    """It has the time of the prediction that its key names."""
    known = Known(
        "flights",
        {"p": [Answer("flights", "d1", 0, 3, MARCH)]},
        {"d1": TASKS["binary"].bare()},
        MARCH + HOUR,
        {"order-2": ("p", 2)},
    )

    found = sort_truths([Label(key="order-2", value=1), Label(key="order-9", value=0)], known)

    assert found.late == {("p", 2): MARCH}
    assert found.by_key == {"order-9": 0}
