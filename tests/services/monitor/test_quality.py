"""Quality of answers: the field's own figures, by the model's labels and its positive one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from headrace.contracts import Column, PredictionLogged, Signature, VersionRegistered
from headrace.monitor.measurement import measure
from headrace.monitor.quality import quality_of
from headrace.monitor.sample import Sample, packed, sample_of, uneven
from headrace.monitor.tables import LoggedRow
from headrace.tasks import INSTALLED, METRICS, TASKS, Score, measured, parse_declaration, target_of
from headrace.tasks.multiclass import MulticlassTarget
from headrace.testkit import a

from .conftest import MARCH, SPECIES, logged, rows, two

NAMES = INSTALLED.metrics_of("binary")
ZERO_ONE = TASKS["binary"].bare()
PAIRS: list[tuple[Any, Any]] = [
    (0, 1), (1, 2), (2, 1), (-1, 1), ("no", "yes"), ("fraud", "legit"), ("legit", "fraud"), ("0", "1"),
    (False, True), (0.5, 1.5), (12_345_678_901_234_567, 12_345_678_901_234_568),
]  # fmt: skip


def kept(event: PredictionLogged) -> LoggedRow:
    """An answer as it is kept."""
    plain = {"first_row": 0, "route": "champion", "model": "m", "version": 1, "digest": "d", "time": MARCH}
    return LoggedRow(prediction_id=event.prediction_id, rows=event.rows, data=packed(event), **plain)


def answered(
    count: int, labels: Sequence[Any] = (0, 1), reported: Callable[[Any], Any] = lambda label: label
) -> tuple[Sample, np.ndarray, np.ndarray]:
    """Answers with their truth, by labels (negative, positive); the codes of the truth, and the probabilities."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, count)
    probability = np.clip(truth * 0.4 + rng.uniform(0, 0.6, count), 0, 1)
    row = kept(logged("p", MARCH, rows(count, 1), probability.tolist(), labels=labels))
    truths = {("p", at): reported(labels[code]) for at, code in enumerate(truth)}
    target = target_of(two(sorted(labels), labels[1]))
    return sample_of([row], truths, target), truth, probability


@pytest.mark.parametrize("labels", PAIRS, ids=str)
def test_figures_are_of_the_positive_label_whatever_the_labels_are(labels: tuple[Any, Any]) -> None:
    """Labels 1 and 2 gave an average precision of 0.332 for 0.904: 2 was no 1, and everything was a 1."""
    sample, truth, probability = answered(400, labels)

    found = quality_of(sample, NAMES, 100)

    assert set(found) == set(NAMES)
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(truth, probability))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, probability))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(truth, probability))
    assert found["f1"] == pytest.approx(sk.f1_score(truth, probability >= 0.5))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, probability >= 0.5))


def test_truth_may_be_reported_as_text() -> None:
    """Labels 0 and 1, answered as numbers, reported by a file that has text alone."""
    texts, numbers = answered(400, reported=str)[0], answered(400)[0]

    assert quality_of(texts, NAMES, 100) == quality_of(numbers, NAMES, 100)


def test_one_truth_that_is_none_is_a_gap() -> None:
    """It was "maybe" for a model of 0 and 1, and stopped the monitoring of all models."""
    sample, _, _ = answered(400)
    spoiled, truth, probability = answered(400)
    spoiled.truth[7] = np.nan
    others = np.arange(400) != 7

    found = quality_of(spoiled, ["roc_auc"], 100)["roc_auc"]

    assert (sample.truths, spoiled.truths) == (400, 399)
    assert found == pytest.approx(sk.roc_auc_score(truth[others], probability[others]))
    assert np.isnan(ZERO_ONE.truths(["maybe"])).all()


def test_no_figure_is_made_of_too_little() -> None:
    """Too few rows, one class alone, no truth at all, or answers that are gaps."""
    one_class, _, _ = answered(400)
    one_class.truth[:] = 1.0
    unknown, _, _ = answered(400)
    unknown.truth[:] = np.nan
    silent, _, _ = answered(400)
    silent.outputs["probability"] = None

    assert quality_of(answered(99)[0], NAMES, 100) == {}
    assert quality_of(one_class, NAMES, 100) == {}
    assert quality_of(unknown, NAMES, 100) == {}
    assert quality_of(silent, ["roc_auc", "brier"], 100) == {}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 7.0])
