"""What the registry decides: what becomes of versions, what changed, who may approve, how risky a model is.

Pure: standard library and contracts only.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from math import isfinite, prod
from typing import Any, Generic, TypeVar

from headrace.contracts import (
    OUTSIDER,
    Approval,
    ApprovalRequested,
    Artifact,
    ChangeApproved,
    ChangeRejected,
    DatasetRef,
    Declaration,
    EvaluationCompleted,
    EvaluationRequested,
    Event,
    GateResult,
    ModelVersion,
    VersionApproved,
    VersionRegistered,
    VersionRejected,
    derive_id,
    is_person,
)
from headrace.contracts.durations import parse_duration
from headrace.registry.gates import WAY_ON, Verdict, incomparable, words
from headrace.registry.policy import Policy

T = TypeVar("T")
TRAINED = "trained"  # the origin of a version that a run made here
IMPORTED = "imported"  # that of one that was made elsewhere
IMPACT: Mapping[str, float] = {"low": 1 / 3, "medium": 2 / 3, "high": 1.0}
SIGNALS: Mapping[str, float] = {"drift": 0.15, "performance": 0.4, "fairness": 0.4, "rollback": 0.3}
BASE_PROBABILITY = 0.05  # nothing is without risk, even where nothing was seen


class State(StrEnum):
    """Where a version or a change stands."""

    EVALUATING = "evaluating"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class Impossible(ValueError):
    """A step that a version or a change cannot take where it stands; the message says why."""


@dataclass(frozen=True)
class Decision(Generic[T]):
    """What became of a version or a change, what to say about it, and why a version becomes champion, where it does."""

    after: T
    facts: tuple[Event, ...] = ()
    promoted: str | None = None


@dataclass(frozen=True)
class Version:
    """One version of a model, from its registration to the end of its service."""

    model: str
    version: int
    digest: str
    registered: Mapping[str, Any]
    state: State = State.EVALUATING
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None
    gates: Sequence[Mapping[str, Any]] = ()
    comparisons: Sequence[Mapping[str, Any]] = ()
    evaluation: str = ""
    asked: int = 0
    """How often it was asked for its evaluation: each time is another one."""
    met: int | None = None
    """The champion that it was to meet."""
    alone: bool = False
    bar: str = ""
    """A digest of what it was measured by."""
    decided_at: datetime | None = None
    expires_at: datetime | None = None

    @cached_property
    def facts(self) -> VersionRegistered:
        """Everything that was said of it when it was registered."""
        return VersionRegistered.model_validate(self.registered, extra="ignore")

    @property
    def artifact(self) -> Artifact:
        """Where it lies."""
        artifact = self.facts.artifact
        assert artifact is not None, "versions that are served elsewhere are not registered yet"
        return artifact

    @property
    def results(self) -> list[GateResult]:
        """How it met its gates."""
        return [GateResult.model_validate(gate) for gate in self.gates]

    def waits(self, now: datetime) -> bool:
        """Whether people may decide on it."""
        return self.state is State.PENDING and not lapsed(self.expires_at, now)

    def overdue(self, now: datetime) -> bool:
        """Whether people had their time to decide on it, and did not."""
        return self.state is State.PENDING and lapsed(self.expires_at, now)

    def standing(self, now: datetime) -> State:
        """Where it stands, as people are told: what has lapsed is expired, whether noticed or not."""
        return State.EXPIRED if self.overdue(now) else self.state

    def awaits(self, evaluation: str) -> bool:
        """Whether this is the evaluation that it waits for, and not one that was asked for again since."""
        return self.state is State.EVALUATING and self.evaluation == evaluation

    def measured_by(self, policy: Policy, champion: int | None) -> bool:
        """Whether neither the champion nor what is asked of it has changed since it was asked for."""
        return self.met == champion and self.bar == bar_of(policy)

    def asked_for(self, policy: Policy, champion: "Version | None", *, alone: bool = False) -> "Decision[Version]":
        """It is to be judged, beside the champion, on the newer of their holdouts; alone where they do not compare."""
        self._must_be("judged", State.EVALUATING, State.PENDING)
        asked = self.asked + 1
        apart = champion is not None and incomparable(self.facts, champion.facts) is not None
        after = replace(
            self,
            state=State.EVALUATING,
            met=champion.version if champion else None,
            bar=bar_of(policy),
            asked=asked,
            evaluation=derive_id(f"{self.model}/{self.version}", "evaluation", self.digest, asked),
            alone=alone or apart,
        )
        return Decision(after, (after._question(None if after.alone else champion, policy),))

    def judged(
        self,
        verdict: Verdict,
        figures: EvaluationCompleted,
        policy: Policy,
        approvals: Sequence[Approval],
        now: datetime,
    ) -> "Decision[Version]":
        """It has its figures: it goes on where it met every gate, and is rejected where it did not."""
        self._must_be("judged", State.EVALUATING)
        known = replace(
            self,
            gates=[gate.model_dump(mode="json", exclude_none=True) for gate in verdict.gates],
            comparisons=[each.model_dump(mode="json") for each in figures.comparisons],
            metrics={**self.metrics, **finite(figures.metrics.candidate)},
        )
        return known.accepted(policy, approvals, now) if verdict.passed else known.rejected(verdict.reason, now)

    def not_judged(self, reason: str, policy: Policy, champion: "Version | None", now: datetime) -> "Decision[Version]":
        """It has no figures: where no gate needs the champion, it is judged alone first; else it is rejected."""
        self._must_be("judged", State.EVALUATING)
        beside = self.met is not None and not self.alone
        if beside and not policy.needs_champion:
            return self.asked_for(policy, champion, alone=True)
        where, way_on = (f" beside champion {self.met}", f"; {WAY_ON}") if beside else ("", "")
        return self.rejected(f"it could not be evaluated{where}: {reason}{way_on}", now)

    def accepted(self, policy: Policy, approvals: Sequence[Approval], now: datetime) -> "Decision[Version]":
        """It met its gates: it is approved, or people are asked where the policy wants more than have spoken."""
        if enough([each.by for each in approvals], policy.needed):
            return self.approved(approvals, now)
        self._must_be("asked for", State.EVALUATING, State.PENDING)
        expires = self.expires_at or now + policy.expires
        fact = ApprovalRequested(
            **self._named(),
            needed=policy.needed,
            given=len(approvals),
            gates=self.results,
            expires_at=expires,
        )
        return Decision(replace(self, state=State.PENDING, expires_at=expires), (fact,))

    def approved(self, approvals: Sequence[Approval], now: datetime) -> "Decision[Version]":
        """It may serve: it becomes champion."""
        self._must_be("approved", State.EVALUATING, State.PENDING)
        reason = "; ".join(gate.detail for gate in self.results) or "no gates are declared"
        fact = VersionApproved(**self._named(), gates=self.results, approvals=list(approvals))
        promoted = "met every gate" + (" and was approved" if approvals else "")
        return Decision(replace(self, state=State.APPROVED, decided_at=now, reason=reason), (fact,), promoted)

    def rejected(self, reason: str, now: datetime, by: str | None = None) -> "Decision[Version]":
        """It will not serve; `by` is the person who decided so, where one did."""
        self._must_be("rejected", State.EVALUATING, State.PENDING)
        return self._unused(State.REJECTED, reason, now, by)

    def expired(self, now: datetime) -> "Decision[Version]":
        """Nobody decided in time."""
        if not self.overdue(now):
            raise Impossible(f"{self.model}/{self.version} cannot expire: it is {self.state}")
        return self._unused(State.EXPIRED, "nobody decided in time", now)

    def revoked(self, reason: str, now: datetime) -> "Decision[Version]":
        """It served, and was taken back."""
        self._must_be("revoked", State.APPROVED, State.REVOKED)
        return self._unused(State.REVOKED, reason, now)

    def named(self) -> ModelVersion:
        """As events name it."""
        return ModelVersion(
            version=self.version,
            digest=self.digest,
            artifact=self.artifact,
            dataset=self.facts.lineage.dataset,
            holdout=self.facts.holdout,
            learned=self.facts.lineage.learned,
        )

    def _question(self, champion: "Version | None", policy: Policy) -> EvaluationRequested:
        """The holdout of the newer dataset version was kept from that version's fit, and had not happened yet when the
        older one learned; so it is new to both.
        """
        facts = newest = self.facts
        if champion is not None and is_newer(champion.facts.dataset, facts.dataset):
            newest = champion.facts
        return EvaluationRequested(
            evaluation=self.evaluation,
            model=self.model,
            candidate=self.named(),
            champion=champion.named() if champion else None,
            dataset=newest.dataset,
            holdout=newest.holdout,
            target=facts.target,
            metrics=list(policy.metrics),
            confidence=policy.confidence,
            resamples=policy.resamples,
            seed=facts.lineage.seed or 0,
        )

    def _unused(self, state: State, reason: str, now: datetime, by: str | None = None) -> "Decision[Version]":
        fact = VersionRejected(**self._named(), reason=reason, gates=self.results, by=by)
        return Decision(replace(self, state=state, reason=reason, decided_at=now), (fact,))

    def _named(self) -> dict[str, Any]:
        return {"model": self.model, "version": self.version, "digest": self.digest}

    def _must_be(self, step: str, *states: State) -> None:
        if self.state not in states:
            raise Impossible(f"{self.model}/{self.version} cannot be {step}: it is {self.state}")


@dataclass(frozen=True)
class Change:
    """A change that waits for people, or did: a looser declaration, or a move of an alias that serves."""

    id: str
    model: str
    kind: str
    by: str
    expires_at: datetime
    state: State = State.PENDING
    outcome: str | None = None
    decided_at: datetime | None = None

    def overdue(self, now: datetime) -> bool:
        """Whether people had their time to decide on it, and did not."""
        return self.state is State.PENDING and lapsed(self.expires_at, now)

    def standing(self, now: datetime) -> State:
        """Where it stands, as people are told: what has lapsed is expired, whether noticed or not."""
        return State.EXPIRED if self.overdue(now) else self.state

    def accepted(self, approvals: Sequence[Approval], now: datetime) -> "Decision[Change]":
        """It has what it needs; what follows is for others to do."""
        self._must_wait()
        fact = ChangeApproved(**self._named(), by=self.by, approvals=list(approvals))
        return Decision(replace(self, state=State.APPROVED, decided_at=now), (fact,))

    def ended(self, state: State, reason: str, now: datetime, by: str | None = None) -> "Decision[Change]":
        """It will not take effect; `by` is the person who decided so, where one did."""
        self._must_wait()
        fact = ChangeRejected(**self._named(), state=state.value, reason=reason, by=by)
        return Decision(replace(self, state=state, outcome=reason, decided_at=now), (fact,))

    def _named(self) -> dict[str, Any]:
        return {"model": self.model, "change": self.id, "kind": self.kind}

    def _must_wait(self) -> None:
        if self.state is not State.PENDING:
            raise Impossible(f"change {self.id} cannot be decided: it is {self.state}")


def bar_of(policy: Policy) -> str:
    """A digest of what a version is measured by; figures under another one are asked for again."""
    gates = sorted(words(gate) for gate in policy.gates)
    return digest_of({"gates": gates, "confidence": policy.confidence, "resamples": policy.resamples})


def finite(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures without those that could not be computed."""
    return {name: value for name, value in figures.items() if isfinite(value)}


