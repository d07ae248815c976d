"""Rows that are judged together: held out, learned, judged and compared as wholes, from declaration to figures."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import Column, KnownDataset, Part
from headrace.contracts.catalogs import CATALOGS
from headrace.frameworks import FRAMEWORKS, LIBRARIES, BadEstimator, BadTrainingData, Recipe
from headrace.frameworks.base import EarlyStopping
from headrace.frameworks.inner import Rows
from headrace.tasks import APART, TASKS, parse_declaration
from headrace.testkit import a
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.planning import plan
from headrace.trainer.worker.content import contents, identities
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.holdout import at_random, by_time, groups_of, identity_of, since
from headrace.trainer.worker.jobs import Data, Evaluated, EvaluateJob, Rival, Trained, TrainJob
from headrace.trainer.worker.training import train

METRICS = ["ndcg", "ndcg_at_5", "map"]
TYPES = {"search": "string", "at": "integer", "x": "number", "z": "number", "grade": "integer"}
SEARCHES = KnownDataset("searches", TYPES, 1, {"grade": 4})
FEW_TREES = {"framework": "lightgbm", "params": {"n_estimators": 12, "num_leaves": 7, "num_threads": 1}}
COLUMNS = [Column(name=name, type=kind, nullable=False) for name, kind in TYPES.items()]


def searches(count: int, start: int = 0, rows: int = 6, seed: int = 1) -> pd.DataFrame:
    """Some searches, each with as many results; x tells how good a result is, and how good the search's are in all."""
    rng = np.random.default_rng(seed + start)
    height = np.repeat(rng.normal(0, 3, count), rows)  # of the search, which says nothing of the order in it
    good = rng.normal(size=count * rows)
    grade = np.clip(np.round(good + rng.normal(0, 0.4, count * rows) + 1), 0, 3).astype(int)
    frame = pd.DataFrame(
        {
            "search": np.repeat([f"s{start + at}" for at in range(count)], rows),
            "at": np.repeat(start + np.arange(count), rows),
            "x": (good + height).round(4),
            "z": height.round(4),
            "grade": grade,
        }
    )
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def stored(buckets: S3, *frames: pd.DataFrame) -> Data:
    """A dataset version with a part for each frame, as a worker is told of it."""
    parts = []
    for frame in frames:
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        parts.append(a(Part, object=buckets.sync.put("datasets", buffer.getvalue()), rows=len(frame)))
    event = a_version(buckets.sync, parts)
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)


def job(data: Data, run: str, **fields: Any) -> TrainJob:
    """A run, planned as the trainer plans it."""
    parts = {"data": {"dataset": "searches", "target": "grade", **fields.pop("columns", {"ignore": ["at"]})}}
    told = {"name": "m", "task": "ranking", "task_options": {"query": "search"}, **parts}
    declared = parse_declaration({**told, "evaluation": {"metrics": METRICS}, **fields}, SEARCHES)
    planned = vars(plan(declared, COLUMNS, {}, 0, "none"))
    return TrainJob(
        run=run, attempt=1, model="m", data=data, columns=list(TYPES), created=datetime(2026, 1, 1, tzinfo=UTC),
        bucket="models", **planned,
    )  # fmt: skip


def trained(buckets: S3, data: Data, run: str, **fields: Any) -> Trained:
    """A run in this process."""
    return train(job(data, run, **fields), buckets.sync, lambda step: None)


def met(buckets: S3, data: Data, candidate: Trained, champion: Trained | None) -> Evaluated:
    """What the evaluation finds."""
    asked = EvaluateJob(
        evaluation="e",
        candidate=Rival(version=2, artifact=candidate.artifact, learned=candidate.learned),
        champion=Rival(version=1, artifact=champion.artifact, learned=champion.learned) if champion else None,
        data=data, columns=list(TYPES), holdout=candidate.holdout, target="grade", metrics=METRICS,
        confidence=0.95, resamples=60, seed=0,
    )  # fmt: skip
    return evaluate(asked, buckets.sync, lambda step: None)


