"""The chronicle: events in order, sentences for people, waiting without polling."""

from threading import Timer
from typing import Any

import pytest

from headrace.cli.event_log import SENTENCES, EventLog, Happening, sentence_of
from headrace.client import TimedOut
from headrace.contracts import EVENTS, Reproduction, TrainingCompleted
from headrace.testkit import builders


def envelope(kind: str, /, **data: Any) -> dict[str, Any]:
    """A CloudEvent as the stream carries it."""
    return {"type": f"headrace.{kind}.v1", "source": "headrace/registry", "id": "1", "data": data}


def test_events_are_kept_in_order_and_found_by_type() -> None:
    """The newest of several kinds is the last one said."""
    event_log = EventLog()
    for number, kind in enumerate(["version.registered", "version.rejected", "version.registered"]):
        event_log.add(envelope(kind, version=number, artifact={"digest": "0" * 64}, reason="worse"))

    assert [event.data["version"] for event in event_log.all("version.registered")] == [0, 2]
    newest = event_log.last("version.registered", "version.rejected")
    assert newest is not None
    assert newest.data["version"] == 2
    assert len(event_log) == 3


def test_waiting_ends_when_the_event_comes() -> None:
    """The waiter is woken by the event; it does not look on a schedule."""
    event_log = EventLog()
    Timer(0.05, lambda: event_log.add(envelope("alias.moved", alias="champion", version=2))).start()

    found = event_log.wait_for(lambda e: e.type == "alias.moved", "alias.moved", timeout=10)

    assert found.data["version"] == 2


def test_waiting_in_vain_names_what_was_waited_for() -> None:
    """The error is read by a person in front of a terminal."""
    with pytest.raises(TimedOut, match=r"no alias\.moved within 0 s"):
        EventLog().wait_for(lambda _: False, "alias.moved", timeout=0.01)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "r trains on flights version 3"),
        ({"attempt": None}, "r trains on flights version 3"),
        ({"attempt": 2}, "r trains on flights version 3, attempt 2 from the beginning"),
        ({"attempt": 3, "resumed_from": {"step": 40}}, "r trains on flights version 3, attempt 3 from step 40"),
    ],
)
def test_a_start_after_a_loss_says_from_where(more: dict[str, Any], said: str) -> None:
    """Who watches sees that nothing was done for nothing."""
    assert SENTENCES["training.started"]({"run": "r", "dataset": {"name": "flights", "version": 3}, **more}) == said


@pytest.mark.parametrize("kind", SENTENCES)
def test_every_sentence_can_be_said_of_a_real_event(kind: str) -> None:
    """Sentences read the fields that the schemas promise, on the golden example of each event."""
    said: list[tuple[Happening, str]] = []
    event = builders.a(EVENTS[f"headrace.{kind}.v1"])

    EventLog(lambda happening, text: said.append((happening, text))).add(
        envelope(kind, **event.model_dump(mode="json", by_alias=True))
    )

    assert len(said) == 1
    assert said[0][1]


@pytest.mark.parametrize(("reproduced", "words"), [(True, "version 3 is reproduced"), (False, "3 is not reproduced")])
def test_a_completed_run_says_which_version_it_has_made_again(reproduced: bool, words: str) -> None:
    """Where it was to do that; any other says only that it is done."""
    again = Reproduction(version=3, run="r0", reproduced=reproduced, differs=[])
    told = [builders.a(TrainingCompleted), builders.a(TrainingCompleted, reproduction=again)]
    plain, other = [sentence_of("training.completed", each.model_dump(mode="json")) for each in told]

    assert other == f"{plain}; version {again.version} is {'' if reproduced else 'not '}reproduced"
    assert words in other
