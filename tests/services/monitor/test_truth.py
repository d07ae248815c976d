"""Reported truths: the same labels from data to truth, and each truth where it belongs."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import Label, PredictionLogged, RequestRefused, TruthReported, WindowEvaluated
from headrace.monitor.truth import Answer, BadTruth, Known, place_of, sort_truths
from headrace.tasks import TASKS, target_of
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3

from .conftest import DAY, MARCH, answer_day, declared, logged, rows, trained, two

ZERO_ONE, NUMBERS = TASKS["binary"].bare(), TASKS["regression"].bare()


@pytest.mark.parametrize("value", ["false", "", 2, 0.5, 1e400, "-0,032", "maybe", True, -1, "1.0", 10**400])
def test_what_is_no_label_is_refused_with_the_labels_that_are(value: Any) -> None:
    """Each of these was taken, and stopped the monitoring of all models."""
    with pytest.raises(BadTruth, match="none of the model's labels, which are 0, 1"):
        ZERO_ONE.read(value)


@pytest.mark.parametrize(
    "value", ["", "-0,032", 1e400, -1e400, math.nan, True, "1e400", "0x10", "1_000", " 1", "NaN", 10**400, "١"]
)
def test_the_truth_of_a_regression_is_a_finite_number(value: Any) -> None:
    """Nothing else; not even what Python's float() would take."""
    with pytest.raises(BadTruth):
        NUMBERS.read(value)


def test_a_decimal_comma_is_answered_with_the_number_as_it_should_be() -> None:
    """What to do next stands in the error."""
    with pytest.raises(BadTruth, match=r"'-0,032' is no number; write -0\.032, with a point"):
        NUMBERS.read("-0,032")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_every_finite_number_is_a_truth_of_a_regression(value: float) -> None:
    """As a number, or as the text of one."""
    assert NUMBERS.read(value) == float(value)
    assert NUMBERS.read(repr(value)) == float(value)


@pytest.mark.parametrize(
    ("text", "place"), [("p", ("p", 0)), ("p:3", ("p", 3)), ("a:b:12", ("a:b", 12)), ("p:007", ("p", 7))]
)
def test_an_id_names_a_prediction_and_a_row(text: str, place: tuple[str, int]) -> None:
    """`id:row`; the bare id is row 0."""
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text", ["", ":", "p:", "p:²", "p:-1", "p:1.5", "p:9999999999", "p\0:1", "ü", "p q", "x" * 201]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """Digits that are none, and rows that no database holds, answered 500."""
    with pytest.raises(BadTruth):
        place_of(text)


def known(**fields: Any) -> Known:
    """A model of which one answer of five rows is known, and another model's."""
    answers = {
        "p": [Answer("flights", "d1", 0, 3, MARCH), Answer("flights", "d1", 3, 2, MARCH)],
        "other": [Answer("trains", "d9", 0, 5, MARCH)],
    }
    return Known("flights", answers, **{"targets": {"d1": ZERO_ONE}, "judged_until": None, **fields})


def labels(*ids: str, value: Any = 1) -> list[Label]:
    """A truth each."""
    return [Label(prediction_id=each, value=value) for each in ids]


def test_each_truth_is_counted_once_by_what_becomes_of_it() -> None:
    """Rows of the answer's parts, a row that it lacks, another model's, and an answer that is not logged yet."""
    found = sort_truths(labels("p", "p:4", "p:5", "p:999999", "other:0", "new:99"), known())

    assert found.accepted == 2
    assert found.waiting == {("new", 99)}
    assert found.unknown == ["p:5", "p:999999", "other:0"]
    assert set(found.kept) == {("p", 0), ("p", 4), ("new", 99)}


def test_a_truth_for_a_judged_window_is_late() -> None:
    """It is kept, and not called accepted."""
    found = sort_truths(labels("p:1"), known(judged_until=MARCH + DAY))

    assert (found.accepted, found.late) == (0, {("p", 1): MARCH})


def test_truth_is_read_by_the_version_that_answered() -> None:
    """Another version's labels are no truth of it; where none is known, any version's are."""
    targets = {"d1": ZERO_ONE, "d2": target_of(two(("no", "yes"), "yes"))}

    assert sort_truths(labels("p", value="yes"), known(targets=targets)).bad
    assert not sort_truths(labels("new", value="yes"), known(targets=targets)).bad
    assert sort_truths(labels("new", value="maybe"), known(targets=targets)).bad


