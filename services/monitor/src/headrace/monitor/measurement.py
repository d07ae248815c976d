"""From a version's answers in a window to its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from headrace.contracts import (
    ANSWER_COLUMN,
    ColumnDrift,
    Declaration,
    FairnessResult,
    NotJudged,
    VersionRegistered,
)
from headrace.contracts.cells import TIMESTAMP
from headrace.monitor.drift import CONTEXT, FEATURE, PREDICTION, Pair, drift_of, pairs_of, share
from headrace.monitor.fairness import Fairness, fairness_of_labels, shortened
from headrace.monitor.quality import quality_of
from headrace.monitor.sample import Sample
from headrace.tasks import task_named


@dataclass(frozen=True)
class Measured:
    """What a sample shows of its version."""

    drift: list[ColumnDrift]
    drift_share: float | None
    metrics: dict[str, float]
    fairness: list[FairnessResult]
    not_judged: list[NotJudged]


def measure(
    sample: Sample,
    declared: Declaration,
    known: VersionRegistered | None,
    reference: pd.DataFrame | None,
    threads: int,
) -> Measured:
    """Drift against the reference, quality against the truth, fairness over the declared groups."""
    policy, minimum = declared.monitoring.drift, declared.monitoring.minimum
    drift, without = drift_of(_pairs(sample, declared, known, reference), policy, minimum, threads=threads)
    fairness = _fairness(sample, declared)
    return Measured(
        drift=drift,
        drift_share=share(drift),
        metrics=quality_of(sample, declared.evaluation.metrics, minimum),
        fairness=fairness.results,
        not_judged=shortened([*_unheard(sample, known), *without, *fairness.not_judged]),
    )


def _unheard(sample: Sample, known: VersionRegistered | None) -> list[NotJudged]:
    """What concerns the whole version."""
    unknown = "the version is not known here: no drift, no promise"
    without = "the version was registered without a reference sample: no drift"
    unread = "their truths are none that the model can have; report them again"
    reason = unknown if known is None else without if known.reference is None else None
    version = [NotJudged(rows=len(sample.inputs), reason=reason)] if reason else []
    version += [
        NotJudged(
            column=name, rows=len(sample.inputs), reason="no request carried the column; answers are judged by it"
        )
        for name in sample.target.beside
        if name not in sample.beside
    ]
    if sample.target.judged_by is not None:
        told = f"metrics are {sample.target.judged_by}, which only the trainer runs: no figures of quality"
        version.append(NotJudged(rows=sample.truths, reason=told))
    return version + ([NotJudged(rows=sample.unread, reason=unread)] if sample.unread else [])


def _pairs(
    sample: Sample, declared: Declaration, known: VersionRegistered | None, reference: pd.DataFrame | None
) -> list[Pair]:
    if known is None or reference is None:
        return []
    features = [column.name for column in known.features if column.type != TIMESTAMP]  # time always moves on
    watched = [*declared.data.groups, *(column.name for column in known.signature.context or [])]
    keys = task_named(sample.target.task).keys(sample.target.options)  # new keys are no drift
    without = {*(each.name for each in known.features), *keys}
    context = [name for name in dict.fromkeys(watched) if name not in without]
    return [
        *pairs_of(reference, sample.inputs, features, FEATURE),
        *pairs_of(reference, sample.context, context, CONTEXT),
        *_answers(sample, reference),
    ]


def _answers(sample: Sample, reference: pd.DataFrame) -> list[Pair]:
    """The model's answers beside those for rows that it has not learned from."""
    watched = sample.watched
    if watched is None or ANSWER_COLUMN not in reference:
        return []
    before = reference[ANSWER_COLUMN].dropna()
    return [Pair(ANSWER_COLUMN, PREDICTION, before, pd.Series(watched.values), watched.kind)]


def _fairness(sample: Sample, declared: Declaration) -> Fairness:
    policy, outcomes = declared.monitoring.fairness, sample.outcomes
    if policy is None or not outcomes:
        return Fairness([], [])
    found = {name: _group(sample, name) for name in declared.data.groups}
    missing = [name for name, values in found.items() if values is None]
    there = {name: values for name, values in found.items() if values is not None}
    fairness = fairness_of_labels(outcomes, there, policy, policy.minimum)
    return Fairness(fairness.results, [*_never_sent(missing, policy.minimum), *fairness.not_judged])


def _group(sample: Sample, name: str) -> pd.Series | None:
    """A group column among what was asked with: the features first, then the context."""
    frame = sample.inputs if name in sample.inputs else sample.context
    found: pd.Series | None = frame.get(name)
    return found


def _never_sent(columns: Sequence[str], minimum: int) -> list[NotJudged]:
    reason = "no request carried the column; send it with the features"
    return [NotJudged(column=name, rows=0, needed=minimum, reason=reason) for name in columns]
