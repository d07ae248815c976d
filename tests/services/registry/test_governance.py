"""From a trained model to a champion, and back: the registry among its neighbours."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    ApprovalRequested,
    EvaluationFailed,
    EvaluationRequested,
    ModelDeclared,
    RequestRefused,
    RiskReviewed,
    RolloutCompleted,
    RolloutRolledBack,
    VersionApproved,
    VersionRegistered,
    VersionRejected,
)
from headrace.testkit import FakeClock, Harness, a, eventually

from .conftest import aliases, asked_for, crown, declare, judged, trained


def failed(asked: EvaluationRequested, reason: str) -> EvaluationFailed:
    """The trainer could not do what it was asked for."""
    return EvaluationFailed(
        evaluation=asked.evaluation, model="flights", candidate=asked.candidate.version, reason=reason
    )


async def test_a_first_version_is_registered_judged_and_crowned(on: Harness) -> None:
    """Trained, registered, judged alone, approved, champion: each step by its own event."""
    await declare(on)

    said = await on.say(trained("run-1"))
    asked = await asked_for(on, 1)
    await on.say(judged(asked, candidate=0.7))

    moved = await on.heard(AliasMoved)
    registered = await on.heard(VersionRegistered)
    assert registered.data.lineage.run == "run-1"
    assert registered.causationid == said.id
    assert moved.data.version == 1
    assert moved.data.alias == "champion"
    assert moved.data.previous is None
    assert moved.data.serving.strategy == "canary"
    assert moved.correlationid is not None
    assert (await on.heard(VersionApproved)).data.gates[0].passed


async def test_a_better_challenger_replaces_the_champion(on: Harness) -> None:
    """It met the champion on the same rows, and was better by enough."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(trained("run-2", dataset=2))
    asked = await asked_for(on, 2, champion=1)
    await on.say(judged(asked, candidate=0.75, champion=0.7, low=0.02))

    moved = await on.heard(AliasMoved, where=lambda event: event.version == 2)
    assert moved.data.previous == 1
    assert asked.dataset.version == 2


async def test_a_worse_challenger_changes_nothing(on: Harness) -> None:
    """A retrained model replaces the old one only if it is better."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(trained("run-2"))
    await on.say(judged(await asked_for(on, 2, champion=1), candidate=0.69, champion=0.7, low=-0.02))

    rejected = await on.heard(VersionRejected)
    assert rejected.data.version == 2
    assert "0.6900 against 0.7000" in rejected.data.reason
    assert await aliases(on) == {"champion": 1}


async def test_the_same_run_makes_one_version_however_often_it_is_told(on: Harness) -> None:
    """A retold fact under another id, too."""
    await declare(on)
    await on.say(trained("run-1"))
    await asked_for(on, 1)

    await on.say(trained("run-1"))
    await on.quiet()

    assert len(on.all(VersionRegistered)) == 1


async def a_stale_question(on: Harness) -> EvaluationRequested:
    """Version 2 is to be judged beside version 1, and meanwhile version 3 has become champion."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2"))
    stale = await asked_for(on, 2, champion=1)
    await crown(on, "run-3", 3, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 3)
    return stale


async def test_figures_against_yesterdays_champion_are_asked_for_again(on: Harness) -> None:
    """While version 2 was judged against 1, version 3 became champion: 2 must meet 3."""
    stale = await a_stale_question(on)

    await on.say(judged(stale, candidate=0.9, champion=0.7, low=0.1))

    again = await asked_for(on, 2, champion=3)
    assert again.evaluation != stale.evaluation
    assert [moved.data.version for moved in on.all(AliasMoved)] == [1, 3]


async def test_a_late_answer_to_an_old_question_is_ignored(on: Harness) -> None:
    """Only the newest question about a version counts."""
    stale = await a_stale_question(on)
    await on.say(judged(stale, candidate=0.9, low=0.1))
    again = await asked_for(on, 2, champion=3)
    await on.say(judged(again, candidate=0.6, champion=0.75, low=-0.2))
    await on.heard(VersionRejected)

    await on.say(judged(stale, candidate=0.9, low=0.1))
    await on.quiet()

    assert (await on.http.get("/models/flights/versions/2")).json()["state"] == "rejected"


