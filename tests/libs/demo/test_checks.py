"""The checks at the end of the story can fail: each is broken once, and notices."""

from collections.abc import Callable
from typing import Any

import pytest

from headrace.cli.event_log import EventLog
from headrace.demo.checks import Check, Evidence, check_all
from headrace.demo.replay import Tally
from headrace.demo.story import Outcome
from headrace.demo.summary import summarise


def whole_story() -> Evidence:
    """A short story in which everything held."""
    event_log = EventLog()
    gates = [{"gate": "roc_auc at least 0.65", "metric": "roc_auc", "passed": True, "detail": "0.70 >= 0.65"}]
    for version, previous in ((1, None), (2, 1)):
        say(event_log, "version.approved", version=version, gates=gates)
        say(event_log, "alias.moved", alias="champion", version=version, previous=previous, reason="gates passed")
        for percent in (10, 50, 100):
            evidence = {"requests": 10, "errors": 0}
            say(
                event_log,
                "rollout.advanced",
                rollout=f"r{version}",
                version=version,
                percent=percent,
                evidence=evidence,
            )
        say(event_log, "rollout.completed", version=version, seconds=3)
    comparison = {"metric": "roc_auc", "candidate": 0.7, "champion": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15}
    metrics = {"candidate": {"roc_auc": 0.7}, "champion": {"roc_auc": 0.6}}
    say(event_log, "evaluation.completed", candidate=2, rows=500, metrics=metrics, comparisons=[comparison])
    say(event_log, "request.training", source="headrace/monitor", reason="performance")
    say(event_log, "prediction.logged", rows=101, prediction_id="p1")
    outcome = Outcome(
        "flights-delay",
        closed=["2013-03"],
        windows=[window("2013-03", 1)],
        versions=[{"version": 2, "state": "approved"}, {"version": 1, "state": "approved"}],
        verification={"whole": True, "entries": 12, "root": "ab"},
        trace={"events": [{}, {}], "missing": []},
    )
    return Evidence(outcome, event_log, Tally(requests=2, predictions=100, truths=99))


def window(month: str, version: int, **parts: Any) -> dict[str, Any]:
    """What monitor says of one version in one month."""
    drift = [{"column": "temp", "score": 0.3, "drifted": True}]
    judged = {"window": {"start": f"{month}-01T00:00:00Z"}, "version": version, "predictions": 901, "truths": 899}
    return {**judged, "metrics": {"roc_auc": 0.7}, "drift": drift, **parts}


def say(event_log: EventLog, kind: str, source: str = "headrace/x", **data: Any) -> None:
    """Note one event."""
    event_log.add({"type": f"headrace.{kind}.v1", "source": source, "id": "1", "data": data})


def failed(evidence: Evidence) -> list[str]:
    """The sentences that did not hold."""
    return [check.sentence for check in check_all(evidence) if not check.held]


def test_a_whole_story_holds() -> None:
    """Nothing is demanded that a good run does not show."""
    assert failed(whole_story()) == []


def _fail_a_request(e: Evidence) -> None:
    e.tally.failures.append("503")


def _lose_a_log(e: Evidence) -> None:
    e.tally.predictions += 1


def _forget_truth(e: Evidence) -> None:
    e.outcome.windows[0]["metrics"] = {}


def _skip_a_month(e: Evidence) -> None:
    e.outcome.closed.append("2013-04")


def _leave_a_version_out(e: Evidence) -> None:
    e.outcome.windows.append(window("2013-03", 2, metrics={}))


def _dead_letter(e: Evidence) -> None:
    e.outcome.dead_letters.append({"id": "1"})


def _tamper(e: Evidence) -> None:
    e.outcome.verification["whole"] = False


def _break_the_trace(e: Evidence) -> None:
    e.outcome.trace["missing"] = ["dataset.ingested"]


def _promote_unapproved(e: Evidence) -> None:
    say(e.event_log, "alias.moved", alias="champion", version=3, previous=2, reason="by hand")


@pytest.mark.parametrize(
    ("break_it", "noticed"),
    [
        (_fail_a_request, "no prediction request failed"),
        (_lose_a_log, "every prediction was logged"),
        (_forget_truth, "every month was judged against its truth"),
        (_skip_a_month, "every month was judged against its truth"),
        (_leave_a_version_out, "every month was judged against its truth"),
        (_dead_letter, "nothing was left that could not be handled"),
        (_tamper, "the audit log is whole and untampered"),
        (_break_the_trace, "one prediction is traced to its source file"),
        (_promote_unapproved, "a version became champion only after every gate"),
    ],
)
def test_each_fault_is_noticed_by_its_own_check(break_it: Callable[[Evidence], None], noticed: str) -> None:
    """The story exits 0 only if every step held."""
    evidence = whole_story()
    break_it(evidence)

    assert failed(evidence) == [noticed]


def test_a_version_with_few_answers_in_a_month_needs_no_figure() -> None:
    """One that took over on the last evening of a month has too few truths in it for an honest figure."""
    evidence = whole_story()

    evidence.outcome.windows.append(window("2013-03", 2, truths=40, metrics={}))

    assert failed(evidence) == []


def test_a_story_that_stopped_early_fails_most_checks() -> None:
    """Absence of evidence is not evidence."""
    nothing = Evidence(Outcome("flights-delay"), EventLog(), Tally())

    assert len(failed(nothing)) >= 8


def test_the_summary_tells_each_promotion_with_its_comparison() -> None:
    """What was compared, on how many rows, with which interval."""
    evidence = whole_story()

    document = summarise(evidence, check_all(evidence), seconds=12.34, peak=10**9)

    assert document["held"] is True
    assert [p["version"] for p in document["promotions"]] == [1, 2]
    assert document["promotions"][1]["comparisons"][0]["low"] == 0.05
    assert [len(v["comparisons"]) for v in document["versions"] if v["version"] == 2] == [1]  # promoted or not
    assert document["months"][0] | {"month": "2013-03", "version": 1, "drifted": ["temp"]} == document["months"][0]
    assert document["event_count"] == len(evidence.event_log)


def test_one_failed_check_is_enough_to_fail_the_story() -> None:
    """`held` is the exit code's source."""
    evidence = whole_story()

    document = summarise(evidence, [Check("a", True, ""), Check("b", False, "")], seconds=1, peak=0)

    assert document["held"] is False
