"""Every step of a version and of a change, and the steps that there are not, without anything around them."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import (
    Approval,
    ApprovalRequested,
    Artifact,
    ChangeApproved,
    ChangeRejected,
    EvaluationCompleted,
    EvaluationMetrics,
    EvaluationRequested,
    GateResult,
    VersionApproved,
    VersionRegistered,
    VersionRejected,
)
from headrace.registry.domain import Change, Decision, Impossible, State, Version
from headrace.registry.gates import CHAMPION, Verdict
from headrace.registry.policy import Policy, policy_of
from headrace.registry.tables import VersionRow
from headrace.testkit import a
from headrace.testkit.builders import a_declaration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATE = NOON + timedelta(days=365)
MET = Verdict((GateResult(gate="g", metric="roc_auc", passed=True, detail="roc_auc 0.8000 >= 0.7"),))
UNMET = Verdict((GateResult(gate="g", metric="roc_auc", passed=False, detail="roc_auc 0.6000 is not >= 0.7"),))
YES = Approval(by="key:eva", at=NOON)
FIGURES = a(EvaluationCompleted, metrics=EvaluationMetrics(candidate={"roc_auc": 0.8}))


def policy(needed: int = 0, **gate: Any) -> Policy:
    """What is asked of a version."""
    gates = [{"metric": "roc_auc", **gate}] if gate else []
    return policy_of(a_declaration(evaluation={"gates": gates}, approval={"needed": needed}))


def a_version(number: int = 2, **given: Any) -> Version:
    """A version that was registered, and of which nothing was asked yet."""
    facts = a(VersionRegistered, model="delay", version=number, artifact=a(Artifact), **given.pop("facts", {}))
    registered = facts.model_dump(mode="json", exclude_none=True)
    return Version("delay", number, facts.digest, registered, **given)


def evaluating(champion: Version | None = None) -> Version:
    """A version that waits for its figures."""
    return a_version().asked_for(policy(), champion).after


def pending() -> Version:
    """A version that waits for people."""
    return evaluating().accepted(policy(needed=1), [], NOON).after


def said(decision: Decision[Any]) -> list[type]:
    """The kinds of facts that follow."""
    return [type(fact) for fact in decision.facts]


def test_the_row_holds_what_the_domain_knows() -> None:
    """Beside it, only where the version comes from, and how its rollout goes."""
    assert set(VersionRow.model_fields) - {each.name for each in fields(Version)} == {
        "run",
        "author",
        "created",
        "rollout",
    }


def test_a_version_is_judged_beside_the_champion() -> None:
    """Both are named in the question; each time it is another one, so that late answers to older ones are known."""
    champion = a_version(1)
    first = evaluating(champion)
    again = first.asked_for(policy(), champion)

    question = again.facts[0]
    assert isinstance(question, EvaluationRequested)
    assert question.champion is not None
    assert (question.candidate.version, question.champion.version) == (2, 1)
    assert (first.met, again.after.asked) == (1, 2)
    assert again.after.awaits(question.evaluation)
    assert not again.after.awaits(first.evaluation)


def test_versions_that_do_not_compare_are_judged_alone() -> None:
    """The champion is still noted as the one that was to be met."""
    decision = a_version().asked_for(policy(), a_version(1, facts={"target": "cancelled"}))

    assert (decision.after.met, decision.after.alone) == (1, True)
    assert decision.facts[0].champion is None


def test_figures_count_while_champion_and_policy_are_as_they_were() -> None:
    """A new champion, or a stricter gate, needs new figures."""
    version = evaluating(a_version(1))

    assert version.measured_by(policy(), 1)
    assert not version.measured_by(policy(), 3)
    assert not version.measured_by(policy(at_least=0.7), 1)


def test_a_version_that_met_every_gate_is_approved_and_promoted() -> None:
    """Where the policy needs nobody."""
    decision = evaluating().judged(MET, FIGURES, policy(), [], NOON)

    version = decision.after
    assert said(decision) == [VersionApproved]
    assert (version.state, version.decided_at, version.metrics["roc_auc"]) == (State.APPROVED, NOON, 0.8)
    assert (version.reason, decision.promoted) == ("roc_auc 0.8000 >= 0.7", "met every gate")


def test_a_version_that_did_not_is_rejected_with_the_gate() -> None:
    """Its figures are kept all the same."""
    decision = evaluating().judged(UNMET, FIGURES, policy(), [], NOON)

    assert said(decision) == [VersionRejected]
    assert (decision.after.state, decision.promoted) == (State.REJECTED, None)
    assert decision.facts[0].reason == "roc_auc 0.6000 is not >= 0.7"
    assert decision.after.results == list(UNMET.gates)


def test_people_are_asked_where_the_policy_needs_them() -> None:
    """The time that they have does not begin anew with each of them."""
    asked = evaluating().judged(MET, FIGURES, policy(needed=2), [], NOON)
    once = asked.after.accepted(policy(needed=2), [YES], NOON + timedelta(days=1))
    twice = once.after.accepted(policy(needed=2), [YES, Approval(by="key:rob", at=NOON)], NOON)

    assert (said(asked), said(once), said(twice)) == ([ApprovalRequested], [ApprovalRequested], [VersionApproved])
    assert (asked.facts[0].given, once.facts[0].given) == (0, 1)
    assert once.after.expires_at == asked.after.expires_at
    assert twice.promoted == "met every gate and was approved"


@pytest.mark.parametrize(
    ("now", "standing"), [(NOON, State.PENDING), (LATE, State.EXPIRED)], ids=["in time", "too late"]
)
def test_what_has_lapsed_is_expired_whether_noticed_or_not(now: datetime, standing: State) -> None:
    """People decide while it waits, and not afterwards."""
    assert pending().standing(now) is standing
    assert pending().waits(now) is (standing is State.PENDING)
    assert evaluating().standing(now) is State.EVALUATING


def test_a_version_that_cannot_be_judged_beside_the_champion_is_judged_alone_first() -> None:
    """Unless a gate needs the champion; and alone it has one try."""
    champion = a_version(1)
    version = evaluating(champion)

    alone = version.not_judged("no rows", policy(), champion, NOON)
    needed = version.not_judged("no rows", policy(beats=CHAMPION, by=0.01), champion, NOON)

    assert (said(alone), alone.after.alone) == ([EvaluationRequested], True)
    assert "beside champion 1: no rows; train on a dataset version" in str(needed.after.reason)
    assert alone.after.not_judged("no rows", policy(), champion, NOON).after.reason == (
        "it could not be evaluated: no rows"
    )


def test_a_rejection_by_a_person_names_the_person() -> None:
    """A gate's names nobody."""
    assert pending().rejected("too risky", NOON, by="key:eva").facts[0].by == "key:eva"
    assert evaluating().rejected("too bad", NOON).facts[0].by is None


