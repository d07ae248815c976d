"""How evenly a model treats the groups of a column: demographic parity.

Feldman et al. (2015), Certifying and removing disparate impact, for the ratio; the difference is its twin.
"""

from collections.abc import Sequence

import pandas as pd

from headrace.contracts import FairnessPolicy, FairnessResult

FEWEST = 30  # rows of a group below which its rate says nothing


def fairness_of(rows: pd.DataFrame, groups: Sequence[str], policy: FairnessPolicy) -> list[FairnessResult]:
    """One result per group column that was logged and has two groups of enough rows."""
    found = [_column(rows, column, policy) for column in groups if column in rows and "label" in rows]
    return [each for each in found if each is not None]


def _column(rows: pd.DataFrame, column: str, policy: FairnessPolicy) -> FairnessResult | None:
    grouped = rows.groupby(column, observed=True)["label"].agg(["mean", "size"])
    rates = grouped.loc[grouped["size"] >= FEWEST, "mean"]
    if len(rates) < 2:
        return None
    highest, lowest = float(rates.max()), float(rates.min())
    if policy.measure == "parity_ratio":
        value = lowest / highest if highest else 1.0
        breached = value < policy.limit
    else:
        value = highest - lowest
        breached = value > policy.limit
    return FairnessResult(
        column=column,
        measure=policy.measure,
        value=round(value, 6),
        limit=policy.limit,
        breached=breached,
        group=str(rates.idxmin()),
    )
