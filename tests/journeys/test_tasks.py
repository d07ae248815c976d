"""Every task from a file to a judged window: what the data hold decides it, and labels keep their type all the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from headrace.client.errors import Rejected
from headrace.tasks import FITTED, TASKS, target_of
from headrace.testkit.sample_data import START

World = Any
ASKED = 60  # rows of the window that is judged


@dataclass(frozen=True)
class Case:
    """One data set, and what must come of it."""

    task: str
    frame: pd.DataFrame
    labels: Sequence[Any]
    outputs: Sequence[str]
    data: dict[str, Any]
    told: dict[str, Any] | None = None
    """The options of the task, by which it is known."""
    training: dict[str, Any] | None = None
    """What fits it, where that is no forest."""
    known: int = 0
    """The rows before those that are asked for whose truth a request carries."""

    @property
    def name(self) -> str:
        """Of the model and of its dataset."""
        return f"{self.task}-journey"

    @property
    def request(self) -> pd.DataFrame:
        """The rows of a request; the last ones are asked for."""
        return self.frame.tail(self.known + ASKED) if self.known else self.frame.head(ASKED)


def _frame(load: Any, target: Any) -> pd.DataFrame:
    """scikit-learn's rows in an order of chance, with a group that is no feature."""
    bunch = load(as_frame=True)
    frame = bunch.data.iloc[:, :8].rename(columns=lambda name: name.replace(" ", "_").replace("/", "_per_"))
    chance = np.random.default_rng(0)
    frame = frame.assign(
        target=[target(each) for each in bunch.target], plant=chance.choice(["east", "west"], len(frame))
    )
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def _in_visits(frame: pd.DataFrame) -> pd.DataFrame:
    """Six rows each, which are put in order among themselves."""
    return frame.assign(visit=[f"visit-{at // 6}" for at in range(len(frame))])


def _days() -> pd.DataFrame:
    """Sixty days of twenty stores with a level each and a week, the newest last."""
    days, stores = pd.date_range("2025-03-01", periods=60), 20
    frame = pd.DataFrame({"day": np.repeat(days, stores), "store": [f"s{at}" for at in range(stores)] * len(days)})
    level = 50 + 5 * np.tile(np.arange(stores), len(days))
    week = 10 * np.sin(2 * np.pi * frame["day"].dt.day_of_week / 7)
    noise = np.random.default_rng(2).normal(0, 1, len(frame))
    return frame.assign(day=frame["day"].dt.strftime("%Y-%m-%dT00:00:00Z"), target=level + week + noise)


def cases() -> dict[str, Case]:
    """Text labels of three kinds, truth values with a named positive one, and numbers."""
    wines = ("barolo", "grignolino", "barbera")
    groups = {"groups": ["plant"]}
    return {
        "multiclass": Case(
            "multiclass", _frame(load_wine, lambda each: wines[each]), sorted(wines), ("label", "probabilities"), groups
        ),
        "binary": Case(
            "binary", _frame(load_breast_cancer, bool), (True, False), ("label", "probability"),
            {**groups, "positive": False},
        ),
        "regression": Case("regression", _frame(load_diabetes, float), (), ("prediction",), {"context": ["plant"]}),
        "quantiles": Case(
            "quantiles", _frame(load_diabetes, float), (), ("prediction", "quantiles", "lower", "upper"),
            {"context": ["plant"]}, {"quantiles": [0.1, 0.5, 0.9]}, {"params": {"max_iter": 30, "max_leaf_nodes": 6}},
        ),
        "ranking": Case(
            "ranking", _in_visits(_frame(load_breast_cancer, lambda each: 2 * int(each))), (), ("score",),
            {"context": ["plant"]}, {"query": "visit"}, {"framework": "lightgbm", "params": {"n_estimators": 30}},
        ),
        "forecasting": Case(
            "forecasting", _days(), (), ("prediction", "naive", "scale"), {},
            {"time": "day", "series": ["store"], "horizon": 3}, {"params": {"max_iter": 30}}, known=160,
        ),
    }  # fmt: skip


CASES = cases()


def test_the_cases_are_those_of_the_mapping() -> None:
    """A new task has its journey; one that is fitted by no library has one of its own."""
    assert set(CASES) == set(FITTED)


@pytest.mark.parametrize("task", CASES)
def test_a_task_is_lived_from_a_file_to_a_judged_window(world: World, task: str) -> None:
    """Inferred, trained, judged by its own metrics, gated, served, asked in three ways, told the truth, and watched."""
    case = CASES[task]
    world.upload(case.name, case.frame)
    world.client.apply(declaration(case))
    assert world.wait("model.declared", name=case.name).data["declaration"]["task"] == task

    registered = world.wait("version.registered", model=case.name, version=1).data
    world.wait("rollout.completed", model=case.name, version=1)
    usual = list(TASKS[task].usual)
    evaluated = world.wait("evaluation.completed", model=case.name).data
    assert set(evaluated["metrics"]["candidate"]) == set(usual)
    assert {each["metric"] for each in evaluated["baselines"]} >= {usual[0]}
    assert registered["task"] == registered["signature"]["task"] == task
    options = registered["signature"].get("task_options")
    assert options is case.told or case.told.items() <= options.items()

    asked = case.request
    answer = ask(world, case, asked, hour=1)
    assert [each["name"] for each in answer["outputs"]] == list(case.outputs)
    check_labels(case, answer, registered)

    check_refused(world, case, asked)

    said = report(world, case, asked, answer)
    assert said["accepted"] == ASKED
    ask(world, case, asked.head(1), hour=5)
    window = world.wait("window.evaluated", model=case.name, truths=ASKED).data
    assert set(window["metrics"]) == set(usual)
    check_watched(case, window)
    check_other_ways(world, case, asked, answer)  # last: they count when they arrive, which ends every earlier window


