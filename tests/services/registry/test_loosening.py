"""Every way to loosen a policy, from every identity: nothing is loosened that needs approvals before it has them."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from headrace.chassis.scopes import ROLES
from headrace.contracts import (
    ApprovalRecorded,
    ChangeApproved,
    ChangeProposed,
    ChangeRejected,
    ModelDeclared,
    RequestRefused,
)
from headrace.testkit import FakeClock, Harness

from .conftest import DECLARATION, PEOPLE, declare
from .ways import WAYS, declared

By = Callable[..., Any]
NAMED = [(f"way-{number}", *way) for number, way in enumerate(WAYS)]
LOOSE = {**DECLARATION, "approval": {"needed": 0}, "evaluation": {"metrics": ["roc_auc"], "gates": []}}
STRICT = {**DECLARATION, "approval": {"needed": 2}}


async def declare_all(on: Harness, by: By, needed: int = 2) -> None:
    """A model for each way, declared by ann."""
    for name, path, old, _ in NAMED:
        answer = await by("ann", "PUT", f"/models/{name}", **declared(name, path, old, needed))
        assert answer.status_code == 201, answer.text


async def revisions(on: Harness) -> dict[str, int]:
    """Which revision of each model is in force."""
    items = (await on.http.get("/models", params={"limit": 500})).json()["items"]
    return {item["name"]: item["revision"] for item in items}


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the matrix is about rules, not rows


@ON_SQLITE
async def test_no_role_loosens_a_policy_alone_over_http(on: Harness, by: By) -> None:
    """Whoever may declare models gets a change that waits, everybody else is refused; every model stays as it was."""
    await declare_all(on, by)
    wrong = []

    for who in ("ann", "bob", "zoe"):  # the author, another scientist, an administrator
        for name, path, _, new in NAMED:
            answer = await by(who, "PUT", f"/models/{name}", **declared(name, path, new))
            waits = answer.json().get("waits") or {"loosens": [], "approvals": {}, "change": "none"}
            own = await by(who, "POST", f"/models/{name}/changes/{waits['change']}/approve", comment="mine")
            told = any(each.startswith(path) for each in waits["loosens"]) and waits["approvals"]["text"] == "0 of 2"
            if answer.status_code != 202 or not told or own.status_code != (422 if who == "zoe" else 403):
                wrong.append((who, path, answer.text, own.text))
    for who in ("eva", "pat", "vic", "kim"):
        for name, path, _, new in NAMED:
            answer = await by(who, "PUT", f"/models/{name}", **declared(name, path, new))
            wrong += [(who, path, answer.text, "")] if answer.status_code != 403 else []

    assert wrong == []
    assert {PEOPLE[who] for who in ("ann", "bob", "zoe", "eva", "pat", "vic", "kim")} == set(ROLES)
    assert await revisions(on) == {name: 1 for name, *_ in NAMED}
    await on.quiet()
    assert len(on.all(ChangeProposed)) == 3 * len(NAMED)
    assert len(on.all(ModelDeclared)) == len(NAMED)


@pytest.mark.parametrize("who", ["outsider", "operator"])
@pytest.mark.parametrize("needed", [0, 2])
@ON_SQLITE
async def test_no_program_loosens_what_a_person_has_declared(on: Harness, by: By, who: str, needed: int) -> None:
    """By an event that says nothing of its publisher but the connection: refused, whatever the policy needs."""
    ways = [way for way in NAMED if needed or way[1] != "approval.needed"]
    for name, path, old, _ in ways:
        await by("ann", "PUT", f"/models/{name}", **declared(name, path, old, needed))

    for name, path, _, new in ways:
        await on.publish(
            f"headrace.request.declaration.{name}", json.dumps(declared(name, path, new, needed)).encode(), as_=who
        )
    await on.quiet()

    assert await revisions(on) == {name: 1 for name, *_ in ways}
    refused = [each.data for each in on.all(RequestRefused)]
    assert [each.about for each in refused] == [name for name, *_ in ways]
    assert all("declared by key:ann" in each.reason for each in refused)


async def test_an_outsider_declares_models_of_its_own_and_binds_itself(on: Harness) -> None:
    """It may change what it alone has declared, until that needs approvals: it is nobody in particular."""
    subject = "headrace.request.declaration.flights"
    for document in (DECLARATION, LOOSE, STRICT, LOOSE, {**STRICT, "purpose": "Anything."}):
        await on.publish(subject, json.dumps(document).encode())
    await on.quiet()

    assert [each.data.revision for each in on.all(ModelDeclared)] == [1, 2, 3]
    assert [each.data.reason for each in on.all(RequestRefused)] != []
    assert all("nobody in particular" in each.data.reason for each in on.all(RequestRefused))


async def test_what_needs_no_approvals_is_loosened_at_once_and_said(on: Harness, by: By) -> None:
    """The answer and the fact name what was loosened; what was only tightened is told apart."""
    await by("ann", "PUT", "/models/flights", **DECLARATION)

    loosened = await by("ann", "PUT", "/models/flights", **LOOSE)
    tightened = await by("ann", "PUT", "/models/flights", **STRICT)

    assert (loosened.status_code, tightened.status_code) == (200, 200)
    assert any(each.startswith("evaluation.gates") for each in loosened.json()["loosens"])
    assert (loosened.json()["waits"], tightened.json()["loosens"]) == (None, [])
    await on.heard(ModelDeclared, where=lambda event: event.revision == 3)
    told = [each.data.loosens for each in on.all(ModelDeclared)]
    assert (told[0], told[2], bool(told[1])) == (None, None, True)


async def test_a_looser_declaration_takes_effect_with_the_approvals_of_the_present_one(on: Harness, by: By) -> None:
    """Two people who are not its author; each word is a fact of its own, and the revision is its author's."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]
    path = f"/models/flights/changes/{change}"

    listed = (await by("eva", "GET", "/changes")).json()["items"]
    first = (await by("eva", "POST", f"{path}/approve", comment="fine")).json()
    again = (await by("eva", "POST", f"{path}/approve", comment="still")).json()
    before = await revisions(on)
    second = (await by("rob", "POST", f"{path}/approve", comment="me too")).json()

    assert [each["change"] for each in listed] == [change]
    assert (first["approvals"]["text"], again["approvals"]["text"], before) == ("1 of 2", "1 of 2", {"flights": 1})
    assert (second["state"], second["approvals"]["text"]) == ("approved", "2 of 2")
    told = (await on.heard(ModelDeclared, where=lambda event: event.revision == 2)).data
    assert (told.by, [each.by for each in told.approvals]) == ("key:ann", ["key:eva", "key:rob"])
    assert told.declaration.approval.needed == 0
    assert any(each.startswith("approval.needed: 2 to 0") for each in told.loosens)
    words = [(each.data.change, each.data.by, each.data.given) for each in on.all(ApprovalRecorded)]
    assert words == [(change, "key:eva", 1), (change, "key:eva", 1), (change, "key:rob", 2)]
    assert (await on.heard(ChangeApproved)).data.change == change
    history = (await on.http.get("/models/flights/history")).json()["items"]
    assert [(each["revision"], each["by"]) for each in history] == [(2, "key:ann"), (1, "key:bob")]