async def test_versions_are_judged_on_the_newer_holdout(on: Harness) -> None:
    """A candidate that learned from older data than the champion meets it on the champion's newer rows."""
    await declare(on)
    await crown(on, "run-1", 1, dataset=5)
    await on.heard(AliasMoved)

    await on.say(trained("run-2", dataset=3))

    assert (await asked_for(on, 2, champion=1)).dataset.version == 5


async def test_a_version_that_cannot_be_judged_cannot_serve(on: Harness) -> None:
    """The reason is the trainer's."""
    await declare(on)
    await on.say(trained("run-1"))
    asked = await asked_for(on, 1)

    await on.say(failed(asked, "the holdout is empty"))

    assert "the holdout is empty" in (await on.heard(VersionRejected)).data.reason


GONE = "column 'wind' is gone from flights version 2, and champion 1 needs it"
ALONE = {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.65}]}


async def test_a_version_is_judged_alone_where_no_gate_needs_the_champion(on: Harness) -> None:
    """A feature was renamed: the champion cannot answer on the new rows, and need not."""
    await declare(on, evaluation=ALONE)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2", dataset=2))
    beside = await asked_for(on, 2, champion=1)

    await on.say(failed(beside, GONE))
    alone = await asked_for(on, 2)
    await on.say(judged(alone, candidate=0.7))

    assert alone.dataset.version == 2
    assert (await on.heard(AliasMoved, where=lambda event: event.version == 2)).data.previous == 1


async def test_a_version_that_fails_alone_as_well_is_rejected_once(on: Harness) -> None:
    """It was not the champion's fault."""
    await declare(on, evaluation=ALONE)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2", dataset=2))
    await on.say(failed(await asked_for(on, 2, champion=1), "the holdout is empty"))
    await on.say(failed(await asked_for(on, 2), "the holdout is empty"))

    assert "the holdout is empty" in (await on.heard(VersionRejected)).data.reason
    await on.quiet()
    assert len([each for each in on.all(EvaluationRequested) if each.data.candidate.version == 2]) == 2


@pytest.mark.parametrize("how", ["it fails", "it says so"])
async def test_what_cannot_be_compared_names_the_champion_and_a_way_on(on: Harness, how: str) -> None:
    """Where a gate needs the champion: no dead end without a word."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2", dataset=2))
    asked = await asked_for(on, 2, champion=1)

    if how == "it fails":
        await on.say(failed(asked, GONE))
    else:
        told = judged(asked, candidate=0.9)
        await on.say(told.model_copy(update={"comparisons": [], "incomparable": GONE}))

    reason = (await on.heard(VersionRejected)).data.reason
    assert GONE in reason
    assert "champion 1" in reason
    assert "apply the declaration without the gate" in reason


async def test_the_way_on_leads_on(on: Harness) -> None:
    """Without the gate, trained anew, the version replaces a champion that it cannot be compared with."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await declare(on, evaluation=ALONE)

    await on.say(trained("run-2", dataset=2, declared_revision=2))
    told = judged(await asked_for(on, 2, champion=1), candidate=0.9)
    await on.say(told.model_copy(update={"comparisons": [], "incomparable": GONE}))

    assert (await on.heard(AliasMoved, where=lambda event: event.version == 2)).data.previous == 1


