"""Judge a candidate: alone, against the answer that needs no model, and against the champion where that is honest."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from headrace.code.scratch import scratch
from headrace.contracts import Artifact, Baseline, Comparison, Holdout
from headrace.objects import SyncObjectStore
from headrace.runtimes import Model
from headrace.runtimes import load as load_model
from headrace.tasks import BadTruth, Score, Trivial, compare, target_of, whole_groups
from headrace.tasks import Compared as MetricComparison
from headrace.trainer.worker.content import unpacked
from headrace.trainer.worker.holdout import at_random, groups_of, identity_of, since
from headrace.trainer.worker.jobs import Evaluated, EvaluateJob, Rival, Step, Tell
from headrace.trainer.worker.judging import Asked, Judge, judge_of
from headrace.trainer.worker.reading import Rows, read_rows
from headrace.trainer.worker.truth import Said, ask, columns_asked, truth_of

FEWEST_ROWS = 20  # that neither has learned from: below, an interval says nothing
_HOLDOUT, _CANDIDATE, _CHAMPION = "holdout", "candidate", "champion"  # whose columns rows are known by

_GONE = "which the dataset version no longer has, so that it can neither answer nor be compared"


class Incomparable(ValueError):
    """Candidate and champion cannot be compared honestly; the message says why. What to do the registry says."""


@dataclass(frozen=True)
class _Judged:
    """The held-out rows, what is true of them, and what the candidate says."""

    said: Said
    truth: np.ndarray

    @property
    def score(self) -> Score:
        """What the candidate says, as metrics take it."""
        return self.said.score

    def those(self, chosen: np.ndarray) -> "_Judged":
        """Some of the rows alone, by a mask."""
        return _Judged(self.said.those(chosen), self.truth[chosen])


@dataclass(frozen=True)
class _Case:
    """What an evaluation has before it: the rows, and the models as they would serve."""

    job: EvaluateJob
    store: SyncObjectStore
    rows: Rows
    candidate: Model
    champion: Model | None
    judge: Judge

    def unlearned(self, rival: Rival, name: str) -> np.ndarray:
        """The mask of the rows that a model has not learned from, by their content."""
        if rival.learned is None:
            raise Incomparable(
                f"nobody knows which rows version {rival.version} has learned from; it was imported without "
                "--learned-from, which says so"
            )
        if name not in self.rows.identity:
            missing = sorted(set(rival.learned.columns) - set(self.job.columns))
            raise Incomparable(f"version {rival.version} has learned from {_listed(missing)}, {_GONE}")
        unknown = ~np.isin(self.rows.identity[name], unpacked(self.store.get(rival.learned.object)))
        return whole_groups(unknown, groups_of(self.rows.frame, self.job.holdout.grouped_by))


def evaluate(job: EvaluateJob, store: SyncObjectStore, tell: Tell) -> Evaluated:
    """Run the job: the artifacts that would serve are judged, in the runtimes that they are served with."""
    with ExitStack() as loaded:
        own = loaded.enter_context(scratch("headrace-evaluation-"))
        folder = store.get_directory(job.candidate.artifact, own / "model")
        candidate = loaded.enter_context(closing(load_model(folder)))
        judge = judge_of(candidate, folder, job.target)
        champion = loaded.enter_context(closing(load(store, job.champion.artifact))) if job.champion else None
        return _evaluate(job, store, tell, candidate, champion, judge)


def _evaluate(
    job: EvaluateJob, store: SyncObjectStore, tell: Tell, candidate: Model, champion: Model | None, judge: Judge
) -> Evaluated:
    rows = read_rows(store, job.data, _columns(job, candidate, champion), job.target, tell, _known_by(job))
    case = _Case(job, store, rows, candidate, champion, judge)
    held = held_out(job.holdout, rows)
    judged = held & (case.unlearned(job.candidate, _CANDIDATE) if job.candidate.learned else True)
    if not judged.any():
        raise BadTruth(
            f"of {held.sum()} held-out rows of the dataset version there is none that version {job.candidate.version} "
            "has not learned from; train it anew on this dataset version"
        )
    tell(Step(stage="scoring", step=0, of=1, message=f"{judged.sum()} rows"))
    return _judge(case, held, judged)


def _judge(case: _Case, held: np.ndarray, judged: np.ndarray) -> Evaluated:
    """The candidate alone, and beside the champion where there is one and it is honest."""
    job, candidate = case.job, case.candidate
    every = _judged(job, candidate, ask(candidate, case.rows.frame, judged))
    mine = every.those(every.said.answered)
    beside = target_of(candidate.signature).trivial_beside(mine.said.outputs)
    alone = Evaluated(
        rows=len(mine.truth),
        candidate=case.judge.measured(job.metrics, mine.truth, mine.said),
        champion=None,
        comparisons=(),
        baselines=_baselines(job, mine, [*_trivial(case, held, len(mine.truth)), *beside]),
    )
    if job.champion is None or case.champion is None:
        return alone
    try:
        honest = case.unlearned(job.champion, _CHAMPION)
        return alone.model_copy(update=_met(case, job.champion, case.champion, every, judged, honest))
    except Incomparable as error:
        return alone.model_copy(update={"incomparable": str(error)})


def held_out(holdout: Holdout, rows: Rows) -> np.ndarray:
    """The mask of the rows that a holdout describes."""
    if holdout.by == "time":
        groups = groups_of(rows.frame, holdout.grouped_by)
        return since(rows.frame[holdout.column], holdout.boundary or "", groups)
    if holdout.fraction >= 1:  # a dataset that is there for nothing else
        return np.ones(len(rows.frame), dtype=bool)
    return at_random(identity_of(rows.frame, rows.identity[_HOLDOUT], holdout.grouped_by), holdout.fraction)


def load(store: SyncObjectStore, artifact: Artifact) -> Model:
    """What an artifact answers with."""
    with scratch("headrace-evaluation-") as folder:
        return load_model(store.get_directory(artifact, folder / "model"))


def _judged(job: EvaluateJob, candidate: Model, said: Said) -> _Judged:
    return _Judged(said, truth_of(candidate, said.rows[job.target]))


def _columns(job: EvaluateJob, candidate: Model, champion: Model | None) -> list[str]:
    """What both models take, of the champion's only what there is, and what finds the holdout."""
    wanted = {*columns_asked(candidate), job.target}
    wanted |= {*target_of(candidate.signature).beside, job.holdout.column or job.target}
    met = set(columns_asked(champion)) if champion else set()
    return sorted(wanted | (met & set(job.columns)) | {job.holdout.grouped_by or job.target})