def is_newer(one: DatasetRef, other: DatasetRef) -> bool:
    """Whether one dataset version came after another; those of different datasets have no order."""
    return one.name == other.name and one.version > other.version


def changed_paths(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Paths at which two documents differ, outermost name first."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            yield from changed_paths(old.get(name), new.get(name), f"{at}.{name}".lstrip("."))
    elif old != new:
        yield at or "everything"


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def too_few(needed: int, able: Collection[str] | None, authors: Collection[str]) -> str | None:
    """What keeps approvals from ever coming together; None where enough people may give them, or nobody knows who may.

    `able` are those who may approve today; an author never does. Keys can be made later, so it is no refusal.
    """
    if able is None or (others := len(set(able) - set(authors))) >= needed:
        return None
    return (
        f"approval.needed: {needed} people must approve, and {others} who are no author may today; until there are "
        "more (`headrace keys make NAME --role approver`), nothing that needs approvals can take effect, nor can this "
        "be loosened"
    )


def may_not_approve(actor: str, authors: Mapping[str, str]) -> str | None:
    """Why `actor` may not decide on a thing; None where they may. Who made a thing never approves it.

    `authors` says of each author what they made.
    """
    if not is_person(actor):
        return f"a decision needs a person who has shown who they are, not {actor}: use `headrace approve`, or HTTP"
    if actor in authors:
        return f"{actor} {authors[actor]}; an author never approves their own, so somebody else must decide"
    return None


def may_not_change(actor: str, declarers: Iterable[str], needed: int) -> str | None:
    """Why `actor` may not change a model that others declared; None where they may.

    A person may, as far as the policy allows. A program that is known by its connection alone changes what nobody
    but itself has declared, and one without an identity of its own never a model that needs approvals.
    """
    if is_person(actor):
        return None
    others = sorted(set(declarers) - {actor})
    if others:
        whose = f"the model is declared by {', '.join(others)}; {actor} may change only what it declared alone"
    elif actor == OUTSIDER and needed > 0:
        whose = f"the model needs {needed} approvals, and {actor} is nobody in particular"
    else:
        return None
    return f"{whose}: change it over HTTP with a key (`headrace apply`)"


def enough(approvers: Sequence[str], needed: int) -> bool:
    """Whether enough different people said yes."""
    return len(set(approvers)) >= needed


def expires_at(declaration: Declaration, now: datetime) -> datetime:
    """When a request for approval lapses."""
    return now + parse_duration(declaration.approval.expires)


def review_due(declaration: Declaration, since: datetime) -> datetime:
    """When people must look at the model's risk again."""
    return since + parse_duration(declaration.risk.review_every)


@dataclass(frozen=True)
class Risk:
    """Probability times impact, each between 0 and 1."""

    probability: float
    impact: float

    @property
    def score(self) -> float:
        """The risk."""
        return self.probability * self.impact

    @property
    def rating(self) -> str:
        """In a word: low under 0.15, high from 0.4."""
        return "high" if self.score >= 0.4 else "medium" if self.score >= 0.15 else "low"


def risk_of(declaration: Declaration, signals: Sequence[str]) -> Risk:
    """The risk of a model after what was seen of its champion.

    Each signal (drift, performance, fairness, rollback) is an independent chance that the model does harm; the
    probability is that of at least one: 1 - (1 - base) x product of (1 - weight).
    """
    left = (1 - BASE_PROBABILITY) * prod(1 - SIGNALS[signal] for signal in signals)
    return Risk(1 - left, IMPACT[declaration.risk.impact])


def lapsed(expires: datetime | None, now: datetime) -> bool:
    """Whether a request for approval is over."""
    return expires is not None and expires <= now
