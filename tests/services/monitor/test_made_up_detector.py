"""A drift detector that nobody else knows, added from this file alone: from the declaration to a window's finding."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import ContractError, DriftDetected, Window
from headrace.detectors import DETECTORS
from headrace.detectors.base import Detector, Floats
from headrace.monitor.domain import Figures, findings
from headrace.monitor.drift import FEATURE, drift_of, pairs_of, share
from headrace.tasks import parse_declaration

START = datetime(2026, 1, 5, tzinfo=UTC)
MEDIAN = Detector(
    name="median_shift",
    about="difference of the medians, in interquartile ranges of the reference",
    kinds=frozenset({"numeric"}),
    limit=0.5,
    p_value=False,
    measure=lambda before, after: shift(before, after),
)


def shift(before: Floats, after: Floats) -> float:
    """How far the middle has moved."""
    low, middle, high = np.quantile(before, [0.25, 0.5, 0.75])
    return float(abs(np.median(after) - middle) / (high - low))


@pytest.fixture(autouse=True)
def made_up() -> Iterator[None]:
    """The one line that a detector takes, undone after the test."""
    detectors = cast("dict[str, Detector]", DETECTORS)
    detectors[MEDIAN.name] = MEDIAN
    yield
    del detectors[MEDIAN.name]


def declaration(**drift: Any) -> dict[str, Any]:
    """A model whose drift is watched by it."""
    watched = {"drift": {"numeric": {"method": "median_shift"}, **drift}, "minimum": 50}
    return {"name": "m", "task": "binary", "data": {"dataset": "d", "target": "y"}, "monitoring": watched}


@pytest.mark.parametrize("moved", [0.0, 2.0])
def test_a_window_is_judged_by_it(moved: float) -> None:
    """Its score, its limit and its name stand in the window, and drift is found where the column moved."""
    declared = parse_declaration(declaration())
    rng = np.random.default_rng(3)
    before, after = (pd.DataFrame({"x": rng.normal(by, 1, 500)}) for by in (0.0, moved))

    found, _ = drift_of(pairs_of(before, after, ["x"], FEATURE), declared.monitoring.drift, 50)
    figures = Figures(
        model="m", version=1, route="champion", window=Window(number=1, start=START, end=START + timedelta(hours=1)),
        versions=[1], predictions=500, truths=0, newest=START, drift=found, drift_share=share(found), metrics={},
        reference={}, fairness=[], not_judged=[],
    )  # fmt: skip

    assert [(each.method, each.limit, each.drifted) for each in found] == [("median_shift", 0.5, moved > 0)]
    facts = [each.event for each in findings(figures, declared)]
    assert [fact.columns for fact in facts if isinstance(fact, DriftDetected)] == ([["x"]] if moved else [])


@pytest.mark.parametrize(
    ("drift", "told"),
    [
        ({"numeric": {"method": "median_shif"}}, "did you mean 'median_shift'"),
        ({"categorical": {"method": "median_shift"}}, "median_shift does not fit categorical columns"),
    ],
)
def test_it_is_checked_when_it_is_declared(drift: dict[str, Any], told: str) -> None:
    """As those that were there before: by its name, and by the columns that it fits."""
    with pytest.raises(ContractError, match=told):
        parse_declaration(declaration(**drift))