def test_of_two_truths_for_one_row_the_last_counts() -> None:
    """Within one report, too."""
    found = sort_truths([*labels("p", value=0), *labels("p:0", value=1)], known())

    assert found.kept == {("p", 0): 1}


async def report(on: Harness, *truths: tuple[str, Any], model: str = "flights") -> Any:
    """Report truths by HTTP."""
    body = {"labels": [{"prediction_id": prediction, "value": value} for prediction, value in truths]}
    return await on.http.post(f"/models/{model}/truth", json=body)


async def test_one_bad_truth_refuses_the_report_and_is_named(watched: Harness) -> None:
    """All or nothing: the report can be mended and sent again as it is."""
    await watched.say(logged("p", MARCH, rows(3, 1), [0.9, 0.1, 0.9]))
    await watched.quiet()

    for value in ("maybe", "", 2, 0.5, None, [1], {"a": 1}, "-0,032", True):
        answer = await report(watched, ("p:0", 1), ("p:1", value))
        assert (answer.status_code, "labels[1]" in answer.json()["detail"]) == (422, True), value

    assert (await report(watched, ("p:0", 1))).json()["accepted"] == 1


async def test_a_number_beyond_all_range_is_a_refusal(watched: Harness) -> None:
    """JSON has 1e400, Python makes it infinite."""
    body = b'{"labels": [{"prediction_id": "p:0", "value": 1e400}]}'
    json = {"content-type": "application/json"}

    answer = await watched.http.post("/models/flights/truth", content=body, headers=json)

    assert answer.status_code == 422
    assert "none of the model's labels, which are 0, 1" in answer.json()["detail"]