def declaration(case: Case) -> dict[str, Any]:
    """The task is left to the data, or to its options, and everything that follows from it too."""
    watched = {"every": "PT1H", "minimum": 30}
    forest = {"estimator": "sklearn.ensemble.RandomForest" + kind(case), "params": {"n_estimators": 30}}
    fairness = {"fairness": {"minimum": 10, "limit": 1.0}} if "groups" in case.data else {}
    return {
        "kind": "Model",
        "name": case.name,
        "data": {"dataset": case.name, "target": "target", **case.data},
        **({"task_options": case.told} if case.told else {}),
        "training": case.training or forest,
        "serving": {"strategy": "direct", "bake": "PT0S"},
        "monitoring": {**watched, **fairness},
    }


def kind(case: Case) -> str:
    """The end of the estimator's name."""
    return TASKS[case.task].estimators.capitalize()


def check_refused(world: World, case: Case, asked: pd.DataFrame) -> None:
    """Where rows tell of each other, a request that lacks some is refused with the row that cannot be answered."""
    if not case.known:
        return
    sent = columns(case, asked)
    with pytest.raises(Rejected, match=r"is asked for, but the history of store 's0' has no value") as refused:
        world.client.predict(case.name, {name: values[40:] for name, values in sent.items()})
    assert refused.value.status == 400


def columns(case: Case, asked: pd.DataFrame) -> dict[str, list[Any]]:
    """The features, the group as context, and the truth of what is known; JSON has null for what is not."""
    if not case.known:
        return {name: asked[name].tolist() for name in asked if name != "target"}
    truth = [value if at < case.known else None for at, value in enumerate(asked["target"].tolist())]
    return {**{name: asked[name].tolist() for name in asked}, "target": truth}


def ask(world: World, case: Case, asked: pd.DataFrame, hour: int) -> Any:
    """Ask at an hour of event time, by the V2 protocol."""
    moment = START + timedelta(days=400, hours=hour)
    return world.wait_until_good(lambda: world.client.predict(case.name, columns(case, asked), time=moment.isoformat()))


def values(answer: Any, name: str) -> np.ndarray:
    """An output in its shape."""
    output = next(each for each in answer["outputs"] if each["name"] == name)
    return np.array(output["data"], dtype=object).reshape(output["shape"])


def check_labels(case: Case, answer: Any, registered: Any) -> None:
    """Each label has the type that the data have, and the probability says of which label it is."""
    target = target_of(_signature(registered))
    assert list(target.labels) == list(case.labels)
    if not case.labels:
        return
    assert {type(each) for each in values(answer, "label").tolist()} == {type(case.labels[0])}
    assert set(values(answer, "label").tolist()) <= set(case.labels)
    told = next(each["parameters"] for each in answer["outputs"] if each["name"] != "label")
    assert told == ({"label": case.labels[1]} if case.task == "binary" else {"labels": list(case.labels)})
    if case.task == "multiclass":
        shares = values(answer, "probabilities").astype(float)
        assert shares.shape == (ASKED, len(case.labels))
        assert shares.sum(axis=1) == pytest.approx(np.ones(ASKED), abs=1e-5)


def _signature(registered: Any) -> Any:
    from headrace.contracts import Signature

    return Signature.model_validate(registered["signature"])


def check_other_ways(world: World, case: Case, asked: pd.DataFrame, answer: Any) -> None:
    """MLflow's protocol, and rows by the client, which reads text by the signature: the same answers."""
    first = case.outputs[0]
    sent = columns(case, asked)
    rows = [list(row) for row in zip(*sent.values(), strict=True)]
    body = {"dataframe_split": {"columns": list(sent), "data": rows}}
    scored = world.client.http.json("POST", "inference", f"/invocations?model={case.name}", json=body)["predictions"]
    plain = [each[first] if isinstance(each, dict) else each for each in scored]
    assert plain == values(answer, first).tolist()

    told = list(world.client.predict_rows(case.name, world.csv(pd.DataFrame(sent), f"{case.name}.csv")))
    assert [each["outputs"][first] for each in told] == values(answer, first).tolist()
    last = case.outputs[-1]
    assert np.allclose(
        np.array([each["outputs"][last] for each in told], dtype=float),
        values(answer, last).astype(float),
        equal_nan=True,
    )


def report(world: World, case: Case, asked: pd.DataFrame, answer: Any) -> Any:
    """What really happened, with its own type; what is none of it is refused with what would be right."""
    prediction = answer["parameters"]["prediction_id"]
    labels = [
        {"prediction_id": f"{prediction}:{at}", "value": each}
        for at, each in enumerate(asked["target"].tolist())
        if at >= case.known
    ]
    wrong = [{"prediction_id": f"{prediction}:0", "value": "nothing of the kind"}]
    with pytest.raises(Exception, match="none of the model's labels" if case.labels else "is no (number|grade)"):
        world.client.truth(case.name, wrong)
    return world.wait_until_good(lambda: world.client.truth(case.name, labels), lambda said: said["accepted"] == ASKED)


def check_watched(case: Case, window: Any) -> None:
    """The answers drift as the task has them, and every label of interest is compared between the groups."""
    (drift,) = [each for each in window["drift"] if each["role"] == "prediction"]
    assert drift["kind"] == ("categorical" if case.task == "multiclass" else "numeric")
    compared = [each["label"] for each in window["fairness"]]
    interesting = {"multiclass": list(case.labels), "binary": [False]}
    assert compared == interesting.get(case.task, [])
