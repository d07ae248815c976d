"""A task and a metric that nobody else knows, added from this file alone, from the declaration to the window.

A count is a whole number from 0 on; its model answers with the rate, and with the whole number next to it.
"""

import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import (
    Column,
    ContractError,
    EvaluationCompleted,
    Gate,
    KnownColumn,
    KnownDataset,
    Options,
    Part,
    PredictionLogged,
    Signature,
    Tensor,
    VersionRegistered,
    decode,
)
from headrace.inference import protocol, record
from headrace.inference.route_table import Loaded
from headrace.monitor.measurement import measure
from headrace.monitor.sample import packed, sample_of
from headrace.monitor.tables import LoggedRow
from headrace.registry.gates import judge
from headrace.registry.policy import Policy
from headrace.runtimes import load
from headrace.tasks import (
    METRICS,
    NO_OPTIONS,
    TASKS,
    BadTarget,
    BadTruth,
    Metric,
    Ops,
    Outputs,
    Score,
    Target,
    Task,
    Trivial,
    Watched,
    examine,
    parse_declaration,
    target_of,
    value,
)
from headrace.tasks.base import numbers
from headrace.tasks.metrics.base import mean_of
from headrace.testkit import a
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.jobs import Data, EvaluateJob, Rival, TrainJob
from headrace.trainer.worker.training import train

T = TypeVar("T")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
COLUMNS = [Column(name="x", type="number", nullable=False), Column(name="shop", type="string", nullable=False)]


@dataclass(frozen=True)
class CountTarget(Target):
    """Whole numbers from 0 on."""

    task: ClassVar[str] = "count"
    exact: ClassVar[frozenset[str]] = frozenset({"many"})  # type: ignore[misc]

    def outputs(self) -> list[Tensor]:
        """The expected count, and whether it is above one."""
        return [
            Tensor(name="rate", datatype="FP64", shape=[-1]),
            Tensor(name="many", datatype="BOOL", shape=[-1], labels=[False, True]),
        ]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """Never below a thousandth."""
        found, least = ops.double(ops.column(raw, 0)), ops.number(0.001)
        rate = ops.where(ops.less(found, least), least, found)
        return {"rate": rate, "many": ops.pick(ops.whole(ops.less(ops.number(1.0), rate)), [False, True])}

    def unsure(self, outputs: Outputs) -> np.ndarray:
        """Rates that float32 cannot tell from one."""
        return np.asarray(np.abs(outputs["rate"] - 1) < 1e-5)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The counts themselves."""
        return values.astype(np.float64)

    def read(self, value: Any) -> float:
        """A whole number from 0 on, or the text of one."""
        text = str(value)
        if not text.isdecimal() or isinstance(value, bool):
            raise BadTruth(f"{value!r} is no count")
        return float(text)

    def score(self, outputs: Outputs) -> Score | None:
        """The rate."""
        return Score("rate", numbers(outputs["rate"])) if "rate" in outputs else None

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The mean count."""
        return [Trivial(np.full(rows, known.mean()), f"the mean count, {known.mean():.3g}")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The rate."""
        return Watched("numeric", numbers(outputs["rate"])) if "rate" in outputs else None


class Count(Task):
    """How many."""

    name = "count"
    about = "how many"
    estimators = "regressor"
    scores = frozenset({"rate"})
    usual = ("poisson_deviance",)
    decisive = ("poisson_deviance", 1e-9)
    pipeline_tag = "tabular-regression"

    def takes(self, column: KnownColumn) -> bool:
        """Only by its name: other columns are left to the tasks that were there before."""
        return column.name.endswith("_count")

    def doubt(self, column: KnownColumn) -> str | None:
        """The name says it."""
        return None

    def target_problem(self, column: KnownColumn) -> str | None:
        """Whole numbers alone."""
        return None if column.type == "integer" else f"{column.name!r} holds no counts"

    def positive_problem(self, positive: Any, column: KnownColumn | None) -> str | None:
        """There are no labels."""
        return "is not for counts"

    def learn(self, values: np.ndarray, name: str, positive: Any, options: Options = NO_OPTIONS) -> CountTarget:
        """From 0 on."""
        if (values < 0).any():
            raise BadTarget(f"target {name!r} holds numbers below 0")
        return CountTarget()

    def of(self, signature: Signature) -> CountTarget:
        """The same for every model."""
        return CountTarget()

    def bare(self, options: Options = NO_OPTIONS) -> CountTarget:
        """The same for every model."""
        return CountTarget()

    def example(self, signal: np.ndarray) -> np.ndarray:
        """More where the signal is higher."""
        return np.floor(np.exp(signal)).astype(np.int64)


def deviance(truth: np.ndarray, score: Score) -> np.ndarray:
    """Of Poisson's distribution, a row."""
    rate = score.values
    logs = np.where(truth > 0, truth * np.log(np.where(truth > 0, truth, 1) / rate), 0.0)
    return np.asarray(2 * (logs - truth + rate))


@pytest.fixture(autouse=True)
def made_up() -> Iterator[None]:
    """One line in each mapping; the task is asked before the others, as a more special one would be."""
    shown = "mean deviance of a Poisson distribution"
    metric = Metric("poisson_deviance", frozenset({"rate"}), False, shown, high=None, prepare=mean_of(deviance))
    mappings = [(cast("dict[str, Any]", TASKS), Count()), (cast("dict[str, Any]", METRICS), metric)]
    before = [dict(mapping) for mapping, _ in mappings]
    for mapping, added in mappings:
        _fill(mapping, {added.name: added, **mapping})
    yield
    for (mapping, _), entries in zip(mappings, before, strict=True):
        _fill(mapping, entries)


def _fill(mapping: dict[str, Any], entries: dict[str, Any]) -> None:
    """Entries in their order, which the choice of a task goes by."""
    mapping.clear()
    mapping.update(entries)


def shops(rows: int, seed: int) -> pd.DataFrame:
    """Visits to a shop, more where x is higher."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows).round(3)
    visits = rng.poisson(np.exp(0.8 * x + 0.3))
    return pd.DataFrame({"x": x, "shop": rng.choice(["north", "south"], rows), "visits_count": visits})


def stored(s3: S3, frame: pd.DataFrame) -> Data:
    """Rows as ingest puts them, as a dataset version."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    ref = s3.sync.put("datasets", buffer.getvalue())
    event = a_version(s3.sync, [a(Part, object=ref, rows=len(frame))])
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)