def test_a_ranking_is_planned_with_its_query_as_context() -> None:
    """Carried by requests, never learned from; its groups decide the holdout."""
    planned = job(Data.model_construct(), "r")

    assert [column.name for column in planned.features] == ["x", "z"]
    assert [column.name for column in planned.context] == ["search"]
    assert (planned.grouped_by, planned.options, planned.by) == ("search", {"query": "search"}, "random")


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=4, max_size=40), st.floats(0.1, 0.9))
def test_a_random_holdout_never_splits_a_group(names: Sequence[str | None], fraction: float) -> None:
    """A row without a group is held out or not by itself, as it would be without groups."""
    rows = pd.DataFrame({"search": pd.Series(names, dtype=object), "n": np.arange(len(names))})
    own = identities(contents(rows, ["search", "n"]))

    who = identity_of(rows, own, "search")

    groups = pd.Series(who).groupby(rows["search"].to_numpy())
    assert (groups.nunique() == 1).all()
    assert (who[rows["search"].isna()] == own[rows["search"].isna()]).all()
    assert (identity_of(rows, own, None) == own).all()


def test_a_group_that_was_held_out_is_held_out_when_it_comes_again() -> None:
    """With more rows, in another file and order, and with its name as a number that became floating point."""
    first = pd.DataFrame({"search": np.repeat(np.arange(200), 3), "n": np.arange(600)})
    again = pd.concat([first, first.assign(n=-1 - first["n"])]).sample(frac=1, random_state=2)
    again["search"] = again["search"].astype(float)

    before, after = (
        at_random(identity_of(rows, identities(contents(rows, ["search", "n"])), "search"), 0.3)
        for rows in (first, again)
    )

    assert set(first["search"][before]) == set(again["search"][after])
    assert not set(first["search"][before]) & set(first["search"][~before])


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcdef")), min_size=3, max_size=40))
def test_a_group_that_lasts_beyond_the_boundary_is_held_out_as_a_whole(rows: list[tuple[int, str]]) -> None:
    """Nothing is learned of what came later, and whoever reads the boundary finds the same rows."""
    frame = pd.DataFrame(rows, columns=["at", "search"])
    groups = groups_of(frame, "search")
    try:
        held, boundary = by_time(frame["at"], 0.3, groups)
    except ValueError:  # every group lasts to the end
        return

    assert not set(frame["search"][held]) & set(frame["search"][~held])
    assert frame["at"][~held].max() < int(boundary)
    assert (since(frame["at"], boundary, groups) == held).all()


