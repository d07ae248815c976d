"""What a declaration asks of every framework by the same names: weights, monotone answers, and to stop in time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column
from headrace.contracts.estimators import frameworks
from headrace.frameworks import FRAMEWORKS, LIBRARIES, BadEstimator, BadTrainingData, EarlyStopping, Fitted, Recipe
from headrace.frameworks.inner import watched_rows
from headrace.frameworks.weights import weights_of
from headrace.tasks import task_named

WIND = [Column(name="wind", type="number", nullable=False), Column(name="hour", type="integer", nullable=False)]
TREES = {
    "sklearn": "max_iter",
    "lightgbm": "n_estimators",
    "xgboost": "n_estimators",
    "catboost": "iterations",
    "torch": "epochs",
}
"""Of each framework the parameter that says how many trees, or epochs, there are at most."""
MANY = 400


HERE = [name for name in FRAMEWORKS if name in LIBRARIES]


def able(what: str) -> list[str]:
    """The frameworks that are installed here and whose usual estimators take something."""
    listed = frameworks()
    return [name for name in HERE if what in listed[name].estimators[LIBRARIES[name].regressor].takes]


def rows(count: int = 600, seed: int = 1) -> pd.DataFrame:
    """Minutes rise with the wind, with much noise; `late` is one row in five."""
    chance = np.random.default_rng(seed)
    wind, hour = chance.gamma(2.0, 4.0, count), chance.integers(0, 24, count)
    minutes = wind + chance.normal(0, 6, count)
    late = (minutes > np.quantile(minutes, 0.8)).astype(int)
    return pd.DataFrame({"wind": wind, "hour": hour, "minutes": minutes, "late": late, "at": np.arange(count)})


def fit(framework: str, frame: pd.DataFrame, kind: str, trees: int = 40, **asked: Any) -> Fitted:
    """The usual estimator with some trees."""
    entry = LIBRARIES[framework]
    path, target, task = (
        (entry.classifier, "late", "binary") if kind == "classifier" else (entry.regressor, "minutes", "regression")
    )
    wanted = Recipe(path, {TREES[framework]: trees}, 3, WIND, target, task, **asked)
    return FRAMEWORKS[framework].fit(frame, wanted, lambda step, of: None)


def said(fitted: Fitted, frame: pd.DataFrame) -> np.ndarray:
    """The answer for some rows, as a number."""
    seen = frame[["wind", "hour"]].astype(float)
    if fitted.target.labels:
        return np.asarray(fitted.pipeline.predict_proba(seen))[:, 1]
    return np.asarray(fitted.pipeline.predict(seen))


def test_every_framework_says_how_many_trees() -> None:
    """A framework without its parameter here would go untested."""
    assert TREES.keys() == LIBRARIES.keys()


@pytest.mark.parametrize("framework", able("weights"))
def test_a_row_of_weight_0_teaches_nothing(framework: str) -> None:
    """Half of the rows say the contrary; with weight 0 the answer follows the other half."""
    frame = rows()
    contrary = frame.assign(minutes=-frame["minutes"] - 100)
    both = pd.concat([frame.assign(w=1.0), contrary.assign(w=0.0)], ignore_index=True)

    fitted = fit(framework, both, "regressor", weight="w")

    assert np.corrcoef(said(fitted, frame), frame["minutes"])[0, 1] > 0.4
    assert said(fitted, frame).mean() == pytest.approx(frame["minutes"].mean(), abs=1.5)


@pytest.mark.parametrize("framework", able("weights"))
def test_labels_count_as_their_names_say(framework: str) -> None:
    """A weighted label is answered more often, by its name as text; `balanced` makes all labels weigh the same."""
    frame = rows()

    plain, weighted = (fit(framework, frame, "classifier", class_weight=each) for each in (None, {"1": 6.0}))
    named = {"0": 600 / (2 * 480), "1": 600 / (2 * 120)}
    balanced, same = (fit(framework, frame, "classifier", class_weight=each) for each in ("balanced", named))

    assert said(plain, frame).mean() == pytest.approx(0.2, abs=0.03)
    assert said(weighted, frame).mean() > said(plain, frame).mean() + 0.1
    assert (said(balanced, frame) == said(same, frame)).all()


@pytest.mark.parametrize("framework", able("weights"))
def test_a_label_that_the_data_do_not_have_is_refused(framework: str) -> None:
    """A weight without effect would be a mistake that nobody sees."""
    with pytest.raises(BadEstimator, match="class_weight names 'tardy'; the labels of the data are 0, 1"):
        fit(framework, rows(), "classifier", class_weight={"tardy": 2.0})


@pytest.mark.parametrize("framework", able("monotone"))
@pytest.mark.parametrize(("kind", "relation"), [("regressor", 1), ("regressor", -1), ("classifier", 1)])
def test_an_answer_keeps_the_relation_that_was_declared(framework: str, kind: str, relation: int) -> None:
    """Along the column that is named it only rises, or only falls, however noisy the rows are."""
    fitted = fit(framework, rows(), kind, monotone={"wind": relation})

    line = pd.DataFrame({"wind": np.linspace(0, 40, 300), "hour": 12})
    assert (np.diff(said(fitted, line)) * relation >= -1e-9).all()


@pytest.mark.parametrize("framework", able("early_stopping"))
def test_a_fit_stops_when_the_watched_rows_no_longer_gain(framework: str) -> None:
    """Noise is not learned by heart: fewer trees than allowed, and better answers on rows that nobody saw."""
    frame, unseen = rows(seed=1), rows(seed=2)

    whole = fit(framework, frame, "regressor", MANY)
    stopped = fit(framework, frame, "regressor", MANY, early_stopping=EarlyStopping(10, 0.25, "at"))

    def error(fitted: Fitted) -> float:
        return float(np.sqrt(np.mean((said(fitted, unseen) - unseen["minutes"]) ** 2)))

    assert error(stopped) < error(whole)


def test_watched_rows_are_the_newest_where_a_time_is_named() -> None:
    """Rows of one instant stay together; without a time they are as many at random, the same for the same seed."""
    frame = rows(100).assign(at=np.repeat(np.arange(25), 4)).sample(frac=1, random_state=0)

    newest = watched_rows(frame, EarlyStopping(5, 0.2, "at"), 0)
    some, again, other = (watched_rows(frame, EarlyStopping(5, 0.2), seed) for seed in (0, 0, 1))

    assert set(frame["at"][newest]) == {20, 21, 22, 23, 24}
    assert not set(frame["at"][~newest]) & set(frame["at"][newest])
    assert some.sum() == 20
    assert (some == again).all()
    assert (some != other).any()
    assert not watched_rows(frame, None, 0).any()


@pytest.mark.parametrize(
    ("asked", "frame"),
    [
        (EarlyStopping(5, 0.05), rows(100)),
        (EarlyStopping(5, 0.2, "at"), rows(100).assign(at=7)),
        (EarlyStopping(5, 0.2, "at"), rows(100).assign(at=None)),
    ],
)
def test_too_few_rows_to_watch_or_to_learn_are_refused(asked: EarlyStopping, frame: pd.DataFrame) -> None:
    """A gain on a handful of rows is an accident; rows of a single time cannot be divided."""
    with pytest.raises(BadTrainingData, match="early stopping would watch"):
        watched_rows(frame, asked, 0)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.0, None], "holds nan"),
        ([1.0, -2.0], "holds -2.0"),
        ([1.0, float("inf")], "holds inf"),
        (["1", "much"], "holds much"),
        ([0.0, 0.0], "is 0 in every row"),
    ],
)
def test_what_is_no_weight_is_refused_with_an_example(values: list[Any], told: str) -> None:
    """Missing, negative, infinite, text; and nothing would be learned of rows that all count nothing."""
    frame = pd.DataFrame({"w": values, "late": [0, 1]})
    recipe = Recipe("e", {}, 0, WIND, "late", "binary", weight="w")
    target = task_named("binary").learn(np.array([0, 1]), "late", None)

    with pytest.raises(BadTrainingData, match=f"weight column 'w' {told}"):
        weights_of(frame, recipe, target, np.array([0, 1]))
    with pytest.raises(BadTrainingData, match="'w' is no column of the data"):
        weights_of(frame.drop(columns="w"), recipe, target, np.array([0, 1]))


def test_weights_of_rows_and_of_labels_are_multiplied() -> None:
    """A label that is not named counts 1; without either there are no weights."""
    frame = pd.DataFrame({"w": [1.0, 2.0, 0.0, 0.5]})
    truth, target = np.array([0, 1, 1, 0]), task_named("binary").learn(np.array(["no", "yes"]), "t", None)

    def found(**asked: Any) -> Any:
        weights = weights_of(frame, Recipe("e", {}, 0, WIND, "t", "binary", **asked), target, truth)
        return None if weights is None else weights.tolist()

    assert found() is None
    assert found(weight="w") == [1.0, 2.0, 0.0, 0.5]
    assert found(class_weight={"yes": 3.0}) == [1.0, 3.0, 3.0, 1.0]
    assert found(weight="w", class_weight={"yes": 3.0}) == [1.0, 6.0, 0.0, 0.5]
    assert found(class_weight="balanced") == [1.0, 1.0, 1.0, 1.0]


def test_what_an_estimator_cannot_do_is_refused_at_the_fit_as_well() -> None:
    """Declarations are judged by the catalogue; whoever goes past it is told all the same."""
    knn, forest = "sklearn.neighbors.KNeighborsClassifier", "sklearn.ensemble.RandomForestClassifier"

    def asked(path: str, **more: Any) -> None:
        wanted = Recipe(path, {}, 0, WIND, "late", "binary", **more)
        FRAMEWORKS["sklearn"].fit(rows(), wanted, lambda step, of: None)

    with pytest.raises(BadEstimator, match="KNeighborsClassifier takes no weights"):
        asked(knn, class_weight="balanced")
    with pytest.raises(BadEstimator, match="RandomForestClassifier does not stop by rows"):
        asked(forest, early_stopping=EarlyStopping(5, 0.2))
    with pytest.raises(BadEstimator, match="has no parameter 'monotonic_cst'"):
        asked(knn, monotone={"wind": 1})


def test_the_catalogue_says_what_each_estimator_takes() -> None:
    """What a declaration may ask is known without the libraries."""
    listed = frameworks()["sklearn"].estimators

    assert set(listed["sklearn.ensemble.HistGradientBoostingClassifier"].takes) == {
        "weights", "monotone", "early_stopping",
    }  # fmt: skip
    assert list(listed["sklearn.ensemble.RandomForestClassifier"].takes) == ["weights", "monotone"]
    assert list(listed["sklearn.neighbors.KNeighborsClassifier"].takes) == []
