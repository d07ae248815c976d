"""What becomes of evaluations: comparisons that the registry has asked for. Pure, as `domain`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from headrace.contracts import EvaluationCompleted, EvaluationFailed, EvaluationMetrics, EvaluationRequested
from headrace.trainer.domain import Decision, Impossible, State
from headrace.trainer.scheduling import after_loss
from headrace.trainer.worker.jobs import Evaluated, Failure, Outcome


@dataclass(frozen=True)
class Evaluation:
    """A comparison that the registry has asked for."""

    evaluation: str
    model: str
    request: Mapping[str, Any]
    state: State = State.QUEUED
    attempt: int = 0
    begun: bool = False
    outcome: Mapping[str, Any] | None = None

    def started(self) -> "Decision[Evaluation]":
        """It has a worker."""
        if self.state is not State.QUEUED:
            raise Impossible(f"evaluation {self.evaluation} cannot be started: it is {self.state}")
        return Decision(replace(self, state=State.RUNNING, attempt=1))

    def heard(self, outcome: Outcome | None) -> "Decision[Evaluation]":
        """A worker told how it went; what is lost is tried again, a few times."""
        if self.state is not State.RUNNING:
            raise Impossible(f"evaluation {self.evaluation} cannot be worked on: it is {self.state}")
        if isinstance(outcome, Evaluated):
            return self.completed(outcome)
        if isinstance(outcome, Failure) and outcome.because == "lost" and after_loss(self.attempt) == "resume":
            return Decision(replace(self, attempt=self.attempt + 1, begun=False))
        return self.failed(outcome.reason) if isinstance(outcome, Failure) else Decision(self)

    def completed(self, found: Evaluated) -> "Decision[Evaluation]":
        """It has its numbers."""
        asked = EvaluationRequested.model_validate(self.request)
        fact = EvaluationCompleted(
            evaluation=self.evaluation,
            model=self.model,
            candidate=asked.candidate.version,
            champion=asked.champion.version if asked.champion else None,
            dataset=asked.dataset,
            rows=found.rows,
            metrics=EvaluationMetrics(candidate=found.candidate, champion=found.champion),
            comparisons=list(found.comparisons),
            compared_rows=found.compared_rows,
            baselines=list(found.baselines),
            incomparable=found.incomparable,
        )
        return Decision(self._over(State.COMPLETED, found.model_dump(mode="json")), (fact,))

    def failed(self, reason: str) -> "Decision[Evaluation]":
        """It cannot be done."""
        over = self._over(State.FAILED, {"reason": reason})
        candidate = EvaluationRequested.model_validate(self.request).candidate.version
        fact = EvaluationFailed(evaluation=self.evaluation, model=self.model, candidate=candidate, reason=reason)
        return Decision(over, (fact,))

    def abandoned(self, reason: str) -> "Decision[Evaluation]":
        """It has failed by a fault of ours; it is told as far as it can be read."""
        try:
            return self.failed(reason)
        except ValidationError:
            return Decision(self._over(State.FAILED, {"reason": reason}))

    def _over(self, state: State, outcome: Mapping[str, Any]) -> "Evaluation":
        if self.state.ended:
            raise Impossible(f"evaluation {self.evaluation} cannot end: it is {self.state} already")
        return replace(self, state=state, outcome=outcome)
