"""Windows of traffic: what the monitor says of them, and when."""

from datetime import timedelta

from headrace.contracts import (
    ANSWER_COLUMN,
    AlertRaised,
    DriftDetected,
    FairnessBreached,
    ModelDeclared,
    PerformanceDegraded,
    PredictionLogged,
    TrainingRequested,
    WindowEvaluated,
    WindowScheduled,
)
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3

from .conftest import DAY, MARCH, answer_day, declared, logged, rows, trained


async def test_a_day_is_judged_when_the_next_has_begun(watched: Harness) -> None:
    """Event time moves with the traffic: the last flight of the day, then the first of the next."""
    await answer_day(watched, 0)
    await watched.quiet()
    assert watched.all(WindowEvaluated) == []

    await answer_day(watched, 1)

    said = (await watched.heard(WindowEvaluated)).data
    assert (said.window.number, said.window.start, said.window.end) == (1, MARCH, MARCH + DAY)
    assert (said.predictions, said.truths, said.version) == (2000, 2000, 1)
    assert said.metrics["roc_auc"] > 0.85
    assert said.reference == {"roc_auc": 0.9, "brier": 0.1}
    assert {each.column for each in said.drift} == {"wind", "hour", "carrier", ANSWER_COLUMN}
    assert said.drift_share == 0
    following = (await watched.heard(WindowScheduled)).data
    assert (following.window.number, following.due) == (2, MARCH + 2 * DAY)
    assert watched.all(AlertRaised) == []


async def test_moved_data_are_drift_and_ask_for_retraining_once(watched: Harness) -> None:
    """The fact, the alert and the request belong to one chain; the cool-down holds the next request back."""
    await answer_day(watched, 0, shift=1.0)
    await answer_day(watched, 1, shift=1.0)
    await answer_day(watched, 2, shift=1.0)

    drift = await watched.heard(DriftDetected)
    assert drift.data.columns == ["wind", "hour"]
    assert drift.data.share > 0.5
    asked = await watched.heard(TrainingRequested)
    assert asked.data.data == "newer"
    assert "wind" in asked.data.reason
    assert asked.correlationid == drift.correlationid
    assert asked.authid == "service:monitor"
    await watched.heard(WindowEvaluated, where=lambda event: event.window.number == 2)
    assert len(watched.all(TrainingRequested)) == 1


async def test_lost_quality_is_told_with_its_figures(watched: Harness) -> None:
    """Against what the version promised on its holdout."""
    await answer_day(watched, 0, right=0.6)
    await answer_day(watched, 1)

    worse = (await watched.heard(PerformanceDegraded)).data
    assert worse.reference == 0.9
    assert worse.value < 0.7
    assert worse.drop > worse.limit == 0.05
    alert = (await watched.heard(AlertRaised)).data
    assert (alert.kind, alert.severity, alert.version) == ("performance", "critical", 1)


async def test_without_truth_there_is_drift_but_no_quality(watched: Harness) -> None:
    """Nothing is made up."""
    await answer_day(watched, 0, truth=False)
    await answer_day(watched, 1, truth=False)

    said = (await watched.heard(WindowEvaluated)).data
    assert said.truths == 0
    assert said.metrics == {}
    assert said.drift


async def test_too_few_rows_say_nothing(watched: Harness) -> None:
    """Fewer than the declared minimum."""
    await answer_day(watched, 0, count=50, shift=3.0)
    await answer_day(watched, 1)

    said = (await watched.heard(WindowEvaluated)).data
    assert (said.predictions, said.drift, said.drift_share, said.metrics) == (50, [], None, {})
    assert watched.all(DriftDetected) == []


async def test_each_version_that_answered_is_judged_on_its_own_rows(watched: Harness, s3: S3) -> None:
    """The one that answered last does not stand for the one before it: each figure says whose it is."""
    await watched.say(trained(s3, version=2, reference=rows(4000, 1, shift=3.0)))
    await answer_day(watched, 0, right=0.6, version=1, count=1000)
    await answer_day(watched, 0, right=0.95, version=2, shift=3.0, route="canary")
    await answer_day(watched, 1, version=2)

    first, second = [
        (await watched.heard(WindowEvaluated, where=lambda event, n=number: event.version == n)).data
        for number in (1, 2)
    ]
    assert (first.window, first.versions) == (second.window, second.versions) == (first.window, [1, 2])
    assert (first.predictions, first.route, second.predictions, second.route) == (1000, "champion", 2000, "canary")
    assert first.metrics["roc_auc"] < 0.7 < 0.85 < second.metrics["roc_auc"]
    assert (first.drift_share, second.drift_share) == (0, 0)  # each against its own reference
    assert [each.data.version for each in watched.all(PerformanceDegraded)] == [1]
    shown = (await watched.http.get("/models/flights/windows/1")).json()
    other = (await watched.http.get("/models/flights/windows/1?version=1")).json()
    assert (shown["version"], other["version"]) == (2, 1)