async def test_a_version_of_another_target_is_never_beside_the_champion(on: Harness) -> None:
    """The registry knows it before it asks."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(trained("run-2", dataset=2, target="cancelled"))
    await on.say(judged(await asked_for(on, 2), candidate=0.9))

    reason = (await on.heard(VersionRejected)).data.reason
    assert "champion 1: it predicts 'target', this version predicts 'cancelled'" in reason


async def test_an_older_run_that_ends_later_does_not_take_the_alias(on: Harness) -> None:
    """Without any gate declared, it is judged against what is newer than it all the same."""
    await declare(on, evaluation={"metrics": ["roc_auc"], "gates": []})
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    await crown(on, "run-late", 1, dataset=2, started_at=late)
    await on.heard(AliasMoved)

    await on.say(trained("run-early", dataset=1, started_at=early))
    asked = await asked_for(on, 2, champion=1)
    await on.say(judged(asked, candidate=0.69, low=-0.01))

    assert asked.dataset.version == 2
    assert "0.6900 against 0.7000" in (await on.heard(VersionRejected)).data.reason
    assert await aliases(on) == {"champion": 1}


async def test_a_run_on_older_data_does_not_take_the_alias_by_starting_later(on: Harness) -> None:
    """It was pinned to an older dataset version: under limits alone it must still beat what learned from newer data."""
    await declare(on, evaluation={"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.6}]})
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    await crown(on, "run-new-data", 1, dataset=2, started_at=early)
    await on.heard(AliasMoved)

    await on.say(trained("run-old-data", dataset=1, started_at=late))
    await on.say(judged(await asked_for(on, 2, champion=1), candidate=0.69, low=-0.01))

    assert "0.6900 against 0.7000" in (await on.heard(VersionRejected)).data.reason
    assert await aliases(on) == {"champion": 1}


async def test_what_each_learned_from_is_told_with_the_question(on: Harness) -> None:
    """So that the rows can be those that neither has learned from."""
    await declare(on)
    await crown(on, "run-1", 1, dataset=3)
    await on.heard(AliasMoved)
    await on.say(trained("run-2", dataset=4))

    asked = await asked_for(on, 2, champion=1)

    assert (asked.candidate.dataset.version, asked.champion.dataset.version) == (4, 3)
    assert asked.candidate.holdout == asked.champion.holdout == trained("run-2").holdout


async def test_a_fact_about_an_undeclared_model_waits_for_its_declaration(on: Harness) -> None:
    """Events come in any order; nothing is lost."""
    await on.say(trained("run-1"))
    await declare(on)

    assert (await on.heard(VersionRegistered, timeout=20)).data.version == 1


async def test_a_rolled_back_version_gives_the_alias_back(on: Harness) -> None:
    """The deployer saw errors: the alias, the state and the risk follow."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await crown(on, "run-2", 2, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 2)
    before = (await on.http.get("/models/flights/risk")).json()["score"]

    await on.say(a(RolloutRolledBack, model="flights", version=2, restored=1, reason="5 % of the requests failed"))

    back = await on.heard(AliasMoved, where=lambda event: event.version == 1 and event.previous == 2)
    assert "5 % of the requests failed" in back.data.reason
    version = (await on.http.get("/models/flights/versions/2")).json()
    assert version["state"] == "revoked"
    assert before <= (await on.http.get("/models/flights/risk")).json()["score"]


async def test_a_rollback_of_a_version_that_was_superseded_moves_nothing(on: Harness) -> None:
    """The alias has moved on already."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await crown(on, "run-2", 2, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 2)

    await on.say(a(RolloutRolledBack, model="flights", version=1, restored=None, reason="superseded by version 2"))
    await on.quiet()

    assert await aliases(on) == {"champion": 2}


async def test_rollouts_are_noted_on_their_version(on: Harness) -> None:
    """People see how far a version got."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(a(RolloutCompleted, model="flights", version=1))

    async def noted() -> bool:
        return (await on.http.get("/models/flights/versions/1")).json()["rollout"] == "completed"

    await eventually(noted)


async def test_everything_survives_a_restart(on: Harness) -> None:
    """What was asked before is answered after."""
    await declare(on)
    await on.say(trained("run-1"))
    asked = await asked_for(on, 1)

    await on.restart()
    await on.say(judged(asked, candidate=0.7))

    assert (await on.heard(AliasMoved)).data.version == 1
    assert len(on.all(EvaluationRequested)) == 1


async def test_a_request_declares_a_model_too(on: Harness) -> None:
    """Bare JSON from an outsider is as good as HTTP."""
    await on.publish("headrace.request.declaration.flights", b'{"data": {"dataset": "flights", "target": "late"}}')

    declared = await on.heard(ModelDeclared)
    assert declared.data.name == "flights"
    assert declared.data.by == "nats:outsider"


