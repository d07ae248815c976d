"""Labels of every type, and which of them figures and probability are about; scikit-learn is the oracle."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score

from headrace.contracts import Column, Signature
from headrace.frameworks import FRAMEWORKS, About, BadEstimator, Recipe
from headrace.runtimes import Model, load

ABOUT = About(run="run", created=datetime(2026, 1, 2, tzinfo=UTC))
X = Column(name="x", type="number", nullable=False)
KINDS: dict[str, tuple[Any, Any]] = {
    "words": ("no", "yes"),
    "signs": ("<=50K", ">50K"),
    "one_two": (1, 2),
    "minus_one": (-1, 1),
    "floats": (0.0, 1.0),
    "fractions": (0.5, 1.5),
    "booleans": (False, True),
    "seventeen_digits": (20240101000000001, 20240101000000002),
    "fraud_first": ("fraud", "legit"),
}


def rows(negative: Any, positive: Any, share: float = 0.3) -> pd.DataFrame:
    """600 rows; `positive` is the likelier the greater x is."""
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, 600).astype(np.float32).astype(np.float64)
    likely = x + rng.normal(0, 1, 600) > np.quantile(x, 1 - share)
    return pd.DataFrame({"x": x, "y": [positive if each else negative for each in likely]})


def saved(frame: pd.DataFrame, folder: Path, **fields: Any) -> tuple[Model, Signature]:
    """A logistic regression of y on x, as it serves."""
    recipe = Recipe(
        "sklearn.linear_model.LogisticRegression", fields.pop("params", {}), 0, [X], "y", "binary", **fields
    )
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda step, of: None)
    signature = FRAMEWORKS["sklearn"].save(fitted, folder, ABOUT).signature
    return load(folder), signature


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("swapped", [False, True], ids=["greater", "lesser"])
def test_labels_keep_their_type_and_probability_is_of_the_positive_one(
    kind: str, swapped: bool, tmp_path: Path
) -> None:
    """From data to signature to answer; figures are those that scikit-learn gives for the positive class."""
    lesser, greater = KINDS[kind]
    negative, positive = (greater, lesser) if swapped else (lesser, greater)
    frame = rows(negative, positive)

    graph, signature = saved(frame, tmp_path, positive=positive if swapped else None)

    label, probability = signature.outputs
    assert (label.labels, probability.label) == ([negative, positive], positive)
    assert [type(each) for each in label.labels or ()] == [type(negative), type(positive)]
    answer = graph.answer({"x": frame["x"].tolist()})
    assert {type(label) for label in answer["label"].tolist()} == {type(positive)}
    truth = (frame["y"] == positive).astype(int)
    scaled = frame[["x"]] / frame["x"].std(ddof=0) - frame["x"].mean() / frame["x"].std(ddof=0)
    oracle = LogisticRegression(random_state=0).fit(scaled, truth)
    np.testing.assert_allclose(answer["probability"], oracle.predict_proba(scaled)[:, 1], atol=1e-5)
    right = average_precision_score(truth, oracle.predict_proba(scaled)[:, 1])
    assert average_precision_score(truth, answer["probability"]) == pytest.approx(right)
    assert [label == positive for label in answer["label"].tolist()] == (answer["probability"] > 0.5).tolist()
    own = FRAMEWORKS["sklearn"].load(tmp_path).predict({"x": frame["x"].tolist()})
    assert own["label"].tolist() == answer["label"].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_lightgbm_answers_with_the_same_labels(kind: str, tmp_path: Path) -> None:
    """The graph, and LightGBM's own text read back."""
    negative, positive = KINDS[kind]
    frame = rows(negative, positive)
    recipe = Recipe("lightgbm.LGBMClassifier", {"n_estimators": 5}, 0, [X], "y", "binary", positive=negative)
    fitted = FRAMEWORKS["lightgbm"].fit(frame, recipe, lambda step, of: None)

    signature = FRAMEWORKS["lightgbm"].save(fitted, tmp_path, ABOUT).signature

    graph, own = load(tmp_path), FRAMEWORKS["lightgbm"].load(tmp_path)
    asked = {"x": frame["x"].tolist()}
    assert [each.labels or each.label for each in signature.outputs] == [[positive, negative], negative]
    assert graph.answer(asked)["label"].tolist() == own.predict(asked)["label"].tolist()
    assert set(graph.answer(asked)["label"].tolist()) == {negative, positive}