async def test_an_older_version_that_still_answers_asks_for_no_training(watched: Harness, s3: S3) -> None:
    """Its successor is there already: what it shows is told, and nothing follows from it."""
    await watched.say(trained(s3, version=2, reference=rows(4000, 1, shift=3.0)))
    await answer_day(watched, 0, version=1, shift=3.0)
    await answer_day(watched, 0, version=2, shift=3.0)
    await answer_day(watched, 1, version=2, shift=3.0)

    drift = await watched.heard(DriftDetected)
    await watched.heard(WindowEvaluated, where=lambda event: event.version == 2)
    await watched.quiet()

    assert drift.data.version == 1
    assert watched.all(TrainingRequested) == []


async def test_shadows_are_not_judged(watched: Harness) -> None:
    """Nobody was answered by them."""
    sample = rows(500, 1)
    shadow = logged("s1", MARCH + timedelta(hours=2), sample, [0.5] * 500, version=9, route="shadow")
    await watched.say(shadow)
    await answer_day(watched, 0)
    await answer_day(watched, 1)

    assert (await watched.heard(WindowEvaluated)).data.predictions == 2000


async def test_an_answer_delivered_twice_counts_once(watched: Harness) -> None:
    """Idempotent by the prediction's id, whatever the stream does."""
    sample = rows(500, 1)
    for _ in range(2):
        await watched.say(logged("p1", MARCH, sample, [0.5] * 500))
    await answer_day(watched, 1)

    assert (await watched.heard(WindowEvaluated)).data.predictions == 500


async def test_truth_may_come_before_the_answer_is_logged(watched: Harness) -> None:
    """It waits; the reporter learns that the prediction is not known yet."""
    labels = [{"prediction_id": f"early:{row}", "value": row % 2} for row in range(200)]
    taken = (await watched.http.post("/models/flights/truth", json={"labels": labels})).json()
    assert taken == {"accepted": 0, "waiting": 200, "late": 0, "unknown": 0, "unknown_ids": []}

    await watched.say(logged("early", MARCH, rows(200, 5), [0.1 + 0.8 * (row % 2) for row in range(200)]))
    await answer_day(watched, 1)

    said = (await watched.heard(WindowEvaluated)).data
    assert (said.truths, said.metrics["roc_auc"]) == (200, 1.0)


async def test_a_corrected_truth_replaces_the_first(watched: Harness) -> None:
    """The newest report counts; a split answer's rows are counted on from its first."""
    first = a(
        PredictionLogged,
        **{**logged("p1", MARCH, rows(150, 5), [0.9] * 75 + [0.1] * 75).model_dump(), "first_row": 100},
    )
    await watched.say(first)
    for late in (0, 1):
        labels = [{"prediction_id": f"p1:{100 + row}", "value": late if row < 75 else 1 - late} for row in range(150)]
        await watched.http.post("/models/flights/truth", json={"labels": labels})
    await answer_day(watched, 1)

    assert (await watched.heard(WindowEvaluated)).data.metrics["roc_auc"] == 1.0


async def test_uneven_treatment_is_told_with_the_group(watched: Harness) -> None:
    """One carrier's travellers are always warned, the other's never."""
    sample = rows(600, 4)
    probability = [0.9 if carrier == "UA" else 0.1 for carrier in sample["carrier"]]
    await watched.say(logged("p1", MARCH, sample, probability))
    await answer_day(watched, 1)

    unfair = (await watched.heard(FairnessBreached)).data
    assert (unfair.column, unfair.measure, unfair.group) == ("carrier", "parity_difference", "AA")
    assert unfair.value == 1.0


async def test_every_window_is_judged_once_over_a_restart(watched: Harness) -> None:
    """What was judged stays judged; what was open goes on."""
    await answer_day(watched, 0)
    await answer_day(watched, 1)
    await watched.heard(WindowEvaluated)

    await watched.restart()
    await answer_day(watched, 2)

    await watched.heard(WindowEvaluated, where=lambda event: event.window.number == 2)
    assert [each.data.window.number for each in watched.all(WindowEvaluated)] == [1, 2]


