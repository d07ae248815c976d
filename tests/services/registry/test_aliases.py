"""The champion by hand: a decision about service, which needs the right, the approvals and the reason of one."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    ApprovalRecorded,
    ChangeProposed,
    ChangeRejected,
    RolloutRolledBack,
    VersionRejected,
)
from headrace.testkit import Harness, a

from .conftest import DECLARATION, PEOPLE, aliases, asked_for, crown, declare, judged, trained

By = Callable[..., Any]
CHAMPION = "/models/flights/aliases/champion"
BACK = {"version": 1, "reason": "version 2 is unfair to Newark"}


async def two_champions(on: Harness, by: By, needed: int = 0) -> None:
    """Version 1 served, version 2 serves; from now on the policy needs approvals. Everything was declared by ann."""
    await by("ann", "PUT", "/models/flights", **DECLARATION)
    await crown(on, "run-1", 1, requested_by="key:ann")
    await on.heard(AliasMoved)
    await crown(on, "run-2", 2, champion=1, requested_by="key:ann")
    await on.heard(AliasMoved, where=lambda event: event.version == 2)
    if needed:
        await by("ann", "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": needed}})


async def champion(on: Harness) -> int:
    """The version that serves."""
    return (await aliases(on))["champion"]


async def test_who_may_only_declare_moves_no_champion(on: Harness, by: By) -> None:
    """Nor does anybody else without the right to approve."""
    await two_champions(on, by)

    statuses = {who: (await by(who, "PUT", CHAMPION, **BACK)).status_code for who in PEOPLE if PEOPLE[who] != "admin"}

    refused = {who for who, status in statuses.items() if status == 403}
    assert refused == {who for who, role in PEOPLE.items() if role not in ("approver", "admin")}


@pytest.mark.parametrize("body", [{"version": 1}, {"version": 1, "reason": ""}, {"reason": "no version"}])
async def test_a_champion_is_not_moved_without_a_reason(on: Harness, by: By, body: dict[str, Any]) -> None:
    """It is asked about later."""
    await two_champions(on, by)

    assert (await by("eva", "PUT", CHAMPION, **body)).status_code == 422
    assert await champion(on) == 2


async def test_a_champion_moves_at_once_where_no_approvals_are_needed(on: Harness, by: By) -> None:
    """With who did it, and why."""
    await two_champions(on, by)

    answer = await by("eva", "PUT", CHAMPION, **BACK)

    assert answer.status_code == 200
    moved = (await on.heard(AliasMoved, where=lambda event: event.previous == 2)).data
    assert (moved.version, moved.by, moved.reason) == (1, "key:eva", BACK["reason"])
    again = await by("eva", "PUT", CHAMPION, **BACK)
    assert again.status_code == 409


async def test_a_champion_moves_with_the_approvals_of_the_policy(on: Harness, by: By) -> None:
    """Who asks is one of them, once; the second person makes it so."""
    await two_champions(on, by, needed=2)

    asked = await by("eva", "PUT", CHAMPION, **BACK)
    again = await by("eva", "PUT", CHAMPION, **BACK)

    assert (asked.status_code, again.status_code) == (202, 202)
    waits = again.json()
    assert (waits["kind"], waits["version"], waits["approvals"]["text"]) == ("alias", 1, "1 of 2")
    assert waits["change"] == asked.json()["change"]
    assert await champion(on) == 2
    done = await by("rob", "PUT", CHAMPION, **BACK)
    assert (done.status_code, done.json()["version"]) == (200, 1)
    moved = (await on.heard(AliasMoved, where=lambda event: event.previous == 2)).data
    assert [each.by for each in moved.approvals] == ["key:eva", "key:rob"]
    assert moved.reason == BACK["reason"]
    assert [each.data.by for each in on.all(ApprovalRecorded)] == ["key:eva", "key:eva", "key:rob"]
    assert len(on.all(ChangeProposed)) == 1


async def test_an_author_may_ask_but_does_not_count(on: Harness, by: By) -> None:
    """An administrator who declared the model needs somebody else, for the past as for the future."""
    await declare(on, approval={"needed": 1})  # zoe
    for run, version in (("run-1", 1), ("run-2", 2)):
        await on.say(trained(run, requested_by="key:pat"))
        await on.say(judged(await asked_for(on, version, version - 1 or None), candidate=0.8, low=0.02))
        await on.quiet()
        assert (await by("eva", "POST", f"/models/flights/versions/{version}/approve", comment="yes")).is_success
        await on.heard(AliasMoved, where=lambda event, version=version: event.version == version)

    asked = await by("zoe", "PUT", CHAMPION, **BACK)
    own = await by("zoe", "POST", f"/models/flights/changes/{asked.json()['change']}/approve", comment="mine")

    assert (asked.status_code, asked.json()["approvals"]["text"], own.status_code) == (202, "0 of 1", 422)
    assert "declared revision 1" in own.json()["detail"]
    other = await by("rob", "POST", f"/models/flights/changes/{asked.json()['change']}/approve", comment="seen")
    assert other.json()["state"] == "approved"
    assert await champion(on) == 1


async def test_what_may_not_serve_is_never_reached(on: Harness, by: By) -> None:
    """Neither what was rejected, nor what was revoked, nor what waits, nor what is judged; nor what does not exist."""
    await two_champions(on, by)
    await on.say(a(RolloutRolledBack, model="flights", version=2, restored=1, reason="5 % failed"))  # 2 is revoked
    await on.heard(VersionRejected, where=lambda event: event.version == 2)
    await on.say(trained("run-3"))
    await on.say(judged(await asked_for(on, 3, champion=1), candidate=0.5, low=-0.3))  # 3 is rejected
    await on.heard(VersionRejected, where=lambda event: event.version == 3)
    await on.say(trained("run-4"))
    await asked_for(on, 4, champion=1)  # 4 is being judged

    answers = [await by("eva", "PUT", CHAMPION, version=version, reason="I want it") for version in (2, 3, 4, 5)]

    assert [answer.status_code for answer in answers] == [409, 409, 409, 404]
    assert await champion(on) == 1


async def test_a_version_that_is_revoked_while_its_move_waits_is_not_reached(on: Harness, by: By) -> None:
    """The last approval finds it so, and ends the change."""
    await two_champions(on, by, needed=2)
    change = (await by("eva", "PUT", CHAMPION, **BACK)).json()["change"]
    for version, restored in ((2, 1), (1, 2)):
        await on.say(a(RolloutRolledBack, model="flights", version=version, restored=restored, reason="5 % failed"))
        await on.heard(VersionRejected, where=lambda event, version=version: event.version == version)

    last = (await by("rob", "POST", f"/models/flights/changes/{change}/approve", comment="yes")).json()

    assert (last["state"], last["outcome"]) == ("superseded", "flights/1 is revoked now")
    assert (await on.heard(ChangeRejected)).data.state == "superseded"


async def test_the_deployer_goes_back_by_itself_but_never_to_what_may_not_serve(on: Harness, by: By) -> None:
    """An automatic rollback needs nobody; where it went to a version that is revoked, people are told at once."""
    await two_champions(on, by)
    await by("eva", "PUT", CHAMPION, **BACK)
    await on.say(a(RolloutRolledBack, model="flights", version=1, restored=2, reason="5 % failed"))
    await on.heard(AliasMoved, where=lambda event: event.version == 2 and event.previous == 1)

    await on.say(a(RolloutRolledBack, model="flights", version=2, restored=1, reason="8 % failed"))

    alert = (await on.heard(AlertRaised)).data
    assert (alert.kind, alert.severity, alert.version) == ("risk", "critical", 1)
    assert "which is revoked" in alert.message
    assert (await on.http.get("/models/flights/versions/2")).json()["state"] == "revoked"
    assert [each.data.version for each in on.all(AliasMoved)] == [1, 2, 1, 2]


async def test_moves_at_the_same_moment_leave_one_history(on: Harness, by: By) -> None:
    """Each move says where the alias stood before it."""
    await two_champions(on, by)
    wishes = [("eva", 1), ("rob", 2), ("sue", 1), ("zoe", 2)]

    await asyncio.gather(*(by(who, "PUT", CHAMPION, version=to, reason="asked for") for who, to in wishes))

    history = (await on.http.get(f"{CHAMPION}/history")).json()["items"]
    assert all(newer["previous"] == older["version"] for newer, older in pairwise(history))
    assert await champion(on) == history[0]["version"]


async def test_a_name_that_does_not_serve_is_for_who_declares(on: Harness, by: By) -> None:
    """It moves no traffic."""
    await two_champions(on, by)

    named = await by("ann", "PUT", "/models/flights/aliases/stable", version=1)

    assert named.status_code == 200
    assert (await by("eva", "PUT", "/models/flights/aliases/stable", version=2)).status_code == 403


async def test_a_move_may_be_refused_by_one_person(on: Harness, by: By) -> None:
    """And is over."""
    await two_champions(on, by, needed=2)
    change = (await by("eva", "PUT", CHAMPION, **BACK)).json()["change"]

    await by("rob", "POST", f"/models/flights/changes/{change}/reject", comment="it is fair")

    ended = (await on.heard(ChangeRejected)).data
    assert (ended.kind, ended.by, ended.reason) == ("alias", "key:rob", "it is fair")
    assert await champion(on) == 2
