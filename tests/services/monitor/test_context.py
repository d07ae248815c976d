"""Columns that are known with a prediction and never learned from: logged, and watched."""

from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column, FairnessBreached, ModelDeclared, WindowEvaluated
from headrace.testkit import Harness, a
from headrace.testkit.builders import a_declaration
from headrace.testkit.s3 import S3

from .conftest import DECLARATION, MARCH, answer_day, logged, rows, trained, two

REGION = Column(name="region", type="string", nullable=True)


async def watch(on: Harness, s3: S3, groups: list[str]) -> None:
    """A model whose groups are no features."""
    document = {**DECLARATION, "data": {**DECLARATION["data"], "groups": groups}}
    sample = rows(4000, 0).assign(region=np.resize(["north", "south"], 4000))
    await on.say(a(ModelDeclared, name="flights", revision=1, declaration=a_declaration(**document)))
    await on.say(trained(s3, reference=sample, signature=two().model_copy(update={"context": [REGION]})))
    await on.quiet()


async def answer(on: Harness, probability: list[float], **context: list[Any]) -> None:
    """A day's answers, and the one after it."""
    count = len(probability)
    await on.say(logged("p1", MARCH, rows(count, 4), probability, context=context))
    await answer_day(on, 1)


async def test_a_group_that_is_no_feature_is_watched(on: Harness, s3: S3) -> None:
    """It was silently left out; now it is compared, and its drift is shown beside the features'."""
    await watch(on, s3, ["region"])
    regions = ["north", "south"] * 300

    await answer(on, [0.9 if region == "north" else 0.1 for region in regions], region=regions)

    unfair = (await on.heard(FairnessBreached)).data
    said = (await on.heard(WindowEvaluated)).data
    assert (unfair.column, unfair.group, unfair.value) == ("region", "south", 1.0)
    assert unfair.low is not None
    assert unfair.low > unfair.limit
    assert {each.column: each.role for each in said.drift}["region"] == "context"


async def test_drift_of_a_context_column_is_shown_and_counts_as_no_feature(on: Harness, s3: S3) -> None:
    """The share is of what the model looks at."""
    await watch(on, s3, ["region"])

    await answer(on, [0.9, 0.1] * 300, region=["west"] * 600)

    said = (await on.heard(WindowEvaluated)).data
    assert {each.column: each.drifted for each in said.drift}["region"] is True
    assert said.drift_share == 0


async def test_a_group_that_no_request_carried_says_so(on: Harness, s3: S3) -> None:
    """And names what to do."""
    await watch(on, s3, ["region", "carrier"])

    await answer(on, [0.9, 0.1] * 300)

    said = (await on.heard(WindowEvaluated)).data
    assert [each.column for each in said.fairness] == ["carrier"]
    assert [(each.column, each.rows) for each in said.not_judged] == [("region", 0)]
    assert "send it with the features" in said.not_judged[0].reason


async def test_a_group_with_too_few_rows_is_listed_with_its_count(on: Harness, s3: S3) -> None:
    """The least number of rows holds for each group."""
    await watch(on, s3, ["region"])
    regions = ["north"] * 300 + ["south"] * 280 + ["west"] * 20

    await answer(on, [0.9, 0.1] * 300, region=regions)

    said = (await on.heard(WindowEvaluated)).data
    assert [(each.column, each.group, each.rows, each.needed) for each in said.not_judged] == [
        ("region", "west", 20, 30)
    ]


async def test_a_column_with_too_few_values_has_no_drift(on: Harness, s3: S3) -> None:
    """Enough rows in the window are not enough: 20 of 600 rows have wind."""
    await watch(on, s3, ["carrier"])
    inputs = rows(600, 4).assign(wind=[50.0] * 20 + [None] * 580)
    await on.say(logged("p1", MARCH, pd.DataFrame(inputs), [0.9, 0.1] * 300))
    await answer_day(on, 1)

    said = (await on.heard(WindowEvaluated)).data
    assert "wind" not in {each.column for each in said.drift}
    assert ("wind", 20, 100) in [(each.column, each.rows, each.needed) for each in said.not_judged]


async def test_a_time_that_is_a_feature_never_drifts(on: Harness, s3: S3) -> None:
    """Time moves on by itself: it is learned from, and left out of what is compared."""
    sample = rows(4000, 0).assign(at=pd.date_range("2026-01-01", periods=4000, freq="min", tz="UTC"))
    version = trained(s3, reference=sample)
    at = Column(name="at", type="timestamp", nullable=True)
    await on.say(a(ModelDeclared, name="flights", revision=1, declaration=a_declaration(**DECLARATION)))
    await on.say(version.model_copy(update={"features": [*version.features, at]}))
    await on.quiet()

    inputs = rows(600, 4).assign(at=[f"2026-03-01T{hour % 24:02}:00:00Z" for hour in range(600)])
    await on.say(logged("p1", MARCH, inputs, [0.9, 0.1] * 300))
    await answer_day(on, 1)

    said = (await on.heard(WindowEvaluated)).data
    assert {each.column for each in said.drift} >= {"wind", "hour", "carrier"}
    assert "at" not in {each.column for each in (*said.drift, *said.not_judged)}
