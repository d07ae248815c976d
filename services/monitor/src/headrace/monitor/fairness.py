"""How evenly a model treats the groups of a column: demographic parity, with its interval.

Feldman et al. (2015), Certifying and removing disparate impact, for the ratio; the difference is its twin.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headrace.contracts import FairnessPolicy, FairnessResult, NotJudged
from headrace.contracts.labels import Label
from headrace.monitor.intervals import Interval, Rates, greatest_difference, smallest_ratio

CONFIDENCE = 0.95  # of the interval that must exclude the limit
MOST = 500  # groups that are compared, the greatest first: pairs grow with the square


@dataclass(frozen=True)
class Fairness:
    """The figures per column, and the groups and columns that have none."""

    results: list[FairnessResult]
    not_judged: list[NotJudged]


def fairness_of_labels(
    outcomes: Mapping[Label, np.ndarray], groups: Mapping[str, pd.Series], policy: FairnessPolicy, minimum: int
) -> Fairness:
    """The results of each label, at a confidence that allows for the number of labels (Bonferroni).

    `outcomes` is, for each label of interest, 1 where it was the answer and 0 where not, in [rows].
    """
    confidence = 1 - (1 - CONFIDENCE) / len(outcomes)
    found = [
        fairness_of(pd.Series(answered), groups, policy, minimum, label, confidence)
        for label, answered in outcomes.items()
    ]
    return Fairness([result for each in found for result in each.results], found[0].not_judged)


def fairness_of(
    positive: pd.Series,
    groups: Mapping[str, pd.Series],
    policy: FairnessPolicy,
    minimum: int,
    label: Label | None = None,
    confidence: float = CONFIDENCE,
) -> Fairness:
    """One result per group column that has two groups of at least `minimum` rows.

    `positive` is 1 where the model answered with the label and 0 where not, in [rows]; `groups` has the values of
    each group column, in [rows].
    """
    found = Fairness([], [])
    for column, values in groups.items():
        counts = _counts(positive, values)
        enough = counts[counts["size"] >= minimum].nlargest(MOST, "size")
        found.not_judged.extend(_left_out(column, counts.drop(enough.index), minimum))
        if missing := int(values.isna().sum()):
            found.not_judged.append(NotJudged(column=column, rows=missing, reason="no value in these rows"))
        if len(enough) >= 2:
            found.results.append(_result(column, enough, policy, label, confidence))
        else:
            rows, reason = int(enough["size"].sum()), f"two groups of at least {minimum} rows are needed"
            found.not_judged.append(NotJudged(column=column, rows=rows, needed=minimum, reason=reason))
    return found


def _counts(positive: pd.Series, values: pd.Series) -> pd.DataFrame:
    """Positive answers and rows per group; groups are compared as text."""
    there = values.notna().to_numpy()
    names = values[there].map(str).to_numpy()
    return positive[there].groupby(names).agg(["sum", "size"])


def _left_out(column: str, counts: pd.DataFrame, minimum: int) -> Iterator[NotJudged]:
    for name, rows in counts["size"].items():
        reason = "too few rows" if rows < minimum else f"only the {MOST} greatest groups are compared"
        yield NotJudged(column=column, group=str(name), rows=int(rows), needed=minimum, reason=reason)


def _result(
    column: str, counts: pd.DataFrame, policy: FairnessPolicy, label: Label | None, confidence: float
) -> FairnessResult:
    rates = Rates(counts["sum"].to_numpy(np.float64), counts["size"].to_numpy(np.float64))
    measure = smallest_ratio if policy.measure == "parity_ratio" else greatest_difference
    interval = measure(rates, confidence)
    return FairnessResult(
        column=column,
        label=label,
        measure=policy.measure,
        value=round(interval.value, 6),
        low=round(interval.low, 6),
        high=round(interval.high, 6),
        limit=policy.limit,
        breached=_breached(interval, policy),
        group=str(counts.index[int(np.argmin(rates.values))]),
        groups=len(counts),
    )


def _breached(interval: Interval, policy: FairnessPolicy) -> bool:
    """Only where the whole interval lies beyond the limit: else it may well be chance."""
    return interval.high < policy.limit if policy.measure == "parity_ratio" else interval.low > policy.limit


def shortened(found: Sequence[NotJudged], most: int = 50) -> list[NotJudged]:
    """At most `most` entries; the others as one that adds their rows up."""
    if len(found) <= most:
        return [*found]
    rest = found[most - 1 :]
    reason = f"{len(rest):,} more groups and columns"
    return [*found[: most - 1], NotJudged(rows=sum(each.rows for each in rest), reason=reason)]