def declared(**parts: Any) -> dict[str, Any]:
    """The smallest declaration, and some parts."""
    data = {"dataset": "shops", "target": "visits_count", "groups": ["shop"]}
    return {"name": "visits", "data": data, "monitoring": {"minimum": 50, "fairness": {}}, **parts}


DATASET = KnownDataset("shops", {"x": "number", "shop": "string", "visits_count": "integer"}, 1, {"visits_count": None})


def test_a_made_up_task_is_declared_and_judged_by_its_own_metrics() -> None:
    """It is inferred from its target, brings metric, gates and estimator, and refuses what is not its own."""
    found = examine(declared(), DATASET).declaration

    assert found.task == "count"
    assert found.evaluation.metrics == ["poisson_deviance"]
    assert [(gate.metric, gate.beats) for gate in found.evaluation.gates] == [
        ("poisson_deviance", "trivial"),
        ("poisson_deviance", "champion"),
    ]
    assert (found.training.estimator or "").endswith("HistGradientBoostingRegressor")
    with pytest.raises(ContractError, match="rmse is no metric of count; known are poisson_deviance"):
        parse_declaration(declared(evaluation={"metrics": ["rmse"]}), DATASET)
    with pytest.raises(ContractError, match="'shop' holds no counts; say `task: binary`"):
        parse_declaration({"name": "m", "task": "count", "data": {"dataset": "shops", "target": "shop"}}, DATASET)