async def test_a_change_that_tightens_and_loosens_waits_as_a_whole(on: Harness, by: By) -> None:
    """One document is one decision; the part that tightens can be sent alone, and then holds at once."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    mixed = {**STRICT, "risk": {"impact": "high", "review_every": "P365D"}}

    waits = (await by("ann", "PUT", "/models/flights", **mixed)).json()
    alone = await by("ann", "PUT", "/models/flights", **{**STRICT, "risk": {"impact": "high", "review_every": "P90D"}})

    assert waits["changed"] == ["risk.impact", "risk.review_every"]
    assert waits["loosens"] == ["risk.review_every: P90D to P365D"]
    assert (alone.status_code, alone.json()["revision"]) == (200, 2)


async def test_a_change_waits_on_while_something_else_is_tightened(on: Harness, by: By) -> None:
    """Nobody stops a proposal by tightening another field: its approvals stay, and both take effect."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    looser = {**STRICT, "risk": {"impact": "medium", "review_every": "P365D"}}
    change = (await by("ann", "PUT", "/models/flights", **looser)).json()["waits"]["change"]
    path = f"/models/flights/changes/{change}"
    await by("eva", "POST", f"{path}/approve", comment="fine")

    gates = [*DECLARATION["evaluation"]["gates"], {"metric": "roc_auc", "at_least": 0.7}]
    await by("bob", "PUT", "/models/flights", **{**STRICT, "evaluation": {"metrics": ["roc_auc"], "gates": gates}})

    shown = (await by("eva", "GET", path)).json()
    assert (shown["state"], shown["base_revision"], shown["approvals"]["text"]) == ("pending", 2, "1 of 2")
    assert shown["loosens"] == ["risk.review_every: P90D to P365D"]
    again = await on.heard(ChangeProposed, where=lambda event: event.base_revision == 2)
    assert (again.data.change, again.data.given) == (change, 1)
    assert (await by("rob", "POST", f"{path}/approve", comment="fine")).json()["state"] == "approved"
    told = (await on.heard(ModelDeclared, where=lambda event: event.revision == 3)).data
    assert told.declaration.risk.review_every == "P365D"
    assert len(told.declaration.evaluation.gates) == 3
    assert not on.all(ChangeRejected)