@pytest.mark.parametrize("kind", ["words", "one_two", "minus_one", "floats", "seventeen_digits"])
@pytest.mark.parametrize("framework", ["sklearn", "lightgbm"])
def test_three_labels_keep_their_type_and_each_has_its_probability(framework: str, kind: str, tmp_path: Path) -> None:
    """From data to signature to answer, in the graph and in the framework's own model; scikit-learn's own columns."""
    lesser, greater = KINDS[kind]
    middle = f"{lesser}+" if isinstance(lesser, str) else greater + (greater - lesser)
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, 900).astype(np.float32).astype(np.float64)
    labels = sorted([lesser, greater, middle])
    frame = pd.DataFrame(
        {"x": x, "y": [labels[place] for place in np.digitize(x + rng.normal(0, 0.3, 900), [-0.5, 0.5])]}
    )
    path = {"sklearn": "sklearn.linear_model.LogisticRegression", "lightgbm": "lightgbm.LGBMClassifier"}[framework]
    recipe = Recipe(path, {}, 0, [X], "y", "multiclass")
    fitted = FRAMEWORKS[framework].fit(frame, recipe, lambda step, of: None)

    label, probabilities = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT).signature.outputs

    assert label.labels == probabilities.labels == labels
    assert [type(each) for each in label.labels or ()] == [type(lesser)] * 3
    asked = {"x": frame["x"].tolist()}
    graph, own = load(tmp_path).answer(asked), FRAMEWORKS[framework].load(tmp_path).predict(asked)
    assert {type(each) for each in graph["label"].tolist()} == {type(lesser)}
    assert graph["label"].tolist() == own["label"].tolist()
    np.testing.assert_allclose(graph["probabilities"], own["probabilities"], atol=1e-5)
    np.testing.assert_allclose(graph["probabilities"].sum(axis=1), 1, atol=1e-5)
    likeliest = [labels[place] for place in graph["probabilities"].argmax(axis=1)]
    assert graph["label"].tolist() == likeliest
    assert accuracy_score(list(map(str, frame["y"])), list(map(str, graph["label"].tolist()))) > 0.75


def test_a_tie_between_labels_is_the_same_in_the_graph(tmp_path: Path) -> None:
    """A forest of few trees ties often; the first label wins in both, though float32 sums differ."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": np.round(rng.normal(0, 1, 600), 2), "y": rng.choice(["a", "b", "c"], 600)})
    recipe = Recipe("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 6}, 1, [X], "y", "multiclass")
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda step, of: None)
    FRAMEWORKS["sklearn"].save(fitted, tmp_path, ABOUT)
    asked = {"x": np.linspace(-3, 3, 4000).astype(np.float32).astype(float)}

    graph, own = load(tmp_path).answer(asked), FRAMEWORKS["sklearn"].load(tmp_path).predict(asked)

    ordered = np.sort(own["probabilities"], axis=1)
    assert (ordered[:, 2] - ordered[:, 1] < 1e-9).any()
    assert graph["label"].tolist() == own["label"].tolist()


@pytest.mark.parametrize(
    ("kind", "weights"),
    [("words", {"no": 1, "yes": 5}), ("one_two", {"1": 1, "2": 5}), ("booleans", {"false": 1, "true": 5})],
)
def test_class_weights_are_of_the_labels_that_they_name(kind: str, weights: dict[Any, float], tmp_path: Path) -> None:
    """JSON makes every key a text; the weight is of the label all the same."""
    frame = rows(*KINDS[kind])
    params = {"class_weight": weights}

    graph, _ = saved(frame, tmp_path, params=params)

    scaled = (frame[["x"]] - frame["x"].mean()) / frame["x"].std(ddof=0)
    truth = (frame["y"] == KINDS[kind][1]).astype(int)
    oracle = LogisticRegression(random_state=0, class_weight={0: 1, 1: 5}).fit(scaled, truth)
    answer = graph.answer({"x": frame["x"].tolist()})
    np.testing.assert_allclose(answer["probability"], oracle.predict_proba(scaled)[:, 1], atol=1e-5)


def test_a_class_weight_of_no_label_is_refused(tmp_path: Path) -> None:
    """It would be ignored, or fail deep inside the library."""
    with pytest.raises(BadEstimator, match="class_weight names 'maybe'; the labels of the data are 'no', 'yes'"):
        saved(rows("no", "yes"), tmp_path, params={"class_weight": {"maybe": 2}})
