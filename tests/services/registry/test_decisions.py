"""What people decide on versions, and who may: authors never, each person once, every word kept."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from headrace.contracts import (
    AliasMoved,
    ApprovalRecorded,
    Column,
    DatasetIngested,
    DecisionGiven,
    EvaluationRequested,
    RequestRefused,
    RolloutRolledBack,
    VersionApproved,
    VersionRejected,
)
from headrace.testkit import FakeClock, Harness, a, eventually

from .conftest import DECLARATION, asked_for, crown, declare, judged, trained, waiting

By = Callable[..., Any]
COLUMNS = [
    Column(name=name, type=kind, nullable=False)
    for name, kind in (("late", "integer"), ("departed_at", "timestamp"), ("wind", "number"))
]
APPROVE, REJECT = "/models/flights/versions/1/approve", "/models/flights/versions/1/reject"


async def asked_again(on: Harness, version: int) -> EvaluationRequested:
    """The second question about a version."""

    def second() -> list[Any]:
        return [each.data for each in on.all(EvaluationRequested) if each.data.candidate.version == version][1:2]

    (asked,) = await eventually(second)
    return asked


async def ingested(on: Harness, who: str, version: int, mode: str = "append", contract_by: Sequence[str] = ()) -> None:
    """Somebody changes the data, under a contract that others may have changed."""
    told = {
        "dataset": "flights", "version": version, "mode": mode, "columns": COLUMNS, "contract_by": list(contract_by),
    }  # fmt: skip
    await on.say(a(DatasetIngested, **told), authid=who)


async def test_a_risky_model_waits_for_people(on: Harness, by: By) -> None:
    """The gates are met, but the alias does not move before somebody else says yes."""
    await declare(on, approval={"needed": 1})
    await waiting(on)
    assert on.all(AliasMoved) == []

    answer = (await by("eva", "POST", APPROVE, comment="looked at it")).json()

    assert (answer["state"], answer["approvals"]["text"]) == ("approved", "1 of 1")
    approved = (await on.heard(VersionApproved)).data
    assert [(each.by, each.comment) for each in approved.approvals] == [("key:eva", "looked at it")]
    assert (await on.heard(AliasMoved)).data.version == 1


async def test_each_word_of_a_person_is_kept_and_the_person_counts_once(on: Harness, by: By) -> None:
    """Said twice it is two rows and two events, and still 1 of 2."""
    await declare(on, approval={"needed": 2})
    await waiting(on)

    first = (await by("eva", "POST", APPROVE, comment="once")).json()
    again = (await by("eva", "POST", APPROVE, comment="twice")).json()

    for answer in (first, again):
        assert (answer["state"], answer["approvals"]) == ("pending", {"given": 1, "needed": 2, "text": "1 of 2"})
    last = (await by("rob", "POST", APPROVE, comment="me too")).json()
    assert (last["state"], last["approvals"]["text"]) == ("approved", "2 of 2")
    assert [(each["by"], each["comment"]) for each in last["decisions"]] == [
        ("key:eva", "once"),
        ("key:eva", "twice"),
        ("key:rob", "me too"),
    ]
    await on.heard(AliasMoved)
    told = [each.data for each in on.all(ApprovalRecorded)]
    assert [(each.by, each.comment, each.given, each.needed) for each in told] == [
        ("key:eva", "once", 1, 2),
        ("key:eva", "twice", 1, 2),
        ("key:rob", "me too", 2, 2),
    ]
    assert [each.authid for each in on.all(ApprovalRecorded)] == ["key:eva", "key:eva", "key:rob"]


async def test_a_person_may_say_no(on: Harness, by: By) -> None:
    """And who it was and the reason are kept, however they proved who they are."""
    await declare(on, approval={"needed": 2})
    await waiting(on)
    await by("eva", "POST", APPROVE, comment="fine")

    answer = (await by("rob", "POST", REJECT, comment="unfair to Newark")).json()

    assert answer["state"] == "rejected"
    rejected = (await on.heard(VersionRejected)).data
    assert (rejected.reason, rejected.by) == ("unfair to Newark", "key:rob")
    assert (await by("sue", "POST", APPROVE, comment="but")).status_code == 422


@pytest.mark.parametrize("who", ["nats:outsider", "nats:operator", "service:monitor"])
async def test_who_is_no_person_decides_nothing(on: Harness, who: str) -> None:
    """A message that names nobody who has shown who they are is refused, and the version waits on."""
    await declare(on, approval={"needed": 1})
    await waiting(on)

    await on.say(a(DecisionGiven, model="flights", version=1, decision="approve"), authid=who)

    assert "needs a person" in (await on.heard(RequestRefused)).data.reason
    assert (await on.http.get("/models/flights/versions/1")).json()["state"] == "pending"


async def test_an_approval_is_bound_to_the_digest_that_was_looked_at(on: Harness, by: By) -> None:
    """Another artifact under the same number is not what was approved."""
    await declare(on, approval={"needed": 1})
    await waiting(on)

    answer = await by("eva", "POST", APPROVE, comment="yes", digest="f" * 64)

    assert answer.status_code == 422
    assert "look at it again" in answer.json()["detail"]


async def test_nobody_approves_after_the_time_is_over(on: Harness, by: By, clock: FakeClock) -> None:
    """Whether the registry has noticed it yet or not."""
    await declare(on, approval={"needed": 1, "expires": "PT1H"})
    await waiting(on)

    clock.advance(timedelta(hours=1))
    answer = await by("eva", "POST", APPROVE, comment="late")

    assert answer.status_code == 422
    assert "is expired" in answer.json()["detail"]


async def refused_as_author(on: Harness, version: int, who: str) -> str:
    """What a person is told who says yes to a version and may do so, unless they are an author."""
    before = len(on.all(RequestRefused))
    given = a(DecisionGiven, model="flights", version=version, decision="approve", comment="mine")
    await on.say(given, authid=f"key:{who}")
    await on.quiet()
    told = on.all(RequestRefused)[before:]
    return str(told[0].data.reason) if told else "taken"


async def challenger(on: Harness, run: str, version: int, champion: int, **fields: Any) -> None:
    """Another version that passes its gates and waits for people."""
    await on.say(trained(run, **fields))
    await on.say(judged(await asked_for(on, version, champion), candidate=0.8, low=0.02))
    await on.quiet()


async def test_whoever_declared_since_the_champion_is_an_author(on: Harness, by: By) -> None:
    """Not the last one alone: a colleague's change of a word makes nobody else an approver."""
    for name, needed in (("zoe", 1), ("ann", 2), ("bob", 3)):
        await by(name, "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": needed}})
    await waiting(on, declared_revision=3, requested_by="key:pat")

    told = {name: await refused_as_author(on, 1, name) for name in ("zoe", "ann", "bob", "pat")}

    assert "declared revision 1" in told["zoe"]
    assert "declared revision 2" in told["ann"]
    assert "declared revision 3" in told["bob"]
    assert "asked for the run" in told["pat"]
    assert await refused_as_author(on, 1, "eva") == "taken"


