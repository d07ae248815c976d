"""Candidate and champion are compared on rows that neither has learned from, whatever changed between them."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from headrace.contracts import ANSWER_COLUMN, Column, Part
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.worker.content import contents, identities
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.jobs import Data, Evaluated, EvaluateJob, Rival, Trained, TrainJob
from headrace.trainer.worker.training import train
from headrace.trainer.worker.truth import BadTruth

FOREST = ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 20})  # learns rows by heart
COLUMNS = [
    Column(name="at", type="integer", nullable=False),
    Column(name="x", type="number", nullable=False),
    Column(name="z", type="number", nullable=False),
]
Put = Callable[..., Part]


def population(rows: int = 800, seed: int = 1, start: int = 0) -> pd.DataFrame:
    """Rows in order of `at` whose label depends on x, with so much chance that nobody can foretell 0.75 of AUC."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows).round(3), rng.normal(size=rows).round(3)
    return pd.DataFrame(
        {"at": start + np.arange(rows), "x": x, "z": z, "y": (x + rng.normal(0, 3, rows) > 0).astype(int)}
    )


@pytest.fixture
def put(world: Any) -> Put:
    """A frame as ingest would have put it."""

    def stored(frame: pd.DataFrame) -> Part:
        return world.ingested(frame).part  # type: ignore[no-any-return]

    return stored


def data(buckets: S3, parts: list[Part]) -> Data:
    """A dataset version of the parts, as a worker is told of it."""
    event = a_version(buckets.sync, parts)
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)


def trained(buckets: S3, parts: list[Part], run: str, **fields: Any) -> Trained:
    """A run on the parts, in this process."""
    estimator, params = fields.pop("estimator", FOREST)
    told = {
        "features": COLUMNS[1:],
        "columns": ["at", "x", "y", "z"],
        "target": "y",
        "task": "binary",
        "time": None,
        "seed": 0,
        "by": "random",
        "fraction": 0.25,
        "metrics": ["roc_auc"],
    }
    job = TrainJob(
        run=run,
        attempt=1,
        model="m",
        data=data(buckets, parts),
        framework="sklearn",
        estimator=estimator,
        params=params,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        bucket="models",
        **{**told, **fields},
    )
    return train(job, buckets.sync, lambda step: None)


def met(buckets: S3, parts: list[Part], candidate: Trained, champion: Trained | None, **fields: Any) -> Evaluated:
    """What the evaluation of two runs on the candidate's data finds."""
    told = {
        "columns": ["at", "x", "y", "z"],
        "target": "y",
        "metrics": ["roc_auc"],
        "confidence": 0.95,
        "resamples": 50,
        "seed": 0,
    }
    rival = Rival(version=1, artifact=champion.artifact, learned=champion.learned) if champion else None
    job = EvaluateJob(
        evaluation="e",
        candidate=Rival(version=2, artifact=candidate.artifact, learned=candidate.learned),
        data=data(buckets, parts),
        holdout=fields.pop("holdout", candidate.holdout),
        champion=fields.pop("rival", rival),
        **{**told, **fields},
    )
    return evaluate(job, buckets.sync, lambda step: None)


def again(*frames: pd.DataFrame) -> pd.DataFrame:
    """The same rows and some more, in another order: what a snapshot that replaces another one holds."""
    return pd.concat(frames).sample(frac=1, random_state=7).reset_index(drop=True)