def test_an_approved_version_that_is_rolled_back_is_revoked() -> None:
    """Also once more, where no approved version could take its place."""
    approved = evaluating().approved([], NOON).after
    revoked = approved.revoked("rolled back: errors", NOON)

    assert said(revoked) == [VersionRejected]
    assert revoked.after.state is State.REVOKED
    assert revoked.after.revoked("rolled back: errors", NOON).after == revoked.after


STEPS = {
    "asked_for": lambda version: version.asked_for(policy(), None),
    "judged": lambda version: version.judged(MET, FIGURES, policy(), [], NOON),
    "not_judged": lambda version: version.not_judged("no rows", policy(), None, NOON),
    "accepted": lambda version: version.accepted(policy(needed=1), [], NOON),
    "approved": lambda version: version.approved([], NOON),
    "rejected": lambda version: version.rejected("no", NOON),
    "expired": lambda version: version.expired(LATE),
    "revoked": lambda version: version.revoked("no", NOON),
}
POSSIBLE = {
    State.EVALUATING: {"asked_for", "judged", "not_judged", "accepted", "approved", "rejected"},
    State.PENDING: {"asked_for", "accepted", "approved", "rejected", "expired"},
    State.APPROVED: {"revoked"},
    State.REVOKED: {"revoked"},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_does_not_fit_is_refused_with_where_the_version_stands(state: State, step: str) -> None:
    """What was decided is decided: no version comes back from a rejection, and only one that waits expires."""
    version = replace(pending(), state=state)

    if step in POSSIBLE.get(state, set()):
        STEPS[step](version)
    else:
        with pytest.raises(Impossible, match=f"delay/2 cannot .*: it is {state}"):
            STEPS[step](version)


def a_change() -> Change:
    """A looser declaration that waits for people."""
    return Change("change-1", "delay", "declaration", "key:ann", NOON + timedelta(days=7))


def test_a_change_is_accepted_with_its_approvals() -> None:
    """Who proposed it is named, too."""
    decision = a_change().accepted([YES], NOON)

    assert said(decision) == [ChangeApproved]
    assert (decision.after.state, decision.after.decided_at) == (State.APPROVED, NOON)
    assert (decision.facts[0].by, decision.facts[0].approvals) == ("key:ann", [YES])


@pytest.mark.parametrize("state", [State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED])
def test_a_change_ends_with_a_reason(state: State) -> None:
    """In each of the ways in which it will not take effect."""
    decision = a_change().ended(state, "not needed", NOON, by="key:eva")

    assert said(decision) == [ChangeRejected]
    assert (decision.after.state, decision.after.outcome) == (state, "not needed")
    assert (decision.facts[0].state, decision.facts[0].by) == (state.value, "key:eva")


def test_a_change_that_nobody_decided_on_is_expired() -> None:
    """From the end of its time on, whether noticed or not."""
    assert (a_change().standing(NOON), a_change().standing(LATE)) == (State.PENDING, State.EXPIRED)
    assert not replace(a_change(), state=State.APPROVED).overdue(LATE)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_a_change_is_decided_once(state: State) -> None:
    """What was decided stays."""
    change = replace(a_change(), state=state)

    for step in (lambda: change.accepted([YES], NOON), lambda: change.ended(State.REJECTED, "no", NOON)):
        with pytest.raises(Impossible, match=f"change change-1 cannot be decided: it is {state}"):
            step()