@pytest.mark.parametrize(
    "training",
    [FEW_TREES, {"framework": "sklearn", "estimator": "sklearn.linear_model.Ridge"}],
    ids=["ranker", "ridge"],
)
def test_a_ranking_is_trained_judged_and_compared_by_whole_searches(
    buckets: S3, training: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """By a ranker or pointwise; the served graph is what is judged, with groups that it never sees."""
    old, new = stored(buckets, searches(150)), stored(buckets, searches(150), searches(60, 150))
    run = request.node.callspec.id

    champion = trained(buckets, old, f"champion-{run}", training=training)
    candidate = trained(buckets, new, f"candidate-{run}", training=training)
    found = met(buckets, new, candidate, champion)

    assert [tensor.name for tensor in candidate.signature.inputs] == ["x", "z"]
    assert [column.name for column in candidate.signature.context or []] == ["search"]
    assert candidate.signature.task_options == {"query": "search"}
    assert candidate.holdout.grouped_by == "search"
    assert candidate.holdout.rows % 6 == 0
    assert set(candidate.metrics) == set(METRICS)
    assert found.candidate == pytest.approx(candidate.metrics)
    baseline = next(each for each in found.baselines if each.metric == "ndcg")
    assert baseline.low > 0
    assert "a random order" in baseline.answer
    assert found.incomparable is None
    assert [each.metric for each in found.comparisons] == METRICS
    assert found.compared_rows is not None
    assert found.compared_rows % 6 == 0
    assert 120 <= found.compared_rows <= found.rows


def test_a_ranker_learns_the_order_in_each_search_and_no_regressor_needs_to(buckets: S3) -> None:
    """What it is told of the groups has an effect: without them the height of a search would be most of the grade."""
    frame = searches(200).assign(z=0.0)
    data = stored(buckets, frame)
    figures = {
        name: trained(buckets, data, f"by-{name}", training={**FEW_TREES, "estimator": f"lightgbm.LGBM{name}"}).metrics[
            "ndcg"
        ]
        for name in ("Ranker", "Regressor")
    }

    assert figures["Ranker"] > figures["Regressor"]


def test_a_search_of_which_the_champion_knows_a_row_is_no_honest_one(buckets: S3) -> None:
    """Half of each held-out search was learned by it: nothing is left to compare on, and that is said of searches."""
    frame = searches(150)
    champion = trained(buckets, stored(buckets, frame), "knows-all", columns={"time": "at"}, evaluation={
        "metrics": METRICS, "holdout": {"by": "time", "fraction": 0.01}})  # fmt: skip
    data = stored(buckets, frame, searches(150, rows=1, seed=9))
    candidate = trained(buckets, data, "later", columns={"time": "at"})

    found = met(buckets, data, candidate, champion)

    assert found.candidate.keys() == set(METRICS)
    assert found.incomparable is not None
    assert "held-out values of search, and 20 are the fewest to compare on" in found.incomparable


def test_rows_without_a_search_are_learned_alone_and_not_judged(buckets: S3) -> None:
    """They are told of, and one of them stops nobody."""
    frame = searches(150)
    frame["search"] = frame["search"].where(np.random.default_rng(0).random(len(frame)) > 0.05, None)

    found = trained(buckets, stored(buckets, frame), "gaps", training=FEW_TREES)

    assert set(found.metrics) == set(METRICS)
    assert any("held-out rows have no search and were not judged" in each for each in found.warnings)


def test_rows_are_put_in_groups_for_a_ranker() -> None:
    """Behind each other, in the order in which the groups were first seen; a row without one is one by itself."""
    groups = np.array([0, 1, APART, 0, 1, 0, APART])
    rows = Rows(np.arange(7.0)[:, None], np.arange(7.0), np.arange(7.0) * 2, groups)

    ordered, sizes = rows.in_groups()

    assert ordered.truth.tolist() == [0, 3, 5, 1, 4, 2, 6]
    assert ordered.seen[:, 0].tolist() == ordered.truth.tolist()
    assert ordered.weights is not None
    assert ordered.weights.tolist() == [2 * each for each in ordered.truth]
    assert sizes == [3, 2, 1, 1]
    assert Rows(rows.seen, rows.truth, None).in_groups()[1] == [1] * 7


def test_a_ranking_without_its_column_or_with_rows_kept_apart_is_refused() -> None:
    """The column may be gone from the data; a ranker does not stop by rows that would split its groups."""
    frame, features = searches(30), COLUMNS[2:4]
    told = {"options": {"query": "search"}}
    recipe = Recipe("lightgbm.LGBMRanker", {}, 0, features, "grade", "ranking", **told)  # type: ignore[arg-type]

    with pytest.raises(BadTrainingData, match="'search' is no column of the data: at, x, z, grade"):
        FRAMEWORKS["lightgbm"].fit(frame.drop(columns="search"), recipe, lambda step, of: None)
    stopping = replace(recipe, early_stopping=EarlyStopping(5, 0.2))
    with pytest.raises(BadEstimator, match="does not stop by rows that are kept apart"):
        FRAMEWORKS["lightgbm"].fit(frame, stopping, lambda step, of: None)


def test_a_holdout_tells_its_groups_and_the_way_it_was_chosen(buckets: S3) -> None:
    """By time whole searches, too; the way itself is one of those that there are."""
    found = trained(buckets, stored(buckets, searches(100)), "by-time", columns={"time": "at"}).holdout

    assert (found.by, found.column, found.grouped_by) == ("time", "at", "search")
    assert found.by in CATALOGS["holdout"].entries
    assert found.rows % 6 == 0


def test_every_framework_has_a_usual_estimator_for_every_task() -> None:
    """A ranker where there is one, else a regressor, which learns the grades themselves."""
    usual = {
        name: parse_declaration(
            {
                "name": "m", "task": "ranking", "task_options": {"query": "q"},
                "data": {"dataset": "d", "target": "t"}, "training": {"framework": name},
            }
        ).training.estimator
        for name in LIBRARIES
    }  # fmt: skip

    assert usual["lightgbm"] == "lightgbm.LGBMRanker"
    assert usual["sklearn"] == "sklearn.ensemble.HistGradientBoostingRegressor"
    assert TASKS["ranking"].estimators == "regressor"