OLD, MORE = population(), population(200, seed=2, start=800)
BEFORE = population(800, seed=3, start=-800)
CHANGES: dict[str, tuple[list[pd.DataFrame], dict[str, Any], dict[str, Any]]] = {
    "snapshot": ([again(OLD, MORE)], {}, {}),
    "append": ([OLD, MORE], {}, {}),
    "seed": ([OLD, MORE], {}, {"seed": 5}),
    "larger fraction": ([OLD], {}, {"fraction": 0.5}),
    "smaller fraction": ([OLD], {}, {"fraction": 0.15}),
    "backfill": ([BEFORE, OLD], {"by": "time", "time": "at"}, {"by": "time", "time": "at", "fraction": 0.5}),
    "random to time": ([OLD, MORE], {}, {"by": "time", "time": "at"}),
    "time to random": ([OLD, MORE], {"by": "time", "time": "at"}, {}),
    "fewer features": ([OLD, MORE], {}, {"features": COLUMNS[1:2]}),
    "rows dated anew": ([OLD.assign(at=OLD["at"] + 10_000), MORE], {}, {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_champion_is_never_judged_on_rows_that_it_has_learned(change: str, buckets: S3, put: Put) -> None:
    """A forest that knows rows by heart shows no more than chance allows: an honest figure of it, on honest rows."""
    frames, before, after = CHANGES[change]
    old, new = [put(OLD)], [put(frame) for frame in frames]
    champion = trained(buckets, old, f"champion-{change}", **before)

    candidate = trained(buckets, new, f"candidate-{change}", **after)
    found = met(buckets, new, candidate, champion)

    assert found.incomparable is None
    (compared,) = found.comparisons
    assert compared.champion < 0.75
    assert found.compared_rows is not None
    assert 20 <= found.compared_rows <= found.rows


def test_without_the_learned_rows_the_champion_would_have_won_by_heart(buckets: S3, put: Put) -> None:
    """What the test above would find if the comparison went by the holdout alone: the case is a real one."""
    champion = trained(buckets, [put(OLD)], "by-heart")
    candidate = trained(buckets, [put(OLD)], "by-heart-later", by="time", time="at")
    nothing = champion.learned.model_copy(update={"object": buckets.sync.put("models", b"", key="nothing.u64")})

    found = met(buckets, [put(OLD)], candidate, champion.model_copy(update={"learned": nothing}))

    assert found.comparisons[0].champion > 0.85


def test_where_no_honest_row_is_left_it_says_so_and_what_to_do(buckets: S3, put: Put) -> None:
    """The candidate has its own figures all the same."""
    by_time = {"by": "time", "time": "at"}
    champion = trained(buckets, [put(OLD)], "all-seen", **by_time, fraction=0.01)
    older = [put(OLD.head(700))]
    candidate = trained(buckets, older, "all-seen-later", **by_time)

    found = met(buckets, older, candidate, champion)

    assert not found.comparisons
    assert found.candidate.keys() == {"roc_auc"}
    assert found.incomparable is not None
    assert "version 1 has learned from all but 0 of the 175 held-out rows" in found.incomparable


def test_a_candidate_is_never_judged_on_rows_that_it_has_learned_either(buckets: S3, put: Put) -> None:
    """On a dataset version that is newer than its own, as where a run on older data ended later."""
    older, newer = [put(OLD)], [put(again(OLD, MORE))]
    candidate = trained(buckets, older, "older-data", by="time", time="at")
    newest = trained(buckets, newer, "newer-data")

    found = met(buckets, newer, candidate, newest, holdout=newest.holdout)

    assert found.rows < newest.holdout.rows
    assert found.candidate["roc_auc"] < 0.75
    assert found.incomparable is None
    assert found.comparisons[0].candidate < 0.75


def test_a_candidate_that_has_learned_every_row_cannot_be_judged_there(buckets: S3, put: Put) -> None:
    """The error says what to do."""
    run = trained(buckets, [put(OLD)], "every-row", by="time", time="at", fraction=0.01)
    elsewhere = run.holdout.model_copy(update={"boundary": "0"})
    part = [put(OLD.head(300))]

    with pytest.raises(BadTruth, match="none that version 2 has not learned from; train it anew"):
        met(buckets, part, run, None, holdout=elsewhere)


@pytest.mark.parametrize("rename", [{"z": "z2"}, {}], ids=["renamed", "dropped"])
def test_a_champion_that_needs_a_column_that_is_gone_is_named_with_it(
    rename: dict[str, str], buckets: S3, put: Put
) -> None:
    """Not a failed evaluation: the candidate is judged alone."""
    champion = trained(buckets, [put(OLD)], f"needs-z-{len(rename)}")
    frame = OLD.rename(columns=rename) if rename else OLD.drop(columns="z")
    features = [COLUMNS[1], *(Column(name=name, type="number", nullable=False) for name in rename.values())]
    columns = sorted(frame.columns)
    new = [put(frame)]
    candidate = trained(buckets, new, f"without-z-{len(rename)}", features=features, columns=columns)

    found = met(buckets, new, candidate, champion, columns=columns)

    assert found.candidate["roc_auc"] > 0.5
    assert found.incomparable is not None
    assert "version 1 has learned from column z, which the dataset version no longer has" in found.incomparable


def test_a_champion_of_unknown_origin_is_not_compared(buckets: S3, put: Put) -> None:
    """Nobody can say that it has not learned from these rows."""
    run = trained(buckets, [put(OLD)], "unknown-origin")
    stranger = Rival(version=1, artifact=run.artifact)

    found = met(buckets, [put(OLD)], run, None, rival=stranger)

    assert found.incomparable is not None
    assert found.incomparable.startswith("nobody knows which rows version 1 has learned from")


def test_a_champion_with_other_labels_is_not_compared(buckets: S3, put: Put) -> None:
    """Labels that were renamed, and another positive class."""
    champion = trained(buckets, [put(OLD)], "labels-before")
    renamed = [put(OLD.assign(y=OLD["y"].map({0: "no", 1: "yes"})))]
    other = trained(buckets, renamed, "labels-after")
    swapped = trained(buckets, [put(OLD)], "labels-swapped", positive=0)

    assert "cannot answer for these rows: its labels are 0, 1, not 'no'" in str(
        met(buckets, renamed, other, champion).incomparable
    )
    assert "another label positive" in str(met(buckets, [put(OLD)], swapped, champion).incomparable)


def test_the_trivial_answer_is_the_share_of_what_was_learned(buckets: S3, put: Put) -> None:
    """Beside the candidate on all its held-out rows, with the interval of the paired difference."""
    rows = population(2000).assign(y=lambda f: (f["x"] > 0.5).astype(int))
    run = trained(buckets, [put(rows)], "trivial", metrics=["roc_auc", "accuracy", "average_precision"])

    found = met(buckets, [put(rows)], run, None, metrics=["roc_auc", "accuracy", "average_precision"])

    auc, accuracy, precision = found.baselines
    assert (auc.metric, auc.trivial) == ("roc_auc", 0.5)
    assert 0 < auc.low <= auc.difference <= auc.high
    assert accuracy.trivial == pytest.approx(1 - precision.trivial)
    assert auc.answer.startswith("the share of 1, 0.3")


def test_noise_does_not_beat_the_trivial_answer(buckets: S3, put: Put) -> None:
    """A first version that knows nothing: its interval holds nought."""
    rng = np.random.default_rng(11)
    noise = population(1000).assign(y=rng.integers(0, 2, 1000))
    run = trained(buckets, [put(noise)], "noise")

    (auc,) = met(buckets, [put(noise)], run, None).baselines

    assert auc.low < 0 < auc.high


def test_a_regression_beats_or_misses_the_mean(buckets: S3, put: Put) -> None:
    """Errors are lower where the candidate is better."""
    rng = np.random.default_rng(5)
    rows = population(600).assign(y=lambda f: f["x"] * 3 + rng.normal(0, 0.1, 600))
    estimator = ("sklearn.linear_model.LinearRegression", {})
    run = trained(buckets, [put(rows)], "mean", task="regression", metrics=["rmse", "r2"], estimator=estimator)

    rmse, r2 = met(buckets, [put(rows)], run, None, metrics=["rmse", "r2"]).baselines

    assert rmse.trivial == pytest.approx(3, rel=0.2)
    assert rmse.low > 2
    assert r2.trivial == pytest.approx(0, abs=0.05)
    assert rmse.answer.startswith("the mean, ")


def test_predictions_of_the_reference_are_of_rows_that_were_not_learned(buckets: S3, put: Put) -> None:
    """Their ROC AUC is that of the holdout; of learned rows the forest's would be nearly one."""
    parts = [put(OLD)]
    run = trained(buckets, parts, "reference")

    reference = pd.read_parquet(io.BytesIO(buckets.sync.get(run.reference)))
    answered = reference.dropna(subset=[ANSWER_COLUMN])
    assert (len(reference), len(answered)) == (800, run.holdout.rows)
    assert roc_auc_score(answered["y"], answered[ANSWER_COLUMN]) == pytest.approx(run.metrics["roc_auc"])


def test_a_column_that_is_read_as_another_type_keeps_its_rows() -> None:
    """Whole numbers with a first missing value are floating point to pandas; the other rows are the same rows."""
    whole = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [True, False, True]})
    holed = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": ["x", "y", "z", None], "c": [True, False, True, None]})

    assert (contents(whole, ["a", "b", "c"]) == contents(holed, ["a", "b", "c"])[:3]).all()


def test_equal_rows_are_rows_of_their_own_in_any_order() -> None:
    """Three of a kind are three identities, and the same three wherever they stand."""
    rows = pd.DataFrame({"a": [1, 2, 1, 1], "b": list("pqpp")})

    first = identities(contents(rows, ["a", "b"]))
    other = identities(contents(rows.sample(frac=1, random_state=3), ["b", "a"]))

    assert len(set(first.tolist())) == 4
    assert set(first.tolist()) == set(other.tolist())


def test_instants_are_the_same_in_every_zone_and_unit() -> None:
    """A time is an instant, however it is written down."""
    utc = pd.DataFrame({"t": pd.to_datetime(["2026-01-01T12:00:00Z", None])})
    there = pd.DataFrame({"t": utc["t"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ms, Asia/Tokyo]")})

    assert (contents(utc, ["t"]) == contents(there, ["t"])).all()