async def test_who_declared_what_the_champion_was_approved_for_is_no_author_of_what_came_later(
    on: Harness, by: By
) -> None:
    """Only what came since the champion's revision, with that revision, is new in a version."""
    await by("bob", "PUT", "/models/flights", **{**DECLARATION, "purpose": "Try."})
    await by("ann", "PUT", "/models/flights", **{**DECLARATION, "purpose": "Try.", "training": {"seed": 1}})
    await crown(on, "run-1", 1, declared_revision=2)
    await on.heard(AliasMoved)
    await by("ann", "PUT", "/models/flights", **{**DECLARATION, "purpose": "Try.", "approval": {"needed": 1}})
    await challenger(on, "run-2", 2, 1, declared_revision=3, requested_by="key:pat")

    assert "declared revision 3" in await refused_as_author(on, 2, "ann")
    assert await refused_as_author(on, 2, "bob") == "taken"


async def test_whoever_changed_the_data_since_the_champion_is_an_author(on: Harness) -> None:
    """What they appended is in every later version; what was replaced is gone."""
    await declare(on, approval={"needed": 3})
    await ingested(on, "key:ann", 1)
    await ingested(on, "key:bob", 2, "replace")
    await ingested(on, "key:pat", 3)
    await ingested(on, "key:sue", 4)
    await waiting(on, dataset=3, requested_by="key:kim")

    told = {name: await refused_as_author(on, 1, name) for name in ("bob", "pat")}

    assert "changed the data (flights version 2)" in told["bob"]
    assert "changed the data (flights version 3)" in told["pat"]
    assert [await refused_as_author(on, 1, name) for name in ("ann", "sue")] == ["taken", "taken"]