def test_a_figure_that_cannot_be_computed_is_absent(wrong: float) -> None:
    """Never a NaN, and never the end of the window: an answer may be anything."""
    sample, _, _ = answered(400)
    sample.outputs.loc[5, "probability"] = wrong

    found = quality_of(sample, ["brier", "accuracy"], 100)

    assert all(np.isfinite(value) for value in found.values())
    assert "accuracy" in found


def test_many_labels_are_judged_by_their_own_metrics() -> None:
    """Text labels, a probability for each, logged as JSON and joined with reported truth; as scikit-learn has them."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 600)
    shares = rng.dirichlet(np.ones(3), 600) + (truth[:, None] == np.arange(3))
    shares /= shares.sum(axis=1, keepdims=True)
    said = shares.argmax(axis=1)
    event = logged("p", MARCH, rows(600, 1), [0.0] * 600).model_copy(
        update={"outputs": {"label": [SPECIES[each] for each in said], "probabilities": shares.tolist()}}
    )

    sample = sample_of(
        [kept(event)], {("p", at): SPECIES[each] for at, each in enumerate(truth)}, MulticlassTarget(SPECIES)
    )
    found = quality_of(sample, list(METRICS), 100)

    assert set(found) == set(INSTALLED.metrics_of("multiclass"))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, said))
    assert found["f1_macro"] == pytest.approx(sk.f1_score(truth, said, average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, shares))
    assert found["roc_auc_ovr"] == pytest.approx(sk.roc_auc_score(truth, shares, multi_class="ovr"))
    assert {label: int(each.sum()) for label, each in sample.outcomes.items()} == {
        label: int((said == place).sum()) for place, label in enumerate(SPECIES)
    }


def regression(truth: Sequence[float], prediction: Sequence[float | None]) -> Sample:
    """Answers of a regression."""
    outputs = pd.DataFrame({"prediction": prediction})
    return Sample(outputs[[]], outputs[[]], outputs, np.array(truth), TASKS["regression"].bare())


def test_quality_of_numbers() -> None:
    """Regression has its own metrics."""
    found = quality_of(regression([1.0, 2.0, 3.0], [1.0, 2.0, 5.0]), ["mae", "rmse", "roc_auc"], 3)

    assert found["mae"] == pytest.approx(2 / 3)
    assert set(found) == {"mae", "rmse"}


def test_a_constant_truth_has_no_r2() -> None:
    """Nothing is explained of what does not vary, and one row has none either."""
    assert quality_of(regression([2.0], [2.0]), ["r2"], 1) == {}


def test_the_monitor_and_the_trainer_mean_the_same_by_every_metric() -> None:
    """One implementation: a promise is measured as it was made."""
    sample, truth, probability = answered(500)

    assert quality_of(sample, NAMES, 100) == measured(NAMES, truth.astype(float), Score("probability", probability))


def test_a_feature_may_have_the_name_of_an_answer() -> None:
    """Inputs, context and outputs are namespaces of their own."""
    names = ("label", "probability", "prediction", "truth")
    inputs = pd.DataFrame({name: ["a", "b"] for name in names})
    event = logged("p", MARCH, inputs, [0.1, 0.9])

    sample = sample_of([kept(event)], {("p", 1): 1}, ZERO_ONE)

    assert sample.inputs.to_dict("list") == {name: ["a", "b"] for name in names}
    assert sample.outputs["probability"].tolist() == [0.1, 0.9]
    assert sample.outcomes[1].tolist() == [0.0, 1.0]
    assert sample.truth[1] == 1.0


def test_answers_with_different_columns_stand_side_by_side() -> None:
    """What a request did not carry is missing in its rows."""
    frames = [pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": ["x"]})]
    made = [kept(logged(f"p{at}", MARCH, inputs, [0.5] * len(inputs))) for at, inputs in enumerate(frames)]

    sample = sample_of(made, {}, ZERO_ONE)

    assert sample.inputs["a"].tolist()[:2] == [1, 2]
    assert sample.inputs["a"].isna().tolist() == [False, False, True]
    assert sample.inputs["b"].isna().tolist() == [True, True, False]


def test_an_answer_whose_columns_do_not_fit_together_is_told() -> None:
    """Three rows with two values of one column."""
    event = logged("p", MARCH, pd.DataFrame({"a": [1, 2, 3]}), [0.5, 0.5])

    assert uneven(event) == "outputs.label has 2 values for 3 rows"
    assert uneven(logged("p", MARCH, pd.DataFrame({"a": [1, 2]}), [0.5, 0.5])) is None


def searched(count: int, context: Sequence[str | None] | None) -> tuple[Sample, np.ndarray, np.ndarray]:
    """Answers of a ranking with their grades, by the search that each request carried beside them, or not."""
    rng = np.random.default_rng(4)
    grades = rng.integers(0, 4, count)
    scores = grades + rng.normal(0, 1, count)
    frame = pd.DataFrame({"score": scores})
    beside = frame[[]] if context is None else pd.DataFrame({"search": list(context)})
    target = TASKS["ranking"].bare({"query": "search"})
    return Sample(frame[[]], beside, frame, grades.astype(float), target), grades, scores


def test_a_window_of_a_ranking_is_judged_by_each_search() -> None:
    """As the trainer does it, and as scikit-learn has it; rows without a search are in no figure."""
    names: list[str | None] = [f"search-{at // 8}" for at in range(160)]
    sample, grades, scores = searched(168, [*names, *[None] * 8])

    found = quality_of(sample, ["ndcg", "ndcg_at_5", "map", "rmse"], 100)

    each = [(grades[at : at + 8], scores[at : at + 8]) for at in range(0, 160, 8)]
    assert set(found) == {"ndcg", "ndcg_at_5", "map"}
    assert found["ndcg"] == pytest.approx(np.mean([sk.ndcg_score([2**g - 1], [s]) for g, s in each]))
    assert found["map"] == pytest.approx(np.mean([sk.average_precision_score(g > 0, s) for g, s in each]))
    assert quality_of(sample, ["ndcg"], 161) == {}


def test_a_window_whose_requests_carried_no_search_has_no_figure_and_says_why() -> None:
    """A mean over all rows would be another figure under the same name."""
    sample, _, _ = searched(160, None)
    declared = parse_declaration(
        {"name": "m", "task": "ranking", "task_options": {"query": "search"}, "data": {"dataset": "d", "target": "t"}}
    )

    found = measure(sample, declared, None, None, 1)

    assert found.metrics == {}
    said = {each.column: each.reason for each in found.not_judged}
    assert said["search"] == "no request carried the column; answers are judged by it"


def test_new_values_of_a_key_are_no_drift() -> None:
    """Every search is another one: nothing is learned from its name."""
    sample, _, _ = searched(160, [f"new-{at}" for at in range(160)])
    before = pd.DataFrame({"search": [f"old-{at}" for at in range(400)], "headrace:prediction": np.arange(400.0)})
    context = [Column(name="search", type="string", nullable=True)]
    signature = Signature(
        task="ranking", inputs=[], outputs=sample.target.outputs(), context=context, task_options={"query": "search"}
    )
    known = a(VersionRegistered, signature=signature, features=[], reference=None)
    declared = parse_declaration(
        {"name": "m", "task": "ranking", "task_options": {"query": "search"}, "data": {"dataset": "d", "target": "t"},
         "monitoring": {"minimum": 50}}
    )  # fmt: skip

    found = measure(sample, declared, known, before, 1)

    assert [each.column for each in found.drift] == ["headrace:prediction"]


def test_a_window_of_quantiles_is_judged_by_its_interval() -> None:
    """Of answers as they were logged, gaps apart."""
    truth = np.arange(100.0)
    bands = [[at - 10.0, at + 1.0, at + 10.0] for at in truth]
    frame = pd.DataFrame({"quantiles": [*bands[:-1], None]})
    sample = Sample(frame[[]], frame[[]], frame, truth, TASKS["quantiles"].bare())

    found = quality_of(sample, ["coverage", "interval_width", "mae", "roc_auc"], 50)

    assert found == pytest.approx({"coverage": 1.0, "interval_width": 20.0, "mae": 1.0})