async def test_a_change_of_what_was_tightened_meanwhile_must_be_approved_anew(on: Harness, by: By) -> None:
    """Else it would undo that unseen; what it undoes now is told, and the stricter policy decides."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]
    path = f"/models/flights/changes/{change}"
    await by("eva", "POST", f"{path}/approve", comment="fine")

    await by("bob", "PUT", "/models/flights", **{**STRICT, "approval": {"needed": 3}})

    shown = (await by("eva", "GET", path)).json()
    assert (shown["state"], shown["approvals"]["text"]) == ("pending", "0 of 3")
    assert "approval.needed: 3 to 0" in shown["loosens"]
    assert len(shown["decisions"]) == 1
    texts = [(await by(who, "POST", f"{path}/approve", comment="again")).json() for who in ("eva", "rob", "sue")]
    assert [each["approvals"]["text"] for each in texts] == ["1 of 3", "2 of 3", "3 of 3"]
    assert texts[-1]["state"] == "approved"


async def test_a_change_that_took_effect_otherwise_is_over(on: Harness, by: By) -> None:
    """Two proposals of the same: one takes effect, and nothing is left of the other."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    first, second = [
        (await by(who, "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"] for who in ("ann", "bob")
    ]
    for who in ("eva", "rob"):
        await by(who, "POST", f"/models/flights/changes/{first}/approve", comment="fine")

    answer = await by("eva", "POST", f"/models/flights/changes/{second}/approve", comment="fine")
    assert answer.status_code == 422
    assert "is superseded" in answer.json()["detail"]
    ended = (await on.heard(ChangeRejected)).data
    assert (ended.change, ended.state) == (second, "superseded")
    assert "says the same" in ended.reason


async def test_one_no_ends_a_change(on: Harness, by: By) -> None:
    """And the reason is kept; it may be proposed again."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]

    answer = (await by("eva", "POST", f"/models/flights/changes/{change}/reject", comment="two people look")).json()

    assert (answer["state"], answer["outcome"]) == ("rejected", "two people look")
    ended = (await on.heard(ChangeRejected)).data
    assert (ended.by, ended.state, ended.reason) == ("key:eva", "rejected", "two people look")
    again = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()
    assert again["waits"]["change"] != change


async def test_who_proposed_a_change_may_withdraw_it_and_nobody_else(on: Harness, by: By) -> None:
    """The proposal is theirs."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]
    path = f"/models/flights/changes/{change}/withdraw"

    other, own = await by("bob", "POST", path), await by("ann", "POST", path)

    assert (other.status_code, own.json()["state"]) == (422, "withdrawn")
    assert "only key:ann" in other.json()["detail"]


async def test_a_change_that_nobody_decides_on_lapses(on: Harness, by: By, clock: FakeClock) -> None:
    """After the time that the policy gives people; before that is noticed, nobody can approve it either."""
    await by("bob", "PUT", "/models/flights", **{**STRICT, "approval": {"needed": 2, "expires": "P1D"}})
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]

    clock.advance(timedelta(days=1))
    late = await by("eva", "POST", f"/models/flights/changes/{change}/approve", comment="late")

    assert late.status_code == 422
    assert (await on.heard(ChangeRejected)).data.state == "expired"


async def test_the_same_declaration_proposed_again_is_the_same_change(on: Harness, by: By) -> None:
    """A pipeline may apply the same file with every commit; the change of another person is another one."""
    await by("bob", "PUT", "/models/flights", **STRICT)

    ids = [
        (await by(who, "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"] for who in ("ann", "ann", "bob")
    ]

    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)
    assert len(on.all(ChangeProposed)) <= 2


async def test_two_approvals_of_a_change_at_once_are_two(on: Harness, by: By) -> None:
    """It takes effect once."""
    await by("bob", "PUT", "/models/flights", **STRICT)
    change = (await by("ann", "PUT", "/models/flights", **LOOSE)).json()["waits"]["change"]
    path = f"/models/flights/changes/{change}/approve"

    answers = await asyncio.gather(*(by(who, "POST", path, comment="yes") for who in ("eva", "rob", "sue")))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 422]
    assert await revisions(on) == {"flights": 2}
    await on.quiet()
    assert len(on.all(ChangeApproved)) == 1


async def test_two_first_declarations_at_once_are_one_model_with_two_revisions(on: Harness, by: By) -> None:
    """The later one is a change of the earlier one, and answers as one."""
    other = {**DECLARATION, "purpose": "Warn crews."}

    answers: Sequence[Any] = await asyncio.gather(
        *(by(who, "PUT", "/models/flights", **document) for who, document in (("ann", DECLARATION), ("bob", other)))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert await revisions(on) == {"flights": 2}


async def test_a_policy_holds_for_the_change_of_itself_in_two_steps_as_well(on: Harness, by: By) -> None:
    """Half of the way today and half tomorrow needs the approvals twice."""
    await declare(on, approval={"needed": 2})

    for needed in (1, 0):
        answer = await by("ann", "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": needed}})
        assert answer.json()["waits"]["approvals"]["needed"] == 2