async def test_whoever_changed_the_contract_of_the_data_since_the_champion_is_an_author(on: Harness) -> None:
    """Also where the data that came first under it were replaced: the contract still holds."""
    await declare(on, approval={"needed": 3})
    await ingested(on, "key:ann", 1, contract_by=["key:bob"])
    await ingested(on, "key:ann", 2, "replace", contract_by=["key:pat"])
    await ingested(on, "key:ann", 3, contract_by=["key:sue"])
    await waiting(on, dataset=2, requested_by="key:kim")

    told = {name: await refused_as_author(on, 1, name) for name in ("bob", "pat")}

    assert "changed the contract of the data (flights version 1)" in told["bob"]
    assert "changed the contract of the data (flights version 2)" in told["pat"]
    assert await refused_as_author(on, 1, "sue") == "taken"


async def test_data_that_the_champion_has_learned_from_make_no_author(on: Harness) -> None:
    """They were looked at with it."""
    await declare(on)
    await ingested(on, "key:bob", 1)
    await crown(on, "run-1", 1, dataset=1)
    await on.heard(AliasMoved)
    await declare(on, approval={"needed": 1})
    await ingested(on, "key:pat", 2)
    await challenger(on, "run-2", 2, 1, dataset=2, requested_by="key:kim", declared_revision=2)

    assert "changed the data" in await refused_as_author(on, 2, "pat")
    assert await refused_as_author(on, 2, "bob") == "taken"


async def test_two_people_at_the_same_moment_are_two(on: Harness, by: By) -> None:
    """Neither is lost, and neither counts for both."""
    await declare(on, approval={"needed": 3})
    await waiting(on)

    answers = await asyncio.gather(*(by(name, "POST", APPROVE, comment="yes") for name in ("eva", "rob", "eva", "rob")))
    last = (await by("sue", "POST", APPROVE, comment="yes")).json()

    assert {answer.status_code for answer in answers} == {200}
    assert (last["state"], last["approvals"]["text"]) == ("approved", "3 of 3")
    assert len(last["decisions"]) == 5


async def test_what_is_tightened_while_a_version_waits_holds_for_it(on: Harness, by: By) -> None:
    """More approvals count at once; a gate that it was not held against is asked about before it passes."""
    await declare(on, approval={"needed": 1})
    await waiting(on)
    gates = [*DECLARATION["evaluation"]["gates"], {"metric": "roc_auc", "at_least": 0.8}]
    await declare(on, approval={"needed": 2}, evaluation={"metrics": ["roc_auc"], "gates": gates})

    first = (await by("eva", "POST", APPROVE, comment="yes")).json()

    assert (first["state"], first["approvals"]["text"]) == ("evaluating", "1 of 2")
    await on.say(judged(await asked_again(on, 1), candidate=0.75))
    assert "roc_auc 0.7500 is not >= 0.8" in (await on.heard(VersionRejected)).data.reason


async def test_a_version_is_held_to_what_it_was_trained_under_as_well(on: Harness, by: By) -> None:
    """What was loosened since helps versions that are trained from now on, and no older one."""
    strict = {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.8}]}
    await declare(on, evaluation=strict)
    await declare(on, evaluation={"metrics": ["roc_auc"], "gates": []})

    await on.say(trained("run-1", declared_revision=1))
    await on.say(judged(await asked_for(on, 1), candidate=0.75))
    await on.say(trained("run-2", declared_revision=2))
    await on.say(judged(await asked_for(on, 2), candidate=0.75))

    assert (await on.heard(VersionRejected)).data.version == 1
    assert (await on.heard(AliasMoved)).data.version == 2


async def test_a_champion_that_comes_back_is_met_again(on: Harness, by: By) -> None:
    """The question has an id of its own each time: the trainer answers none twice."""
    await declare(on, evaluation={"metrics": ["roc_auc"], "gates": []})
    await crown(on, "run-1", 1)
    await crown(on, "run-2", 2, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 2)
    await on.say(trained("run-3"))
    first = await asked_for(on, 3, champion=2)
    await on.say(a(RolloutRolledBack, model="flights", version=2, restored=1, reason="5 % failed"))
    await on.heard(AliasMoved, where=lambda event: event.version == 1 and event.previous == 2)
    await on.say(judged(first, candidate=0.8))
    second = await asked_for(on, 3, champion=1)
    await crown(on, "run-4", 4, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 4)
    await on.say(a(RolloutRolledBack, model="flights", version=4, restored=1, reason="5 % failed"))
    await on.heard(AliasMoved, where=lambda event: event.version == 1 and event.previous == 4)

    await on.say(judged(second, candidate=0.8))

    assert (await on.heard(AliasMoved, where=lambda event: event.version == 3)).data.previous == 1
    assert len({first.evaluation, second.evaluation}) == 2
