"""What every task must do; a new line in TASKS is tested before its author writes a test."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.channels import CHANNELS
from headrace.contracts import ContractError, Installed, KnownColumn, KnownDataset, Signature, Tensor
from headrace.detectors import DETECTORS
from headrace.strategies import STRATEGIES
from headrace.tasks import (
    APART,
    FITTED,
    INSTALLED,
    METRICS,
    NUMPY,
    TASKS,
    BadTarget,
    BadTruth,
    Score,
    Target,
    UnknownTask,
    examine,
    measured,
    parse_declaration,
    target_of,
)

SIGNAL = np.random.default_rng(0).normal(size=400)


def learned(task: str) -> tuple[Target, np.ndarray]:
    """The target of a task's example, and its truth."""
    values = TASKS[task].example(SIGNAL)
    target = TASKS[task].learn(values, "y", None, TASKS[task].example_options())
    return target, target.encode(values)


def beside(target: Target) -> dict[str, Any]:
    """The columns that judging takes: groups of eight rows."""
    return {name: (np.arange(len(SIGNAL)) // 8).tolist() for name in target.beside}


def judged(target: Target, outputs: dict[str, Any]) -> Score:
    """The score of answers."""
    score = target.judged(outputs, beside(target))
    assert score is not None
    return score


def raw(task: str, target: Target, truth: np.ndarray, noise: float = 0.5) -> np.ndarray:
    """The answer of a fair estimator of the task's kind."""
    chance = np.random.default_rng(1)
    if TASKS[task].estimators == "regressor":
        spread = np.array([3 * (level - 0.5) * noise for level in target.levels] or [0.0])
        found = (truth + chance.normal(0, noise, len(truth)))[:, None] + spread
        beside = np.column_stack([truth + chance.normal(0, 4 * noise, len(truth)), np.full(len(truth), noise)])
        return np.hstack([found, beside])[:, : target.width]  # what stands beside it: a poor answer, and a scale
    weights = np.exp(3 * (truth[:, None] == np.arange(len(target.labels))) + chance.normal(size=(len(truth), 1)) * 0)
    weights *= chance.gamma(1, noise, weights.shape)
    return weights / weights.sum(axis=1, keepdims=True)


def as_json(outputs: dict[str, Any]) -> dict[str, list[Any]]:
    """Answers as they are logged and read again."""
    return {name: values.tolist() for name, values in outputs.items()}


@pytest.mark.parametrize("task", FITTED)
def test_a_task_is_known_by_its_name_and_has_metrics(task: str) -> None:
    """The usual ones are among those that it allows, and the decisive one too."""
    found = TASKS[task]

    assert found.name == task
    assert set(found.usual) <= set(INSTALLED.metrics_of(task))
    assert found.decisive[0] in INSTALLED.metrics_of(task)
    assert found.about
    assert found.pipeline_tag


@pytest.mark.parametrize("task", FITTED)
def test_a_signature_makes_the_same_target_again(task: str) -> None:
    """Whoever serves or watches knows no training run."""
    target, _ = learned(task)

    signature = Signature(task=task, inputs=[], outputs=target.outputs(), task_options=dict(target.options) or None)

    assert target_of(Signature.model_validate_json(signature.model_dump_json())) == target


@pytest.mark.parametrize("task", FITTED)
def test_the_outputs_are_those_that_are_promised(task: str) -> None:
    """Names, order and shapes."""
    target, truth = learned(task)

    outputs = target.answer(raw(task, target, truth), NUMPY)

    assert [(name, list(values.shape[1:])) for name, values in outputs.items()] == [
        (tensor.name, list(tensor.shape[1:])) for tensor in target.outputs()
    ]
    assert target.exact <= set(outputs)
    assert target.unsure(outputs).shape == (400,)


@pytest.mark.parametrize("task", FITTED)
def test_truth_is_the_same_from_data_from_a_report_and_from_text(task: str) -> None:
    """Typed rows, JSON, and files that have text alone."""
    target, truth = learned(task)
    values = TASKS[task].example(SIGNAL).tolist()

    assert target.truths(values) == pytest.approx(truth)
    assert target.truths([str(value) for value in values]) == pytest.approx(truth)
    assert np.isnan(target.truths([None, [1], {"a": 1}, "no truth of anybody's"])).all()
    with pytest.raises(BadTruth, match="no truth of anybody's"):
        target.read("no truth of anybody's")


@pytest.mark.parametrize("task", FITTED)
def test_answers_are_judged_as_they_are_and_as_they_were_logged(task: str) -> None:
    """The same figures of every metric of the task, on the same rows: one implementation."""
    target, truth = learned(task)
    outputs = target.answer(raw(task, target, truth), NUMPY)

    now, later = judged(target, outputs), judged(target, as_json(outputs))

    assert now.kind == later.kind
    assert now.kind in TASKS[task].scores
    names = INSTALLED.metrics_of(task)
    figures = measured(names, truth, now)
    assert set(figures) == set(names)
    assert measured(names, truth, later) == pytest.approx(figures)
    for name in names:
        low, high = METRICS[name].low, METRICS[name].high
        assert (low is None or figures[name] >= low) and (high is None or figures[name] <= high)  # noqa: PT018


@pytest.mark.parametrize("task", FITTED)
def test_gaps_and_nonsense_in_answers_are_gaps_in_the_score(task: str) -> None:
    """An answer may be anything; a row without a figure is none."""
    target, truth = learned(task)
    outputs = as_json(target.answer(raw(task, target, truth), NUMPY))
    for values in outputs.values():
        values[3], values[5] = None, "nonsense"

    score = judged(target, outputs)

    assert np.flatnonzero(~score.known).tolist() == [3, 5]
    assert target.score({}) is None
    assert target.watched({}) is None
    assert target.watched(outputs) is not None


@pytest.mark.parametrize("task", FITTED)
def test_a_fair_model_beats_every_trivial_answer(task: str) -> None:
    """By the metric of the default gates; the trivial answers say what they are."""
    target, truth = learned(task)
    score = judged(target, target.answer(raw(task, target, truth), NUMPY))
    metric = METRICS[TASKS[task].usual[0]]

    answers = target.trivial(truth, len(truth), last=float(truth[-1]))

    assert answers
    for each in answers:
        assert each.score.shape == score.values.shape
        assert any(character.isdigit() for character in each.words)
        ours, theirs = (measured([metric.name], truth, said) for said in (score, score.saying(each.score)))
        assert metric.improvement(ours[metric.name], theirs[metric.name]) > 0


@pytest.mark.parametrize("task", FITTED)
def test_what_drift_watches_is_the_same_now_and_as_it_was_logged(task: str) -> None:
    """The reference is written by the trainer, the answers are read from the log."""
    target, truth = learned(task)
    outputs = target.answer(raw(task, target, truth), NUMPY)

    now, later = target.watched(outputs), target.watched(as_json(outputs))

    assert now is not None
    assert later is not None
    assert (now.kind, now.values.tolist()) == (later.kind, later.values.tolist())


@pytest.mark.parametrize("task", FITTED)
def test_fairness_looks_at_each_label_of_interest(task: str) -> None:
    """Each row is 1 or 0 for each of them; a number has none."""
    target, truth = learned(task)
    outcomes = target.outcomes(target.answer(raw(task, target, truth), NUMPY))

    assert bool(outcomes) is bool(target.labels)
    assert set(outcomes) <= set(target.labels)
    for answered in outcomes.values():
        assert set(answered.tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("task", FITTED)
def test_a_model_is_aligned_with_itself_and_with_no_other_task(task: str) -> None:
    """What is compared must mean the same."""
    target, truth = learned(task)
    score = judged(target, target.answer(raw(task, target, truth), NUMPY))

    names = INSTALLED.metrics_of(task)
    aligned = score.saying(target.aligned(target, score.values))
    assert measured(names, truth, aligned) == pytest.approx(measured(names, truth, score))
    for other in (each for each in FITTED if each != task):
        with pytest.raises(BadTruth, match=f"it answers as {other}, not as {task}"):
            target.aligned(learned(other)[0], score.values)


@pytest.mark.parametrize("task", FITTED)
def test_a_declaration_of_a_task_needs_no_other_word(task: str) -> None:
    """Metrics, gates and estimator follow from it; but for an option that must be said."""
    told = {option.name: option.example for option in TASKS[task].options if option.required}
    document = {"name": "m", "task": task, "data": {"dataset": "d", "target": "t"}, "task_options": told}
    declared = parse_declaration(document if told else {k: v for k, v in document.items() if k != "task_options"})

    assert (declared.task_options or {}) == dict(TASKS[task].example_options())

    assert declared.evaluation.metrics == list(TASKS[task].usual)
    assert [gate.metric for gate in declared.evaluation.gates] == [TASKS[task].usual[0]] * 2


def test_a_task_that_is_not_installed_is_named_with_the_nearest() -> None:
    """A newer writer may know more; who reads it is told which there are."""
    with pytest.raises(UnknownTask, match="'regresion' is not known; did you mean 'regression'"):
        target_of(Signature(task="regresion", inputs=[], outputs=[]))
    with pytest.raises(ContractError, match="task: 'multi_class' is not known; did you mean 'multiclass'"):
        parse_declaration({"name": "m", "task": "multi_class", "data": {"dataset": "d", "target": "t"}})
    with pytest.raises(ContractError, match="known here are binary, multiclass, regression, quantiles, ranking"):
        parse_declaration({"name": "m", "task": "classification", "data": {"dataset": "d", "target": "t"}})


COLUMNS = [
    (KnownColumn("y", "boolean"), "binary"),
    (KnownColumn("y", "string"), "binary"),
    (KnownColumn("y", "string", True, 2), "binary"),
    (KnownColumn("y", "string", True, 3), "multiclass"),
    (KnownColumn("y", "string", True, 100), "multiclass"),
    (KnownColumn("y", "string", True, 101), None),
    (KnownColumn("y", "string", True, None), None),
    (KnownColumn("y", "integer", True, 2), "binary"),
    (KnownColumn("y", "integer", True, 3, rows=150), "multiclass"),
    (KnownColumn("y", "integer", True, 3, rows=12), "regression"),
    (KnownColumn("y", "integer", True, 193, rows=5000), "regression"),
    (KnownColumn("y", "integer"), None),
    (KnownColumn("y", "number", True, 2), "binary"),
    (KnownColumn("y", "number", True, 193), "regression"),
    (KnownColumn("y", "number", True, None), "regression"),
    (KnownColumn("y", "number"), "regression"),
    (KnownColumn("y", "timestamp"), None),
    (KnownColumn("y"), None),
]


@pytest.mark.parametrize(("column", "task"), COLUMNS, ids=str)
def test_the_task_is_guessed_from_the_target(column: KnownColumn, task: str | None) -> None:
    """The first one that takes it; a task takes nothing that it could not have as its target."""
    found = next((name for name, each in TASKS.items() if each.takes(column)), None)

    assert found == task
    if found:
        assert TASKS[found].target_problem(column) is None


def dataset(kind: str, distinct: int | None, rows: int | None = None) -> KnownDataset:
    """A dataset whose target is known."""
    return KnownDataset("d", {"t": kind, "x": "number"}, 1, {"t": distinct}, rows=rows)


@pytest.mark.parametrize(
    ("known", "task", "said"),
    [
        (dataset("string", 3), "multiclass", None),
        (dataset("integer", 3, 150), "multiclass", "holds 3 different whole numbers; say `task: regression` where"),
        (dataset("integer", 193, 150), "regression", "regression is taken, because 't' holds numbers"),
        (dataset("string", 2), "binary", None),
    ],
)
def test_a_guess_that_may_be_wrong_is_told(known: KnownDataset, task: str, said: str | None) -> None:
    """With the word that makes it right."""
    found = examine({"name": "m", "data": {"dataset": "d", "target": "t"}}, known)

    assert found.declaration.task == task
    assert any(said in each for each in found.warnings) if said else not found.warnings


@pytest.mark.parametrize(
    ("task", "known", "said"),
    [
        ("binary", dataset("string", 3), "'t' holds 3 different values; binary tells 2 labels apart; say `task: multi"),
        ("binary", dataset("integer", 193), "binary tells 2 labels apart; say `task: regression`"),
        ("multiclass", dataset("string", 400), "'t' holds 400 different values; multiclass tells 100 labels apart"),
        ("multiclass", dataset("boolean", 2), "holds true and false, which are two labels; say `task: binary`"),
        ("regression", dataset("string", 4), "holds text; a regression learns numbers; say `task: multiclass`"),
        ("quantiles", dataset("string", 2), "holds text; a regression learns numbers; say `task: binary`"),
        (
            "ranking",
            dataset("string", 3),
            "'t' holds text; a ranking learns grades, whole numbers from 0 to 30; say `tas",
        ),
        ("ranking", dataset("integer", 193), "'t' holds 193 different values; a ranking learns grades"),
    ],
)
def test_a_target_that_the_task_cannot_have_is_refused_with_one_that_can(
    task: str, known: KnownDataset, said: str
) -> None:
    """At `apply`, before anything runs."""
    options = {option.name: "x" for option in TASKS[task].options if option.required}
    document = {"name": "m", "task": task, "data": {"dataset": "d", "target": "t"}, "task_options": options}
    with pytest.raises(ContractError) as refused:
        parse_declaration(document, known)

    assert said in str(refused.value)


@pytest.mark.parametrize("task", ["multiclass", "regression", "quantiles", "ranking"])
def test_a_positive_label_is_for_binary(task: str) -> None:
    """Elsewhere it would have no effect."""
    with pytest.raises(ContractError, match=r"data\.positive: is for binary"):
        parse_declaration({"name": "m", "task": task, "data": {"dataset": "d", "target": "t", "positive": "a"}})


@pytest.mark.parametrize(
    ("task", "values", "said"),
    [
        (
            "binary",
            ["a", "b", "c"],
            r"has 3 classes \('a', 'b', 'c'\); binary tells two apart; declare task: multiclass",
        ),
        ("binary", list(range(193)), "declare task: regression"),
        ("binary", [1, 2, 3], "declare task: multiclass, or regression where it is a quantity"),
        ("binary", [0.5, 1.5, 2.5], "holds fractions"),
        ("binary", [1, 1], "is 1 in every row; two classes are needed"),
        ("multiclass", ["a", "a"], "is a in every row"),
        ("multiclass", [0.5, 1.5, 2.5], "holds fractions"),
        (
            "multiclass",
            [f"id-{at}" for at in range(101)],
            "has 101 classes .* 100 apart at most: put rare labels together",
        ),
        ("regression", ["a", "b"], "holds text; a regressor learns numbers"),
        ("regression", [True, False], "holds bool; a regressor learns numbers"),
        ("regression", [1.0, float("inf")], "infinite"),
        ("ranking", ["a", "b"], "holds what is no grade; grades are whole numbers from 0 to 30"),
        ("ranking", [0.5, 1.0], "holds what is no grade"),
        ("ranking", [-1, 1], "holds what is no grade"),
        ("ranking", [0, 31], "holds what is no grade"),
        ("ranking", [2, 2], "is 2 in every row; two grades are needed"),
    ],
)
def test_values_that_a_task_cannot_learn_are_refused_in_words(task: str, values: list[Any], said: str) -> None:
    """The author reads what is wrong with the data, and what would be right."""
    array = np.array(values, dtype=object if isinstance(values[0], str) else None)
    with pytest.raises(BadTarget, match=said):
        TASKS[task].learn(array, "y", None)


def test_the_positive_label_is_the_one_that_is_named() -> None:
    """Its code is 1, whatever the order of the labels; one that the data lack is refused."""
    target = TASKS["binary"].learn(np.array(["no", "yes"], dtype=object), "y", "no")

    assert (target.labels, target.positive, target.read("no")) == (("yes", "no"), "no", 1.0)
    with pytest.raises(BadTarget, match=r"data\.positive is 'fraud', but target 'y' holds 'no', 'yes'"):
        TASKS["binary"].learn(np.array(["no", "yes"], dtype=object), "y", "fraud")


def test_a_truth_that_is_none_of_the_labels_never_counts_as_one() -> None:
    """Of two labels it is refused; of many it is one more class that is never answered."""
    values = np.array(["a", "oops"], dtype=object)
    with pytest.raises(BadTruth, match="'oops'; the model's labels are 'a', 'b'"):
        TASKS["binary"].learn(np.array(["a", "b"], dtype=object), "y", None).encode(values)

    many = TASKS["multiclass"].learn(np.array(["a", "b", "c"], dtype=object), "y", None)
    assert many.encode(values).tolist() == [0.0, 3.0]
    assert next(iter(many.remarks(many.encode(values)))).startswith("1 of 2 held-out rows have a label that no learned")


def test_a_champion_with_other_labels_is_compared_by_the_labels_of_both() -> None:
    """A new label is what the old model never says; one that went away is what the new model never says."""
    old = TASKS["multiclass"].learn(np.array(["a", "b", "x"], dtype=object), "y", None)
    new = TASKS["multiclass"].learn(np.array(["b", "a", "c"], dtype=object), "y", None)

    found = new.aligned(old, np.array([[0.2, 0.3, 0.5]]))

    assert new.labels == ("a", "b", "c")
    assert found.tolist() == [[0.2, 0.3, 0.0, 0.5]]
    assert new.encode(np.array(["x"], dtype=object)).tolist() == [3.0]


@pytest.mark.parametrize(
    ("labels", "said"), [(("b", "a"), "another label positive"), (("a", "c"), "its labels are 'a', 'c'")]
)
def test_models_of_other_labels_are_not_compared(labels: tuple[str, str], said: str) -> None:
    """A probability of the other label would be judged as if it were this one's."""
    first = TASKS["binary"].learn(np.array(["a", "b"], dtype=object), "y", None)
    other = TASKS["binary"].learn(np.array(labels, dtype=object), "y", labels[1])

    with pytest.raises(BadTruth, match=said):
        first.aligned(other, np.array([0.5]))


@pytest.mark.parametrize(("task", "output"), [("binary", "probability"), ("multiclass", "probabilities")])
def test_a_sum_of_float32_that_lies_just_above_one_is_one(task: str, output: str) -> None:
    """A forest's surest rows were gaps: they had no figure, and the log loss of all rows had none."""
    target = TASKS[task].learn(np.array(["a", "b"], dtype=object), "y", None)
    said = np.array([1.0000007, -0.0000002, 1.01])
    answers = said if task == "binary" else np.column_stack([said, 1 - said])

    score = target.score({output: answers})

    assert score is not None
    assert score.known.tolist() == [True, True, False]
    assert (score.values[score.known] >= 0).all()
    assert (score.values[score.known] <= 1).all()


def test_a_model_that_answers_with_labels_alone_is_judged_by_them() -> None:
    """What needs a probability has no figure."""
    for task in ("binary", "multiclass"):
        target, truth = learned(task)
        labels = {"label": TASKS[task].example(SIGNAL).tolist()}

        score = target.score(labels)

        assert score is not None
        able = [name for name, metric in METRICS.items() if score.kind in metric.of]
        assert {"accuracy", "balanced_accuracy"} <= set(able)
        assert not {"roc_auc", "log_loss", "brier"} & set(able)
        assert measured(["accuracy"], truth, score) == {"accuracy": 1.0}
        watched = target.watched(labels)
        assert watched is not None
        assert watched.kind == "categorical"


@given(st.lists(st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=8)), min_size=2, max_size=6, unique_by=str))
def test_codes_follow_the_signature_whatever_the_labels_are(labels: list[Any]) -> None:
    """In its own order, of the positive one 1."""
    outputs = [
        Tensor(name="label", datatype="BYTES", shape=[-1], labels=labels),
        Tensor(name="probability", datatype="FP64", shape=[-1], label=labels[0]),
    ]
    many = target_of(Signature(task="multiclass", inputs=[], outputs=outputs[:1]))
    two = target_of(
        Signature(task="binary", inputs=[], outputs=[outputs[0].model_copy(update={"labels": labels[:2]}), outputs[1]])
    )

    assert [many.read(label) for label in labels] == list(range(len(labels)))
    assert (two.positive, two.read(labels[0]), two.read(labels[1])) == (labels[0], 1.0, 0.0)


def test_a_binary_model_that_names_no_labels_knows_0_and_1() -> None:
    """Without a word about the positive one it is the last."""
    outputs = [
        Tensor(name="label", datatype="INT64", shape=[-1]),
        Tensor(name="probability", datatype="FP64", shape=[-1]),
    ]

    assert target_of(Signature(task="binary", inputs=[], outputs=outputs)) == TASKS["binary"].bare()
    named = [outputs[0].model_copy(update={"labels": ["a", "b"]}), outputs[1]]
    assert target_of(Signature(task="binary", inputs=[], outputs=named)).positive == "b"


def test_metrics_follow_from_the_score_that_a_task_gives() -> None:
    """A metric names the kinds of score that it can judge; no list of tasks is kept anywhere."""
    catalog = Installed(tasks=TASKS, metrics=METRICS, detectors=DETECTORS, channels=CHANNELS, strategies=STRATEGIES)

    assert catalog.metrics_of("regression") == ["rmse", "mae", "smape", "r2"]
    assert catalog.tasks_with("mae") == ["regression", "quantiles", "forecasting"]
    assert catalog.tasks_with("log_loss") == ["binary", "multiclass"]
    assert catalog.tasks_with("roc_auc") == ["binary"]


def quantiles(*levels: float) -> Target:
    """The target of a model that answers these."""
    return TASKS["quantiles"].bare({"quantiles": list(levels)})


def test_quantiles_are_answered_without_crossings() -> None:
    """Estimators that learn their levels apart may contradict each other; the answer never does."""
    target = quantiles(0.1, 0.5, 0.9)

    outputs = target.answer(np.array([[1.0, 2.0, 3.0], [5.0, 4.0, 6.0], [9.0, 8.0, 7.0]]), NUMPY)

    assert outputs["quantiles"].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
    assert outputs["prediction"].tolist() == [2.0, 5.0, 8.0]
    assert (outputs["lower"].tolist(), outputs["upper"].tolist()) == ([1.0, 4.0, 7.0], [3.0, 6.0, 9.0])


@pytest.mark.parametrize(
    ("levels", "place"), [((0.1, 0.9), 0), ((0.05, 0.25, 0.5, 0.75, 0.95), 2), ((0.2, 0.45, 0.9), 1), ((0.6, 0.9), 0)]
)
def test_the_prediction_is_the_quantile_nearest_to_the_median(levels: tuple[float, ...], place: int) -> None:
    """Of two that are equally near the lower one."""
    outputs = quantiles(*levels).answer(np.arange(float(len(levels)))[None, :], NUMPY)

    assert outputs["prediction"].tolist() == [float(place)]


def test_models_of_other_quantiles_are_not_compared() -> None:
    """Their losses are of other questions."""
    mine, other = quantiles(0.1, 0.5, 0.9), quantiles(0.05, 0.5, 0.95)

    with pytest.raises(BadTruth, match=r"it answers the quantiles 0\.05, 0\.5, 0\.95, not 0\.1, 0\.5, 0\.9"):
        mine.aligned(other, np.zeros((1, 3)))


def test_an_answer_without_its_quantiles_has_no_score() -> None:
    """The prediction alone tells nothing of the interval."""
    target = quantiles(0.1, 0.9)

    assert target.score({"prediction": [1.0]}) is None
    assert target.score({"quantiles": [[1.0, 2.0, 3.0]]}).known.tolist() == [False]  # type: ignore[union-attr]


def test_answers_are_judged_by_the_groups_that_came_beside_them() -> None:
    """Where no request carried the column nothing can be judged, and nothing is."""
    target = TASKS["ranking"].bare({"query": "search"})
    outputs = {"score": [3.0, 2.0, 1.0, None]}

    score = target.judged(outputs, {"search": ["a", "b", None, "a"], "other": [1, 2, 3, 4]})
    unheard = target.judged(outputs, {})

    assert (target.beside, target.options) == (("search",), {"query": "search"})
    assert score is not None
    assert unheard is not None
    assert score.groups.tolist() == [0, 1, APART, 0]  # type: ignore[union-attr]
    assert score.known.tolist() == [True, True, False, False]
    assert (score.units, unheard.units, unheard.known.any()) == (2, 0, False)


@pytest.mark.parametrize(
    ("said", "grade"), [(3, 3.0), (2.0, 2.0), ("4", 4.0), ("4.0", 4.0), (True, 1.0), ("false", 0.0), (30, 30.0)]
)
def test_a_grade_may_be_reported_as_a_number_or_its_text_or_a_truth_value(said: Any, grade: float) -> None:
    """A click is a grade, too."""
    assert TASKS["ranking"].bare().read(said) == grade


@pytest.mark.parametrize("said", [-1, 31, 1.5, "1.5", "-1", "031", "good", 10**400, float("nan"), float("inf"), None])
def test_what_is_no_grade_is_refused(said: Any) -> None:
    """With what would be one."""
    with pytest.raises(BadTruth, match="is no grade; grades are whole numbers from 0 to 30"):
        TASKS["ranking"].bare().read(said)


def test_truth_values_are_grades_of_a_target_and_other_rows_are_named() -> None:
    """Of data that changed since the model was made."""
    target = TASKS["ranking"].learn(np.array([True, False]), "y", None, {"query": "search"})

    assert target.encode(np.array([True, False])).tolist() == [1.0, 0.0]
    with pytest.raises(BadTruth, match=r"1\.5, which is no grade"):
        target.encode(np.array([1.5, 2.0]))
    with pytest.raises(BadTruth, match="what is no grade"):
        target.encode(np.array(["a"], dtype=object))


def test_the_kinds_of_estimator_of_a_task_are_the_usual_ones_first() -> None:
    """A ranker where the framework has one, else a regressor."""
    assert TASKS["ranking"].kinds == ("ranker", "regressor")
    assert TASKS["regression"].kinds == ("regressor",)