@pytest.mark.parametrize("who", ["outsider", "operator"])
async def test_a_request_in_somebody_elses_name_is_its_senders(who: str, on: Harness) -> None:
    """It claims to be an approver's: whoever believed that could lock the honest one out, or approve its own."""
    wish = {"data": {"dataset": "flights", "target": "late"}, "name": "flights", "kind": "Model"}
    claiming = {
        "specversion": "1.0",
        "id": "x",
        "source": "headrace/console",
        "type": "headrace.request.declaration.v1",
    }
    body = json.dumps({**claiming, "authid": "key:approver", "data": wish}).encode()

    await on.publish("headrace.request.declaration.flights", body, as_=who)

    declared = await on.heard(ModelDeclared)
    assert (declared.data.by, declared.authid) == (f"nats:{who}", f"nats:{who}")


async def test_a_malformed_request_is_refused_with_the_place(on: Harness) -> None:
    """The outsider learns what would be right."""
    await on.publish("headrace.request.declaration.flights", b'{"data": {"dataset": "flights"}}')

    refused = await on.heard(RequestRefused)
    assert "data.target: is missing" in refused.data.reason
    dead_letter = (await on.http.get("/dead-letters")).json()["items"]
    assert [each["type"] for each in dead_letter] == ["headrace.request.declaration"]


async def test_an_approval_that_nobody_gives_lapses(on: Harness, clock: FakeClock) -> None:
    """A request for approval is over when the declaration says so."""
    await declare(on, approval={"needed": 1, "expires": "P1D"})
    await on.say(trained("run-1"))
    await on.say(judged(await asked_for(on, 1), candidate=0.7))
    await on.heard(ApprovalRequested)

    clock.advance(timedelta(days=1, seconds=1))

    assert "nobody decided in time" in (await on.heard(VersionRejected)).data.reason
    assert (await on.http.get("/models/flights/versions/1")).json()["state"] == "expired"


async def test_a_risk_review_that_is_due_tells_people_once(on: Harness, clock: FakeClock) -> None:
    """As an alert, and wherever people look; until somebody has looked at the risk."""
    await declare(on)
    await on.http.put("/models/other", json={"data": {"dataset": "other", "target": "late"}})
    before = (await on.http.get("/models/flights/risk")).json()

    clock.advance(timedelta(days=90))

    alert = await on.heard(AlertRaised)
    assert (alert.data.model, alert.data.kind, alert.data.severity) == ("flights", "risk", "warning")
    assert "POST /models/flights/risk/review" in alert.data.message
    during = (await on.http.get("/models/flights/risk")).json()
    listed = {each["name"]: each["review_due"] for each in (await on.http.get("/models")).json()["items"]}
    reviewed = (await on.http.post("/models/flights/risk/review", json={"comment": "nothing new"})).json()
    assert (before["due"], during["due"], reviewed["due"]) == (False, True, False)
    assert (listed["flights"], reviewed["review_due"] > listed["flights"]) == (during["review_due"], True)
    told = (await on.heard(RiskReviewed)).data
    assert (told.by, told.comment, told.rating) == ("key:zoe", "nothing new", "low")
    clock.advance(timedelta(days=90))
    await on.heard(AlertRaised, where=lambda _: len(on.all(AlertRaised)) == 3)
    assert sorted(each.data.model for each in on.all(AlertRaised)) == ["flights", "flights", "other"]


async def test_a_run_of_an_experiment_makes_a_version_only_once_it_is_promoted(on: Harness) -> None:
    """Who promoted it is an author beside who asked for the run: neither approves the version."""
    await declare(on)
    await on.say(trained("run-1", experiment="depth"))
    await on.quiet()
    before = on.all(VersionRegistered)

    await on.say(trained("run-1", requested_by="key:ann", promoted_by="key:bea"))
    version = await on.heard(VersionRegistered)

    assert before == []
    assert (version.data.registered_by, version.data.lineage.promoted_by) == ("key:ann", "key:bea")
