"""A fit that is judged before it is done: asked for its answers so far, on rows that it does not learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from headrace.frameworks import FRAMEWORKS, EarlyStopping, OnTheWay, Recipe
from headrace.frameworks.fitting import PipelinePredictor
from headrace.tasks import Target

from .test_asked import WIND, rows

TASKS = {
    "binary": ("late", "Classifier"),
    "multiclass": ("third", "Classifier"),
    "regression": ("minutes", "Regressor"),
}
Seen = list[tuple[int, int, Mapping[str, np.ndarray]]]


def data(count: int = 600, seed: int = 1) -> Any:
    """Rows with a target of three labels as well."""
    frame = rows(count, seed)
    return frame.assign(third=np.array(["low", "mid", "top"])[np.digitize(frame["minutes"], [4, 10])])


def recipe(task: str, trees: int, way: OnTheWay | None = None, **told: Any) -> Recipe:
    """So many trees of LightGBM."""
    target, kind = TASKS[task]
    estimator, params = f"lightgbm.LGBM{kind}", {"n_estimators": trees, "num_leaves": 5}
    return Recipe(estimator, params, 1, WIND, target, task, on_the_way=way, **told)


def fit(asked: Recipe) -> Any:
    """The fitted model, as it answers."""
    return PipelinePredictor.of(FRAMEWORKS["lightgbm"].fit(data(), asked, lambda step, of: None))


@pytest.mark.parametrize("task", TASKS)
def test_what_is_told_on_the_way_is_what_a_shorter_fit_answers(task: str) -> None:
    """In the outputs of the task, for the rows that were given."""
    asked, seen = data(50, seed=2), Seen()

    def judge(done: int, of: int, target: Target, outputs: Mapping[str, np.ndarray]) -> None:
        assert target.score(dict(outputs)) is not None
        seen.append((done, of, outputs))

    fit(recipe(task, 8, OnTheWay(asked, lambda of: {2, of // 2}, judge)))

    assert [(done, of) for done, of, _ in seen] == [(2, 8), (4, 8)]
    for done, _, outputs in seen:
        short = fit(recipe(task, done)).predict({each.name: asked[each.name] for each in WIND})
        assert outputs.keys() == short.keys()
        for name, values in short.items():
            if values.dtype.kind == "f":
                assert outputs[name] == pytest.approx(values, abs=1e-6)
            else:
                assert (outputs[name] == values).mean() > 0.9


def test_being_asked_changes_nothing_of_the_fit() -> None:
    """The whole fit answers as one that nobody asked."""
    asked = data(50, seed=2)
    way = OnTheWay(asked, lambda of: set(range(1, of)), lambda *told: None)

    one, other = (fit(recipe("binary", 6, each)).predict(asked) for each in (way, None))

    assert (one["probability"] == other["probability"]).all()


def test_the_whole_fit_is_not_asked_on_its_way() -> None:
    """It is judged when it is over."""
    seen: list[int] = []
    way = OnTheWay(data(20), lambda of: range(of + 1), lambda done, *told: seen.append(done))

    fit(recipe("binary", 3, way))

    assert seen == [1, 2]


def test_whoever_judges_may_end_the_fit() -> None:
    """What is raised comes out of the fit as it is."""

    class EnoughError(Exception):
        pass

    def judge(done: int, *told: Any) -> None:
        raise EnoughError(str(done))

    with pytest.raises(EnoughError, match="2"):
        fit(recipe("binary", 6, OnTheWay(data(20), lambda of: {2}, judge)))


def test_it_is_asked_beside_early_stopping() -> None:
    """Trees count from the first one; the rows that are watched may be the ones that judge."""
    seen: list[int] = []
    way = OnTheWay(data(20), lambda of: {1, 3}, lambda done, *told: seen.append(done))

    fit(recipe("binary", 40, way, early_stopping=EarlyStopping(5, 0.2)))

    assert seen[0] == 1


def test_several_fits_of_one_model_are_not_asked() -> None:
    """Each level of a quantile regression knows a part of the answer."""
    seen: list[int] = []
    way = OnTheWay(data(20), lambda of: range(of), lambda done, *told: seen.append(done))
    asked = Recipe(
        "lightgbm.LGBMRegressor", {"n_estimators": 3}, 1, WIND, "minutes", "quantiles",
        options={"quantiles": [0.1, 0.9]}, on_the_way=way,
    )  # fmt: skip

    fit(asked)

    assert seen == []


def test_a_framework_that_cannot_be_asked_fits_as_ever() -> None:
    """It is as if nobody had asked."""
    way = OnTheWay(data(20), lambda of: range(of), lambda *told: pytest.fail("asked"))
    asked = Recipe("sklearn.linear_model.Ridge", {}, 1, WIND, "minutes", "regression", on_the_way=way)

    FRAMEWORKS["sklearn"].fit(data(), asked, lambda step, of: None)
