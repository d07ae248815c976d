"""A framework that nobody else knows, added from this file alone: from the declaration to the window."""

import io
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from headrace.contracts import Column, ContractError, Declaration, Part, VersionRegistered
from headrace.contracts.estimators import FrameworkInfo, framework_info, frameworks
from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.catalog import CATALOG, Entry
from headrace.frameworks.errors import BadEstimator
from headrace.frameworks.fitting import fit_pipeline, save_model
from headrace.frameworks.preparation import for_distances
from headrace.monitor.measurement import Measured, measure
from headrace.monitor.sample import Sample
from headrace.runtimes import Columns, load
from headrace.tasks import parse_declaration, target_of, value
from headrace.testkit import a
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.jobs import Data, EvaluateJob, Rival, TrainJob
from headrace.trainer.worker.training import train

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PATH = "gently.Logistic"
COLUMNS = [Column(name="wind", type="number", nullable=False), Column(name="hour", type="number", nullable=False)]


class Answering:
    """What a saved model answers."""

    def __init__(self, folder: Path) -> None:
        self._model = load(folder)
        self.signature = self._model.signature

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """The outputs by name."""
        return dict(self._model.answer(columns))


class Gently:
    """Fits one estimator."""

    name = "gently"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Its name and its one parameter."""
        if estimator != PATH or params.keys() - {"strength"}:
            raise BadEstimator(f"{estimator} cannot be fitted with {dict(params)}")

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """In one step."""
        self.check(recipe.estimator, recipe.params)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: LogisticRegression(C=params.get("strength", 1.0)),
            lambda _: for_distances(),
        )
        progress(1, 1)
        return fitted

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """The graph alone."""
        return save_model(self.name, fitted, folder, about, {}, ["scikit-learn"])

    def load(self, folder: Path) -> Answering:
        """The graph again."""
        return Answering(folder)


def entry() -> dict[str, Any]:
    """Its estimators, as `make schemas` writes them down."""
    strength = {"allowed": [{"type": "number", "low": 0.0, "low_open": True}], "default": 1.0}
    estimator = {"kind": "classifier", "needs": {}, "params": {"strength": strength}, "cannot": {}}
    return {
        "version": "1.0",
        "usual": {"classifier": PATH, "regressor": PATH},
        "estimators": {PATH: estimator},
        "refused": {},
    }


FRAMEWORK = Gently()


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The one line that a framework takes, and what `make schemas` makes of it; undone after the test."""
    line = Entry(__name__, __name__, "scikit-learn", PATH, PATH)
    monkeypatch.setitem(sys.modules, __name__, cast("Any", SimpleNamespace(FRAMEWORK=FRAMEWORK, entry=entry)))
    catalog, known = cast("dict[str, Entry]", CATALOG), cast("dict[str, FrameworkInfo]", frameworks())
    catalog["gently"], known["gently"] = line, framework_info(line.listed())
    yield
    del catalog["gently"], known["gently"]


def declared(**training: Any) -> Declaration:
    """A model that it trains."""
    data = {"dataset": "flights", "target": "late"}
    document = {"name": "m", "task": "binary", "data": data, "training": {"framework": "gently", **training}}
    return parse_declaration({**document, "monitoring": {"minimum": 50}})


def flights(rows: int, seed: int) -> pd.DataFrame:
    """Late where the wind is strong."""
    rng = np.random.default_rng(seed)
    wind, hour = rng.normal(size=rows).round(3), rng.integers(0, 24, rows).astype(float)
    return pd.DataFrame({"wind": wind, "hour": hour, "late": (wind + rng.normal(0, 0.5, rows) > 0).astype(int)})


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"framework": "gentle"}, "did you mean 'gently'"),
        ({"estimator": "gently.Logistik"}, "gently.Logistic"),
        ({"params": {"strenght": 2}}, "strength"),
        ({"params": {"strength": "much"}}, "training.params.strength"),
    ],
)
def test_what_it_does_not_know_is_refused_when_it_is_declared(training: dict[str, Any], told: str) -> None:
    """Framework, estimator, parameter and value, each with its place or the nearest right name."""
    with pytest.raises(ContractError, match=told):
        declared(**training)


def test_it_is_trained_judged_served_and_watched(s3: S3, tmp_path: Path) -> None:
    """Declaration, fit, export, judgement, answer and window: nothing but this file knows of it."""
    declaration = declared(params={"strength": 0.5})
    assert declaration.training.estimator == PATH
    data, columns = stored(s3, flights(1200, 1)), ["wind", "hour", "late"]
    job = TrainJob(
        run="run-1", attempt=1, model="m", data=data, columns=columns, features=COLUMNS, target="late", task="binary",
        time=None, framework="gently", estimator=PATH, params=declaration.training.params, seed=0, by="random",
        fraction=0.3, metrics=["roc_auc"], created=NOW, bucket="models",
    )  # fmt: skip

    trained = train(job, s3.sync, lambda step: None)
    rival = Rival(version=1, artifact=trained.artifact, learned=trained.learned)
    judged = evaluate(
        EvaluateJob(
            evaluation="e", candidate=rival, champion=None, data=data, columns=columns, holdout=trained.holdout,
            target="late", metrics=["roc_auc"], confidence=0.95, resamples=100, seed=0,
        ),
        s3.sync,
        lambda step: None,
    )  # fmt: skip
    assert judged.candidate["roc_auc"] == pytest.approx(trained.metrics["roc_auc"])
    assert judged.candidate["roc_auc"] > 0.8

    asked = flights(400, 2)
    known = a(
        VersionRegistered, model="m", digest=trained.artifact.digest, features=COLUMNS, reference=trained.reference,
        signature=trained.signature, metrics=trained.metrics, target="late", task="binary",
    )  # fmt: skip
    figures, right = watched(s3, known, s3.sync.get_directory(trained.artifact, tmp_path), asked, declaration)
    assert figures.metrics["roc_auc"] == pytest.approx(right)
    assert {each.column for each in figures.drift} == {"wind", "hour", "headrace:prediction"}


def stored(s3: S3, frame: pd.DataFrame) -> Data:
    """Rows as ingest puts them."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    ref = s3.sync.put("datasets", buffer.getvalue())
    event = a_version(s3.sync, [a(Part, object=ref, rows=len(frame))])
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)


def watched(
    s3: S3, known: VersionRegistered, folder: Path, asked: pd.DataFrame, declaration: Declaration
) -> tuple[Measured, float]:
    """A window of answers with their truths, as the monitor judges it; and the right figure."""
    inputs, truth, target = asked[["wind", "hour"]], asked["late"].to_numpy(dtype=float), target_of(known.signature)
    outputs = load(folder).answer({name: inputs[name].tolist() for name in inputs})
    answers = pd.DataFrame({name: values.tolist() for name, values in outputs.items()})
    sample = Sample(inputs, pd.DataFrame(index=inputs.index), answers, truth, target)
    assert known.reference is not None
    reference = pd.read_parquet(io.BytesIO(s3.sync.get(known.reference)))
    score = target.score(sample.answers)
    assert score is not None
    return measure(sample, declaration, known, reference, 2), value("roc_auc", truth, score)
