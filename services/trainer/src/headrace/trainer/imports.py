"""What becomes of an import, from the wish to its end: pure, as `domain` is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from headrace.contracts import (
    DatasetRef,
    ImportCancelled,
    ImportCompleted,
    Imported,
    ImportFailed,
    ImportQueued,
    ImportRequested,
    LearnedRows,
)
from headrace.trainer.domain import Decision, Impossible, State
from headrace.trainer.scheduling import after_loss
from headrace.trainer.worker.jobs import Brought, Failure, ImportJob, Outcome

NONE, UNKNOWN = "none", "unknown"  # claims of what a model has learned from, beside DATASET@VERSION


@dataclass(frozen=True)
class DatasetPin:
    """A dataset, and one of its versions where one is meant."""

    dataset: str
    version: int | None

    @classmethod
    def parse(cls, text: str) -> "DatasetPin":
        """DATASET or DATASET@VERSION."""
        name, _, version = text.partition("@")
        return cls(name, int(version) if version else None)


@dataclass(frozen=True)
class Import:
    """One import."""

    import_id: str
    model: str
    dataset: str
    pinned: int | None
    request: Mapping[str, Any]
    requested_by: str
    declared_revision: int
    state: State = State.QUEUED
    dataset_version: int | None = None
    job: Mapping[str, Any] | None = None
    attempt: int = 0
    begun: bool = False
    started_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Mapping[str, Any] | None = None

    @property
    def asked(self) -> ImportRequested:
        """What was asked for."""
        return ImportRequested.model_validate(self.request)

    @property
    def learned(self) -> DatasetPin | None:
        """What it has learned from, as who imports it says; None where that is nothing, or not known."""
        told = self.asked.learned_from
        return None if told in (None, NONE) else DatasetPin.parse(told)

    def queued(self, waits: str) -> "Decision[Import]":
        """It is there now, or goes on, and waits for data or for a worker."""
        state = State.WAITING if waits == "data" else State.QUEUED
        asked = self.asked
        fact = ImportQueued(
            import_id=self.import_id,
            model=self.model,
            dataset=self.dataset,
            reason=asked.reason or "imported",
            waits_for=waits,
            requested_by=self.requested_by,
            source=asked.object,
            source_name=asked.source_name,
        )
        return Decision(replace(self, state=state), (fact,))

    def started(self, job: ImportJob, version: int, now: datetime, timeout: timedelta) -> "Decision[Import]":
        """It is resolved into a job, which a worker is given; all attempts together have this long."""
        self._must_be("started", State.QUEUED)
        begun = replace(self, dataset_version=version, started_at=now, due_at=now + timeout, state=State.RUNNING)
        return Decision(begun.again(job))

    def again(self, job: ImportJob) -> "Import":
        """With the next attempt set up: under a new name, with objects of its own."""
        attempt = self.attempt + 1
        told = job.model_copy(update={"attempt": attempt}).model_dump(mode="json")
        return replace(self, attempt=attempt, begun=False, job=told)

    def heard(self, outcome: Outcome | None, datasets: Sequence[DatasetRef], now: datetime) -> "Decision[Import]":
        """A worker told how it went; what is lost is tried again, a few times.

        `datasets` are what judges it, and what it has learned from where somebody says so.
        """
        self._must_be("worked on", State.RUNNING)
        if isinstance(outcome, Brought):
            return self.completed(outcome, datasets, now)
        if isinstance(outcome, Failure) and outcome.because == "lost" and after_loss(self.attempt) == "resume":
            return Decision(self.again(ImportJob.model_validate(self.job)))
        return self.failed(outcome, now) if isinstance(outcome, Failure) else Decision(self)

    def late(self, now: datetime) -> "Decision[Import]":
        """It has failed where it still runs and its time is over."""
        if self.state is not State.RUNNING or self.due_at is None or now < self.due_at:
            return Decision(self)
        reason = f"not done by {self.due_at}; HEADRACE_TRAINER_IMPORT_TIMEOUT gives more time"
        return self.failed(Failure(because="timeout", reason=reason), now)

    def completed(self, brought: Brought, datasets: Sequence[DatasetRef], now: datetime) -> "Decision[Import]":
        """It can answer here."""
        self._must_be("completed", State.RUNNING)
        fact = self._completed(brought, datasets, now)
        return Decision(self._over(State.COMPLETED, brought.model_dump(mode="json"), now), (fact,))

    def failed(self, failure: Failure, now: datetime) -> "Decision[Import]":
        """It cannot, for a reason that who asked can read."""
        fact = ImportFailed(
            import_id=self.import_id,
            model=self.model,
            kind=failure.because,
            reason=failure.reason,
            source_name=self.asked.source_name,
            requested_by=self.requested_by,
            warnings=list(failure.warnings),
        )
        return Decision(self._over(State.FAILED, failure.model_dump(mode="json"), now), (fact,))

    def cancelled(self, reason: str, by: str, now: datetime) -> "Decision[Import]":
        """Somebody ends it; whatever works for it is stopped as soon as this is known to be so. Once is enough."""
        if self.state is State.CANCELLED:
            return Decision(self)
        fact = ImportCancelled(
            import_id=self.import_id, model=self.model, source_name=self.asked.source_name, by=by, reason=reason
        )
        return Decision(
            self._over(State.CANCELLED, {"because": "cancelled", "reason": f"{reason} ({by})"}, now), (fact,)
        )

    def abandoned(self, reason: str, now: datetime) -> "Decision[Import]":
        """It has failed by a fault of ours; nothing of it is read any more, since that may be what fails."""
        fact = ImportFailed(
            import_id=self.import_id, model=self.model, kind="code", reason=reason, requested_by=self.requested_by
        )
        over = self._over(State.FAILED, Failure(because="code", reason=reason).model_dump(mode="json"), now)
        return Decision(over, (fact,))

    def _completed(self, brought: Brought, datasets: Sequence[DatasetRef], now: datetime) -> ImportCompleted:
        started, asked, job = self.started_at or now, self.asked, ImportJob.model_validate(self.job)
        same = {
            name: getattr(brought, name)
            for name in (
                *("artifact", "signature", "features", "holdout", "metrics", "reference", "framework", "estimator"),
                *("code_version", "packages", "python"),
            )
        }
        return ImportCompleted(
            import_id=self.import_id,
            model=self.model,
            imported=self._imported(brought, asked),
            target=job.target,
            dataset=datasets[0],
            learned_from=datasets[1] if len(datasets) > 1 else None,
            learned=LearnedRows(**brought.learned.model_dump()) if brought.learned else None,
            declared_revision=self.declared_revision,
            started_at=started,
            seconds=(now - started).total_seconds(),
            reason=asked.reason or "imported",
            requested_by=self.requested_by,
            warnings=list(brought.warnings),
            **{**same, "features": list(brought.features)},
        )

    def _imported(self, brought: Brought, asked: ImportRequested) -> Imported:
        return Imported(
            import_id=self.import_id,
            format=brought.format,
            source=brought.source,
            source_name=asked.source_name,
            producer=brought.producer,
            largest_difference=brought.largest_difference,
            compared_rows=brought.compared_rows,
            differing_rows=brought.differing_rows,
            claim=asked.learned_from or UNKNOWN,
            claimed_by=self.requested_by,
        )

    def _over(self, state: State, outcome: Mapping[str, Any], now: datetime) -> "Import":
        if self.state.ended:
            raise Impossible(f"import {self.import_id} cannot end: it is {self.state} already")
        return replace(self, state=state, outcome=outcome, ended_at=now)

    def _must_be(self, step: str, state: State) -> None:
        if self.state is not state:
            raise Impossible(f"import {self.import_id} cannot be {step}: it is {self.state}, not {state}")