@pytest.mark.parametrize(
    ("framework", "estimator"),
    [("sklearn", "sklearn.ensemble.HistGradientBoostingRegressor"), ("lightgbm", "lightgbm.LGBMRegressor")],
)
def test_a_made_up_task_is_trained_judged_gated_served_and_watched(s3: S3, framework: str, estimator: str) -> None:
    """Preparation, fit, export, judgement, gates, answer, log and window: nothing but this file knows of counts."""
    data = stored(s3, shops(1500, 1))
    columns = ["x", "shop", "visits_count"]
    job = TrainJob(
        run=f"run-{framework}", attempt=1, model="visits", data=data, columns=columns, features=COLUMNS,
        target="visits_count", task="count", time=None, framework=framework, estimator=estimator, params={}, seed=0,
        by="random", fraction=0.3, metrics=["poisson_deviance"], created=NOW, bucket="models",
    )  # fmt: skip
    trained = train(job, s3.sync, lambda step: None)
    assert [tensor.name for tensor in trained.signature.outputs] == ["rate", "many"]

    rival = Rival(version=1, artifact=trained.artifact, learned=trained.learned)
    asked = EvaluateJob(
        evaluation="e", candidate=rival, champion=None, data=data, columns=columns, holdout=trained.holdout,
        target="visits_count", metrics=["poisson_deviance"], confidence=0.95, resamples=100, seed=0,
    )  # fmt: skip
    judged = evaluate(asked, s3.sync, lambda step: None)
    assert judged.candidate["poisson_deviance"] == pytest.approx(trained.metrics["poisson_deviance"])
    (baseline,) = judged.baselines
    assert baseline.answer.startswith("the mean count")
    assert passes(judged, "trivial")

    window, figures = watched(s3, trained, shops(400, 2))
    assert figures.metrics == pytest.approx({"poisson_deviance": window})
    assert [(each.column, each.role) for each in figures.drift][-1] == ("headrace:prediction", "prediction")
    assert figures.fairness == []


def passes(judged: Any, beats: str) -> bool:
    """Whether the registry's gates let the version through."""
    gate = Gate.model_validate({"metric": "poisson_deviance", "beats": beats})
    told = {"candidate": judged.candidate, "champion": None}
    event = a(
        EvaluationCompleted, metrics=told, comparisons=[], baselines=[each.model_dump() for each in judged.baselines]
    )
    policy = Policy((gate,), ("poisson_deviance",), 0.95, 100, 0, timedelta(days=1))
    return judge(policy, event).passed


def watched(s3: S3, trained: Any, asked: pd.DataFrame) -> tuple[float, Any]:
    """Ask as a client does, log as the inference server does, and judge as the monitor does."""
    with tempfile.TemporaryDirectory() as folder:
        graph = load(s3.sync.get_directory(trained.artifact, Path(folder) / "model"))
    loaded = Loaded(1, trained.artifact.digest, graph, trained.signature)
    body = {"inputs": [tensor("x", "FP64", asked["x"].tolist()), tensor("shop", "BYTES", asked["shop"].tolist())]}
    ask = protocol.parse(body, loaded.interface)
    outputs = loaded.answer(ask.rows)
    told, _ = protocol.answer(ask, outputs, loaded.interface, {}, {})
    assert [each["name"] for each in json.loads(told)["outputs"]] == ["rate", "many"]
    logged = list(events(loaded, ask, outputs))
    known = a(
        VersionRegistered, model="visits", digest=trained.artifact.digest, features=COLUMNS,
        reference=trained.reference, signature=trained.signature, metrics=trained.metrics,
        target="visits_count", task="count",
    )  # fmt: skip
    truths = {("p", at): str(count) for at, count in enumerate(asked["visits_count"].tolist())}
    sample = sample_of(logged, truths, target_of(known.signature))
    reference = pd.read_parquet(io.BytesIO(s3.sync.get(trained.reference)))
    declaration = examine(declared(), DATASET).declaration
    right = value(
        "poisson_deviance", asked["visits_count"].to_numpy(dtype=float), Score("rate", np.asarray(outputs["rate"]))
    )
    return right, measure(sample, declaration, known, reference, 2)


def tensor(name: str, datatype: str, values: Sequence[Any]) -> dict[str, Any]:
    """An input of a request."""
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": list(values)}


def events(loaded: Loaded, ask: Any, outputs: Any) -> Iterator[LoggedRow]:
    """What was answered, as it is written down, read from the wire and kept."""
    said = record.Prediction(
        id="p", model="visits", version=1, digest=loaded.digest, route="champion", time=NOW, received_at=NOW,
        rows=ask.rows.count, inputs=ask.rows.columns, outputs={name: each.tolist() for name, each in outputs.items()},
        caller="key:ann", latency_ms=1.0, replica="r",
    )  # fmt: skip
    for _, payload in record.encoded(said):
        event = decode(payload).data
        assert isinstance(event, PredictionLogged)
        yield LoggedRow(
            prediction_id=event.prediction_id, first_row=event.first_row or 0, route=event.route, model=event.model,
            version=1, digest=event.digest, time=event.time, rows=event.rows, data=packed(event),
        )  # fmt: skip