def _known_by(job: EvaluateJob) -> dict[str, Sequence[str]]:
    """The columns by which rows are known to the holdout, and to what each model has learned from."""
    known: dict[str, Sequence[str]] = {}
    if job.holdout.by == "random":
        known[_HOLDOUT] = job.holdout.columns or []
    for name, rival in ((_CANDIDATE, job.candidate), (_CHAMPION, job.champion)):
        if rival and rival.learned and set(rival.learned.columns) <= set(job.columns):
            known[name] = rival.learned.columns
    return known


def _met(
    case: _Case, rival: Rival, champion: Model, every: _Judged, judged: np.ndarray, honest: np.ndarray
) -> dict[str, Any]:
    """Candidate and champion on the honest rows, as the fields of an outcome."""
    job, mine, theirs = case.job, target_of(case.candidate.signature), target_of(champion.signature)
    needed = set(columns_asked(champion))
    if missing := sorted(needed - set(every.said.rows.columns)):
        raise Incomparable(f"version {rival.version} needs {_listed(missing)}, {_GONE}")
    known = every.said.answered
    chosen = known & honest[every.said.at]
    if (units := every.score.at(chosen).units) < FEWEST_ROWS:
        told = "rows" if mine.grouped_by is None else f"values of {mine.grouped_by}"
        raise Incomparable(
            f"version {rival.version} has learned from all but {units} of the {every.score.at(known).units} held-out "
            f"{told}, and {FEWEST_ROWS} are the fewest to compare on"
        )
    try:
        said = ask(champion, case.rows.frame, judged if every.said.together else judged & honest, case.candidate)
        answers = mine.aligned(theirs, said.score.values)
    except BadTruth as error:
        raise Incomparable(f"version {rival.version} cannot answer for these rows: {error}") from error
    if every.said.together:  # asked the same questions, of which each may leave some unanswered
        chosen &= said.answered
        answers = answers[chosen]
    own = every.those(chosen)
    met = replace(said.those(said.answered) if every.said.together else said, score=own.score.saying(answers))
    comparisons = _comparisons(case, own, met)
    if not comparisons:
        raise Incomparable(f"no metric has a value on the {len(own.truth)} rows that neither has learned from")
    return {
        "champion": case.judge.measured(job.metrics, own.truth, met),
        "comparisons": comparisons,
        "compared_rows": len(own.truth),
    }


def _comparisons(case: _Case, own: _Judged, met: Said) -> list[Comparison]:
    job = case.job
    found = case.judge.compared(job.metrics, own.truth, own.said, met, Asked(job.confidence, job.resamples, job.seed))
    return [Comparison(**vars(each)) for each in found if _finite(vars(each))]


def _baselines(job: EvaluateJob, judged: _Judged, answers: Sequence[Trivial]) -> list[Baseline]:
    """The candidate beside each answer that needs no model."""
    found = [(vars(_compare(job, name, judged, each)), each.words) for each in answers for name in job.metrics]
    return [
        Baseline(trivial=told["champion"], answer=words, **{k: v for k, v in told.items() if k != "champion"})
        for told, words in found
        if _finite(told)
    ]


def _compare(job: EvaluateJob, metric: str, judged: _Judged, trivial: Trivial) -> MetricComparison:
    return compare(metric, judged.truth, judged.score, judged.score.saying(trivial.score), **_asked(job))


def _trivial(case: _Case, held: np.ndarray, rows: int) -> list[Trivial]:
    """What can be answered without a model, by the rows that could be learned from.

    Where all rows are there to judge, it is by these: no constant can answer them better.
    """
    known = case.rows.frame if held.all() else case.rows.frame[~held]
    if known.empty:
        return []
    truth = truth_of(case.candidate, known[case.job.target])
    return target_of(case.candidate.signature).trivial(truth, rows, _last(case, known, truth))


def _last(case: _Case, known: pd.DataFrame, truth: np.ndarray) -> float | None:
    """The newest truth before the held-out rows, where they are the newest; the mean of several at one time."""
    times = known[case.job.holdout.column] if case.job.holdout.by == "time" else None
    if times is None or times.isna().all():
        return None
    return float(truth[np.asarray((times == times.max()).fillna(False), dtype=bool)].mean())


def _asked(job: EvaluateJob) -> dict[str, Any]:
    return {"confidence": job.confidence, "resamples": job.resamples, "seed": job.seed}


def _finite(compared: Mapping[str, Any]) -> bool:
    """A metric without a value, such as the ROC AUC of one class, is no figure."""
    return all(np.isfinite(value) for value in compared.values() if isinstance(value, float))


def _listed(names: Sequence[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {', '.join(names)}"