async def test_days_without_traffic_make_no_windows(watched: Harness) -> None:
    """The next window is the one of the next answer."""
    await answer_day(watched, 0)
    await answer_day(watched, 10)
    await answer_day(watched, 11)

    second = (await watched.heard(WindowEvaluated, where=lambda event: event.window.number == 2)).data
    assert second.window.start == MARCH + 10 * DAY


async def test_a_model_that_nobody_asks_is_told_of(watched: Harness) -> None:
    """Once, when the declared silence is over."""
    await watched.say(declared(revision=2, freshness="PT1S"))
    await answer_day(watched, 0)

    alert = (await watched.heard(AlertRaised)).data
    assert alert.kind == "freshness"
    await watched.quiet()
    assert len(watched.all(AlertRaised)) == 1


async def test_an_older_declaration_that_comes_late_changes_nothing(watched: Harness) -> None:
    """Revisions only grow."""
    await watched.say(declared(revision=3, minimum=1))
    await watched.say(a(ModelDeclared, name="flights", revision=2, declaration=declared(minimum=10**6).declaration))
    await answer_day(watched, 0, count=30)
    await answer_day(watched, 1, count=30)

    assert (await watched.heard(WindowEvaluated)).data.metrics


async def test_what_cannot_be_read_is_parked_and_the_rest_goes_on(watched: Harness) -> None:
    """A broken message in the stream of predictions harms nobody."""
    await watched.publish("headrace.prediction.logged.flights", b'{"not": "an envelope"}', as_="inference")
    await answer_day(watched, 0)
    await answer_day(watched, 1)

    await watched.heard(WindowEvaluated)
    dead_letter = (await watched.http.get("/dead-letters")).json()["items"]
    assert [each["type"] for each in dead_letter] == ["headrace.prediction.logged"]


async def test_truth_by_event_is_as_good_as_by_http(watched: Harness) -> None:
    """Bare JSON from an outsider."""
    await watched.say(logged("p1", MARCH, rows(200, 5), [0.1 + 0.8 * (row % 2) for row in range(200)]))
    labels = ", ".join(f'{{"prediction_id": "p1:{row}", "value": {row % 2}}}' for row in range(200))
    await watched.publish("headrace.request.truth.flights", f'{{"labels": [{labels}]}}'.encode())
    await watched.quiet()
    await answer_day(watched, 1)

    assert (await watched.heard(WindowEvaluated)).data.truths == 200


async def test_figures_are_shown_over_http(watched: Harness) -> None:
    """Windows, drift, quality and where the watch stands."""
    assert (await watched.http.get("/models/flights/drift")).status_code == 404
    await answer_day(watched, 0, shift=1.0)
    await answer_day(watched, 1)
    await watched.heard(WindowEvaluated)

    windows = (await watched.http.get("/models/flights/windows")).json()["items"]
    drift = (await watched.http.get("/models/flights/drift")).json()
    performance = (await watched.http.get("/models/flights/performance")).json()
    status = (await watched.http.get("/models/flights/status")).json()
    metrics = (await watched.http.get("/metrics")).text

    assert [window["window"]["number"] for window in windows] == [1]
    assert drift["drift_share"] > 0.5
    assert performance["metrics"]["roc_auc"] > 0.85
    assert status["open_window"]["start"].startswith("2013-03-02")
    assert status["retraining_asked"][0]["version"] == 1
    assert 'headrace_drift_score{column="wind",model_name="flights"}' in metrics
    assert (await watched.http.get("/models/nobody/windows")).status_code == 404


async def test_truth_of_an_unknown_model_is_refused(watched: Harness) -> None:
    """With what to do."""
    answer = await watched.http.post("/models/nobody/truth", json={"labels": [{"prediction_id": "p", "value": 1}]})

    assert answer.status_code == 404
    assert "headrace apply" in answer.json()["detail"]


async def test_too_many_truths_at_once_are_refused_whole(watched: Harness) -> None:
    """The bound is the schema's."""
    labels = [{"prediction_id": f"p:{row}", "value": 1} for row in range(10_001)]

    answer = await watched.http.post("/models/flights/truth", json={"labels": labels})

    assert answer.status_code == 422
    assert "10000" in answer.json()["detail"]