@pytest.mark.parametrize("over", ["http", "event"])
async def test_what_no_truth_can_be_is_told_in_one_sentence(watched: Harness, over: str) -> None:
    """A number of 5,000 digits, and a value that is null: on both ways in."""
    told = {
        "9" * 5000: "a number has more than 4,300 digits",
        "null": "should be a whole number, a number, a text, true or false; not null",
    }
    for value, sentence in told.items():
        body = b'{"labels": [{"prediction_id": "p:0", "value": %s}]}' % value.encode()
        if over == "event":
            await watched.publish("headrace.request.truth.flights", body)
            said = await watched.heard(RequestRefused, where=lambda event, part=sentence: part in event.reason)
            reason = said.data.reason
        else:
            answer = await watched.http.post(
                "/models/flights/truth", content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code in (400, 422)
            reason = answer.json()["detail"]
        assert reason.count(sentence) == 1
        assert ".int" not in reason


WRONG = (
    "2026-11-30",
    "20261130T170000Z",
    "2026-W49-1T17:00:00Z",
    "2026-11-30T17Z",
    "1",
    1,
    "²",
    "2026-13-01T00:00:00Z",
)
RIGHT = ("2026-11-30T17:00:00Z", "2026-11-30t17:00:00.5z", "2026-11-30 17:00:00+01:00", None)


async def test_times_are_rfc_3339(watched: Harness) -> None:
    """A day without a time answered 500; lower case, fractions and offsets are taken."""

    async def taken(at: Any) -> bool:
        body = {"labels": [{"prediction_id": "p:0", "value": 1, "at": at}]}
        answer = await watched.http.post("/models/flights/truth", json=body)
        assert answer.status_code in (200, 422)
        return answer.is_success

    assert [await taken(at) for at in WRONG] == [False] * len(WRONG)
    assert [await taken(at) for at in RIGHT] == [True] * len(RIGHT)


async def test_truth_of_rows_that_do_not_exist_is_told_and_not_counted(watched: Harness, s3: S3) -> None:
    """Row 30 and row 999999 of a 30-row answer, and another model's prediction."""
    await watched.say(declared(model="trains"))
    await watched.say(trained(s3, model="trains"))
    await watched.say(logged("p", MARCH, rows(30, 1), [0.9] * 30))
    await watched.say(logged("q", MARCH, rows(30, 1), [0.9] * 30, model="trains"))
    await watched.quiet()

    taken = (await report(watched, ("p:29", 1), ("p:30", 1), ("p:999999", 1), ("q:1", 1))).json()
    await answer_day(watched, 1)

    assert taken == {"accepted": 1, "waiting": 0, "late": 0, "unknown": 3, "unknown_ids": ["p:30", "p:999999", "q:1"]}
    assert (await watched.heard(WindowEvaluated, key="flights")).data.truths == 1


async def test_another_models_report_changes_no_truth(watched: Harness, s3: S3) -> None:
    """It replaced the value that the right model had reported."""
    await watched.say(declared(model="trains"))
    await watched.say(trained(s3, model="trains"))
    await watched.quiet()
    await report(watched, *[(f"p:{at}", at % 2) for at in range(200)])

    await report(watched, *[(f"p:{at}", 1 - at % 2) for at in range(200)], model="trains")
    await watched.say(logged("p", MARCH, rows(200, 5), [0.1 + 0.8 * (row % 2) for row in range(200)]))
    await answer_day(watched, 1)

    assert (await watched.heard(WindowEvaluated, key="flights")).data.metrics["roc_auc"] == 1.0


async def test_a_bad_truth_by_event_is_refused_with_the_labels(watched: Harness) -> None:
    """The same rule on both ways in."""
    await watched.publish("headrace.request.truth.flights", b'{"labels": [{"prediction_id": "p", "value": "maybe"}]}')

    refused = (await watched.heard(RequestRefused)).data

    assert "'maybe' is none of the model's labels, which are 0, 1" in refused.reason
    assert refused.about == "flights"


async def test_unknown_rows_by_event_are_told_and_the_others_kept(watched: Harness) -> None:
    """Whoever reported them hears of it; the window counts what belongs to an answer."""
    await watched.say(logged("p", MARCH, rows(5, 1), [0.9] * 5))
    await watched.quiet()
    said = await watched.say(a(TruthReported, model="flights", labels=labels("p:1", "p:99")), as_="operator")

    refused = (await watched.heard(RequestRefused)).data
    await answer_day(watched, 1)

    assert refused.request_id == said.id
    assert refused.subject == "headrace.request.truth.flights"  # without who published it
    assert "p:99" in refused.reason
    assert (await watched.heard(WindowEvaluated)).data.truths == 1


async def test_text_labels_go_from_training_to_truth(watched: Harness, s3: S3) -> None:
    """Labels yes and no stopped the monitoring of all models; 1 and 2 gave the figures of the wrong class."""
    for name, pair in (("words", ("<=50K", ">50K")), ("numbers", (1, 2))):
        await watched.say(declared(model=name))
        await watched.say(trained(s3, model=name, signature=two(pair, pair[1])))
        await watched.quiet()
        await answer_day(watched, 0, model=name, labels=pair)
        await answer_day(watched, 1, model=name, labels=pair)

        judged = (await watched.heard(WindowEvaluated, key=name)).data
        assert judged.truths == 2000
        assert judged.metrics["roc_auc"] > 0.9


async def test_truth_for_a_model_without_a_version_is_a_conflict(on: Harness) -> None:
    """Nothing can have been predicted yet; the answer says so."""
    await on.say(declared())
    await on.quiet()

    answer = await report(on, ("p:0", 1))

    assert answer.status_code == 409
    assert "flights has no version yet" in answer.json()["detail"]


async def test_what_comes_after_its_window_was_judged_is_counted_as_late(watched: Harness) -> None:
    """Rows and truths: in no figure, and visible in the window's answer, the status and the metrics."""
    await answer_day(watched, 0)
    await answer_day(watched, 1)
    await watched.heard(WindowEvaluated)
    late = logged("late", MARCH + timedelta(hours=3), rows(7, 1), [0.9] * 7)
    await watched.say(late)
    await watched.say(a(PredictionLogged, **{**late.model_dump(), "latency_ms": 9.0}))  # the same answer once more
    await watched.quiet()

    taken = (await report(watched, ("late:1", 1), ("flights-day0-v1:3", 0), ("late:7", 1))).json()
    window = (await watched.http.get("/models/flights/windows/1")).json()
    listed = (await watched.http.get("/models/flights/windows")).json()["items"][0]
    status = (await watched.http.get("/models/flights/status")).json()
    metrics = (await watched.http.get("/metrics")).text

    assert (taken["accepted"], taken["late"], taken["unknown"]) == (0, 2, 1)
    assert window["late"] == listed["late"] == status["late"] == {"predictions": 7, "truths": 2}
    assert window["predictions"] == 2000
    assert 'headrace_late{kind="truths",model_name="flights"} 2.0' in metrics
