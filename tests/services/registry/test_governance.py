"""From a trained model to a champion, and back: the registry among its neighbours."""

from datetime import timedelta

from headrace.contracts import (
    AliasMoved,
    ApprovalRequested,
    EvaluationFailed,
    EvaluationRequested,
    ModelDeclared,
    RequestRefused,
    RolloutCompleted,
    RolloutRolledBack,
    VersionApproved,
    VersionRegistered,
    VersionRejected,
)
from headrace.testkit import FakeClock, Stage, a, eventually

from .conftest import asked_for, crown, declare, judged, trained


async def test_a_first_version_is_registered_judged_and_crowned(on: Stage) -> None:
    """Trained, registered, judged alone, approved, champion: each step by its own event."""
    await declare(on)

    said = await on.say(trained("run-1"))
    asked = await asked_for(on, 1)
    await on.say(judged(asked, candidate=0.7))

    moved = await on.heard(AliasMoved)
    registered = await on.heard(VersionRegistered)
    assert registered.data.run == "run-1"
    assert registered.causationid == said.id
    assert moved.data.version == 1
    assert moved.data.alias == "champion"
    assert moved.data.previous is None
    assert moved.data.serving.strategy == "canary"
    assert moved.correlationid is not None
    assert (await on.heard(VersionApproved)).data.gates[0].passed


async def test_a_better_challenger_replaces_the_champion(on: Stage) -> None:
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


async def test_a_worse_challenger_changes_nothing(on: Stage) -> None:
    """A retrained model replaces the old one only if it is better."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(trained("run-2"))
    await on.say(judged(await asked_for(on, 2, champion=1), candidate=0.69, champion=0.7, low=-0.02))

    rejected = await on.heard(VersionRejected)
    assert rejected.data.version == 2
    assert "0.6900 against 0.7000" in rejected.data.reason
    assert (await on.http.get("/models/flights/aliases")).json() == {"champion": 1}


async def test_the_same_run_makes_one_version_however_often_it_is_told(on: Stage) -> None:
    """A retold fact under another id, too."""
    await declare(on)
    await on.say(trained("run-1"))
    await asked_for(on, 1)

    await on.say(trained("run-1"))
    await on.quiet()

    assert len(on.all(VersionRegistered)) == 1


async def test_figures_against_yesterdays_champion_are_asked_for_again(on: Stage) -> None:
    """While version 2 was judged against 1, version 3 became champion: 2 must meet 3."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2"))
    stale = await asked_for(on, 2, champion=1)
    await crown(on, "run-3", 3, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 3)

    await on.say(judged(stale, candidate=0.9, champion=0.7, low=0.1))

    again = await asked_for(on, 2, champion=3)
    assert again.evaluation != stale.evaluation
    assert [moved.data.version for moved in on.all(AliasMoved)] == [1, 3]


async def test_a_late_answer_to_an_old_question_is_ignored(on: Stage) -> None:
    """Only the newest question about a version counts."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2"))
    stale = await asked_for(on, 2, champion=1)
    await crown(on, "run-3", 3, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 3)
    await on.say(judged(stale, candidate=0.9, low=0.1))
    again = await asked_for(on, 2, champion=3)
    await on.say(judged(again, candidate=0.6, champion=0.75, low=-0.2))
    await on.heard(VersionRejected)

    await on.say(judged(stale, candidate=0.9, low=0.1))
    await on.quiet()

    assert (await on.http.get("/models/flights/versions/2")).json()["state"] == "rejected"


async def test_versions_are_judged_on_the_newer_holdout(on: Stage) -> None:
    """A candidate that learned from older data than the champion meets it on the champion's newer rows."""
    await declare(on)
    await crown(on, "run-1", 1, dataset=5)
    await on.heard(AliasMoved)

    await on.say(trained("run-2", dataset=3))

    assert (await asked_for(on, 2, champion=1)).dataset.version == 5


async def test_a_version_that_cannot_be_judged_cannot_serve(on: Stage) -> None:
    """The reason is the trainer's."""
    await declare(on)
    await on.say(trained("run-1"))
    asked = await asked_for(on, 1)

    await on.say(
        EvaluationFailed(evaluation=asked.evaluation, model="flights", candidate=1, reason="the holdout is empty")
    )

    assert "the holdout is empty" in (await on.heard(VersionRejected)).data.reason


async def test_a_fact_about_an_undeclared_model_waits_for_its_declaration(on: Stage) -> None:
    """Events come in any order; nothing is lost."""
    await on.say(trained("run-1"))
    await declare(on)

    assert (await on.heard(VersionRegistered, timeout=20)).data.version == 1


async def test_a_rolled_back_version_gives_the_alias_back(on: Stage) -> None:
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


async def test_a_rollback_of_a_version_that_was_superseded_moves_nothing(on: Stage) -> None:
    """The alias has moved on already."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await crown(on, "run-2", 2, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 2)

    await on.say(a(RolloutRolledBack, model="flights", version=1, restored=None, reason="superseded by version 2"))
    await on.quiet()

    assert (await on.http.get("/models/flights/aliases")).json() == {"champion": 2}


async def test_rollouts_are_noted_on_their_version(on: Stage) -> None:
    """People see how far a version got."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    await on.say(a(RolloutCompleted, model="flights", version=1))

    async def noted() -> bool:
        return (await on.http.get("/models/flights/versions/1")).json()["rollout"] == "completed"

    await eventually(noted)


async def test_everything_survives_a_restart(on: Stage) -> None:
    """What was asked before is answered after."""
    await declare(on)
    await on.say(trained("run-1"))
    asked = await asked_for(on, 1)

    await on.restart()
    await on.say(judged(asked, candidate=0.7))

    assert (await on.heard(AliasMoved)).data.version == 1
    assert len(on.all(EvaluationRequested)) == 1


async def test_a_request_declares_a_model_too(on: Stage) -> None:
    """Bare JSON from an outsider is as good as HTTP."""
    await on.publish("headrace.request.model.flights", b'{"data": {"dataset": "flights", "target": "late"}}')

    declared = await on.heard(ModelDeclared)
    assert declared.data.name == "flights"
    assert declared.data.by == "nats:outsider"


async def test_a_malformed_request_is_refused_with_the_place(on: Stage) -> None:
    """The outsider learns what would be right."""
    await on.publish("headrace.request.model.flights", b'{"data": {"dataset": "flights"}}')

    refused = await on.heard(RequestRefused)
    assert "data.target: is missing" in refused.data.reason
    parked = (await on.http.get("/parked")).json()["items"]
    assert [each["type"] for each in parked] == ["headrace.request.model"]


async def test_an_approval_that_nobody_gives_lapses(on: Stage, clock: FakeClock) -> None:
    """A request for approval is over when the declaration says so."""
    await declare(on, approval={"needed": 1, "expires": "P1D"})
    await on.say(trained("run-1"))
    await on.say(judged(await asked_for(on, 1), candidate=0.7))
    await on.heard(ApprovalRequested)

    clock.advance(timedelta(days=1, seconds=1))

    assert "nobody decided in time" in (await on.heard(VersionRejected)).data.reason
    assert (await on.http.get("/models/flights/versions/1")).json()["state"] == "expired"
