"""Custom: what a declaration may say of tensors and functions, and what is read of requests, answers and truth."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import ContractError, KnownColumn, KnownDataset, Signature, Tensor
from headrace.tasks import FITTED, INSTALLED, METRICS, NUMPY, TASKS, BadTruth, examine, parse_declaration, target_of
from headrace.testkit.custom_models import PIXELS, digit_options

CUSTOM = TASKS["custom"]
TWO = [{"name": "digit", "datatype": "INT64"}, {"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]
ACCURACY = {"name": "digit-accuracy", "entry": "judge:accuracy", "goal": "maximize"}
CODE = {"code": {"package": "net", "entry": "train:train"}}
LEAST: dict[str, Any] = {"outputs": TWO, "metrics": [ACCURACY]}
PAIR = {"name": "pair", "datatype": "FP32", "shape": [-1, 1, 2], "columns": ["a", "b"]}


def document(options: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """A declaration with these options."""
    told = {"dataset": "d", "target": "t"}
    whole = {"name": "m", "task": "custom", "data": told, "training": CODE, "task_options": options or LEAST}
    return {**whole, **parts}


def target(**options: Any) -> Any:
    """What a model with these options can be."""
    return CUSTOM.bare({**LEAST, **options})


# declarations


def test_the_smallest_declaration_says_outputs_and_functions() -> None:
    """Shapes, metrics, the gate and the framework follow; there is nothing trivial to beat."""
    declared = parse_declaration(document())

    assert declared.task_options == {
        "outputs": [{"name": "digit", "datatype": "INT64", "shape": [-1]}, TWO[1]],
        "metrics": [{**ACCURACY, "resampled": True}],
    }
    assert declared.training.framework == "code"
    assert declared.evaluation.metrics == ["digit-accuracy"]
    assert [(gate.metric, gate.beats) for gate in declared.evaluation.gates] == [("digit-accuracy", "champion")]


def test_a_declaration_is_the_same_when_it_is_examined_again() -> None:
    """A registry holds it with its defaults; they are no change."""
    once = parse_declaration(document())

    assert parse_declaration(once.model_dump(mode="json", exclude_none=True)) == once


def test_the_task_is_known_by_its_options() -> None:
    """Nobody else has outputs; without options nothing is taken for a custom model."""
    bare = {name: value for name, value in document().items() if name != "task"}

    assert parse_declaration(bare).task == "custom"
    assert not CUSTOM.guessed
    for kind in ("string", "integer", "number", "boolean", None):
        assert not CUSTOM.takes(KnownColumn("t", kind, True, 3))
        assert CUSTOM.target_problem(KnownColumn("t", kind, True, 3)) is None
    assert CUSTOM.doubt(KnownColumn("t")) is None
    assert "custom" not in FITTED


def test_metrics_gates_and_their_direction_are_those_of_the_functions() -> None:
    """A limit on the wrong side is told, as of every metric."""
    loss = {"name": "loss", "entry": "judge:loss", "goal": "minimize"}
    gates = [{"metric": "loss", "at_least": 3}, {"metric": "digit-accuracy", "at_least": 0.5}]

    found = examine(document({**LEAST, "metrics": [ACCURACY, loss]}, evaluation={"gates": gates}))

    assert found.declaration.evaluation.metrics == ["digit-accuracy", "loss"]
    [told] = [each for each in found.warnings if "evaluation.gates" in each]
    assert "of loss less is better, and at_least stops good versions; is at_most meant?" in told


def test_a_metric_of_the_declaration_is_one_of_this_declaration_alone() -> None:
    """The catalogue that everybody shares stays as it is."""
    parse_declaration(document())

    assert "digit-accuracy" not in INSTALLED.metrics
    assert "digit-accuracy" not in METRICS
    with pytest.raises(ContractError, match="'digit-accuracy' is not known"):
        parse_declaration(document({**LEAST, "metrics": [{**ACCURACY, "name": "other"}]}, evaluation={
            "metrics": ["digit-accuracy"]
        }))  # fmt: skip


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no outputs": ({"metrics": [ACCURACY]}, "task_options.outputs: is missing; it is the tensors that are answered"),
    "no metrics": ({"outputs": TWO}, "task_options.metrics: is missing; it is the functions that judge held-out rows"),
    "outputs are none": (
        {**LEAST, "outputs": []},
        "task_options.outputs: takes a list of 1 to 20 values, each a mapping",
    ),
    "outputs are text": ({**LEAST, "outputs": "digit"}, "task_options.outputs: takes a list of 1 to 20 values"),
    "an output is text": (
        {**LEAST, "outputs": ["digit"]},
        "each a mapping of name, datatype, shape, labels; not 'digit'",
    ),
    "unknown option": (
        {**LEAST, "output": TWO},
        "task_options.output: custom has no such option; did you mean 'outputs'?",
    ),
    "unknown field": (
        {**LEAST, "outputs": [{**TWO[0], "dtype": "INT64"}]},
        "task_options.outputs[0].dtype: unknown field; did you mean 'datatype'?",
    ),
    "missing field": (
        {**LEAST, "outputs": [TWO[0], {"name": "b"}]},
        "task_options.outputs[1].datatype: is missing; it is its datatype in the Open Inference Protocol V2",
    ),
    "datatype": (
        {**LEAST, "outputs": [{**TWO[0], "datatype": "FLOAT"}]},
        'task_options.outputs[0].datatype: takes "BOOL"',
    ),
    "name is none": ({**LEAST, "outputs": [{**TWO[0], "name": ""}]}, "task_options.outputs[0].name: is empty"),
    "name twice": (
        {**LEAST, "outputs": [TWO[0], TWO[0]]},
        "task_options.outputs[1].name: 'digit' is there a second time",
    ),
    "no rows": (
        {**LEAST, "outputs": [{**TWO[0], "shape": [3]}]},
        "task_options.outputs[0].shape: begins with -1, the rows",
    ),
    "size zero": (
        {**LEAST, "outputs": [{**TWO[0], "shape": [-1, 0]}]},
        "shape: begins with -1, the rows, and then has sizes",
    ),
    "size of text": ({**LEAST, "outputs": [{**TWO[0], "shape": ["n"]}]}, "each an integer from -1 to 1e+06; not 'n'"),
    "too large": (
        {**LEAST, "outputs": [{**TWO[0], "shape": [-1, 2000, 2000]}]},
        "a row has 1,000,000 elements at most",
    ),
    "labels of numbers": (
        {**LEAST, "outputs": [{**TWO[0], "labels": ["a", "b"]}]},
        "labels: are for an output of BYTES",
    ),
    "no function": (
        {**LEAST, "metrics": [{**ACCURACY, "entry": "judge.accuracy"}]},
        "task_options.metrics[0].entry: 'judge.accuracy' names no function; write module:function",
    ),
    "goal": (
        {**LEAST, "metrics": [{**ACCURACY, "goal": "max"}]},
        'metrics[0].goal: takes "maximize", "minimize"; not \'max',
    ),
    "metric's name": (
        {**LEAST, "metrics": [{**ACCURACY, "name": "My Metric"}]},
        "'My Metric' is no name; one has small",
    ),
    "metric of ours": (
        {**LEAST, "metrics": [{**ACCURACY, "name": "accuracy"}]},
        "task_options.metrics[0].name: 'accuracy' is a metric with a meaning of its own; take another name",
    ),
    "metric twice": (
        {**LEAST, "metrics": [ACCURACY, ACCURACY]},
        "metrics[1].name: 'digit-accuracy' is there a second time",
    ),
    "watch unknown": ({**LEAST, "watch": "digits"}, "task_options.watch: 'digits' is not known; did you mean 'digit'?"),
    "watch a matrix": ({**LEAST, "watch": "scores"}, "task_options.watch: 'scores' has several values a row"),
    "package": (
        {**LEAST, "package": "Net@0"},
        "task_options.package: 'Net@0' is no package; write NAME, or NAME@VERSION",
    ),
    "inputs without columns": (
        {**LEAST, "inputs": [{"name": "x", "datatype": "FP32"}]},
        "task_options.inputs[0].columns: is missing; it is the columns of the dataset that it is made of",
    ),
    "columns too few": (
        {**LEAST, "inputs": [{**PAIR, "shape": [-1, 8, 8]}]},
        "task_options.inputs[0].shape: takes 64 columns, and there are 2",
    ),
    "one column": ({**LEAST, "inputs": [{**PAIR, "columns": ["a"]}]}, "shape: takes 2 columns, and there is 1"),
    "column twice": ({**LEAST, "inputs": [{**PAIR, "columns": ["a", "a"]}]}, "columns[1]: 'a' is there a second time"),
    "open input": (
        {**LEAST, "inputs": [{**PAIR, "shape": [-1, -1, 2]}]},
        "made of columns, so that rows alone are open",
    ),
    "column is the target": (
        {**LEAST, "inputs": [{**PAIR, "columns": ["a", "t"]}]},
        "inputs[0].columns[1]: 't' is the target",
    ),
    "no column": (
        {**LEAST, "inputs": [{**PAIR, "columns": ["a", "bb"]}]},
        "task_options.inputs[0].columns[1]: dataset 'd' has no column 'bb'; did you mean 'b'?",
    ),
}
KNOWN = KnownDataset("d", {"a": "number", "b": "number", "c": "string", "t": "integer"})


@pytest.mark.parametrize("case", WRONG)
def test_nonsense_is_refused_with_its_place(case: str) -> None:
    """By the one function that HTTP, events and the command line use."""
    options, said = WRONG[case]

    with pytest.raises(ContractError) as refused:
        parse_declaration(document(options), KNOWN)

    assert said in str(refused.value)


PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "trivial": (
        {"evaluation": {"gates": [{"metric": "digit-accuracy", "beats": "trivial"}]}},
        "evaluation.gates[0].beats: task custom has no answer that needs no model; say `beats: champion`, or a limit",
    ),
    "unknown metric": ({"evaluation": {"metrics": ["digit-acuracy"]}}, "did you mean 'digit-accuracy'?"),
    "metric of another task": (
        {"evaluation": {"metrics": ["roc_auc"]}},
        "roc_auc is no metric of custom; known are digit-a",
    ),
    "watched": (
        {"monitoring": {"performance": {"metric": "digit-accuracy", "drop": 0.1}}},
        "monitoring.performance: the metrics of task custom are functions of yours, which only the trainer runs",
    ),
    "no code": ({"training": {}}, "training.code: is missing; task custom is trained by code of your own"),
    "no package": ({"training": {"on": []}}, "task_options.package: is missing; it has the functions that judge"),
    "a library": (
        {"training": {"framework": "lightgbm", "estimator": "lightgbm.LGBMClassifier", "on": []}},
        "training.estimator: task custom has no estimators; bring a model by code of your own",
    ),
    "positive": ({"data": {"dataset": "d", "target": "t", "positive": 1}}, "data.positive: is for binary"),
    "weights": ({"data": {"dataset": "d", "target": "t", "weight": "a"}}, "data.weight: is asked of estimators"),
}


@pytest.mark.parametrize("case", PARTS)
def test_what_goes_with_no_custom_model_is_refused(case: str) -> None:
    """At `apply`, with what would be right."""
    parts, said = PARTS[case]

    with pytest.raises(ContractError) as refused:
        parse_declaration(document(**parts), KNOWN)

    assert said in str(refused.value)


def test_a_model_that_is_imported_alone_needs_no_code() -> None:
    """It names the package with its functions, and trains on nothing."""
    declared = parse_declaration(document({**LEAST, "package": "net@3"}, training={"on": []}))

    assert (declared.training.code, CUSTOM.metrics_package(declared.task_options or {})) == (None, "net@3")


def test_the_columns_of_inputs_are_the_features_and_nothing_else_is() -> None:
    """A column that no input is made of is not learned; `data.features` would say it twice."""
    from headrace.contracts import Column
    from headrace.trainer.planning import plan

    told = parse_declaration(document({**LEAST, "inputs": [PAIR]}), KNOWN)
    columns = [Column(name=name, type=kind, nullable=False) for name, kind in KNOWN.types.items()]

    assert [column.name for column in plan(told, columns, {}, None, "").features] == ["a", "b"]
    assert plan(told, columns, {}, None, "").metrics == ["digit-accuracy"]
    data = {"dataset": "d", "target": "t", "features": ["a", "b"]}
    with pytest.raises(ContractError, match=r"data\.features: the inputs of task custom name their columns"):
        parse_declaration(document({**LEAST, "inputs": [PAIR]}, data=data), KNOWN)


def test_a_columns_name_is_composed_as_data_have_it() -> None:
    """Two ways to write the same letters are one column."""
    pair = {**PAIR, "columns": ["u\u0308ber", "b"]}

    told = parse_declaration(document({**LEAST, "inputs": [pair]})).task_options

    assert told is not None
    assert told["inputs"][0]["columns"] == ["\u00fcber", "b"]


@pytest.mark.parametrize("options", [None, 3, [], {"metrics": 3}, {"metrics": [3, {"name": 4}, {"name": "a"}]}])
def test_metrics_of_what_was_never_checked_are_those_that_are_whole(options: Any) -> None:
    """The names are needed before the options are judged; what is none is told as such, and raises nothing else."""
    assert INSTALLED.with_own_metrics({"task_options": options}).metrics == INSTALLED.metrics


# signatures


def test_a_signature_makes_the_same_target_again() -> None:
    """Whoever serves or watches knows no declaration."""
    mine = CUSTOM.learn(np.array(["a", 3], dtype=object), "t", None, digit_options(watch="digit"))

    told = Signature(task="custom", inputs=mine.inputs(), outputs=mine.outputs(), task_options=dict(mine.options))

    assert target_of(Signature.model_validate_json(told.model_dump_json(exclude_none=True))) == mine
    assert [(each.name, each.datatype, each.shape) for each in mine.inputs()] == [("image", "FP32", [-1, 8, 8])]
    assert [(each.name, each.shape) for each in mine.outputs()] == [("digit", [-1]), ("scores", [-1, 10])]
    assert mine.by_name
    assert mine.judged_by


# requests


def test_columns_become_tensors_row_by_row_and_columns_again() -> None:
    """What a request holds can be watched column by column."""
    mine = target(inputs=[PAIR])
    [tensor] = mine.inputs()

    made = mine.requested([tensor], {"a": np.array([1, 2]), "b": np.array([3.5, 4.5])})

    assert made["pair"].dtype == np.float32
    assert made["pair"].tolist() == [[[1, 3.5]], [[2, 4.5]]]
    assert mine.asked_by([tensor]) == ["a", "b"]
    assert mine.columns_in({"pair": made["pair"].tolist(), "extra": [1, 2]}) == {
        "a": [1, 2], "b": [3.5, 4.5], "extra": [1, 2]
    }  # fmt: skip


@given(st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=6))
def test_putting_together_and_taking_apart_are_each_others_inverse(rows: list[list[int]]) -> None:
    """Of any rows, whatever their number."""
    names = ["a", "b", "c", "d"]
    mine = target(inputs=[{"name": "x", "datatype": "INT16", "shape": [-1, 2, 2], "columns": names}])
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}

    made = mine.requested(mine.inputs(), columns)

    assert made["x"].shape == (len(rows), 2, 2)
    assert mine.columns_in({"x": made["x"].tolist()}) == columns


def test_features_without_declared_inputs_are_one_tensor_each() -> None:
    """As every other task has them."""
    mine = target()
    inputs = [Tensor(name=name, datatype="FP64", shape=[-1]) for name in ("a", "b")]

    assert mine.inputs() == []
    assert mine.requested(inputs, {"a": [1], "b": [2], "c": [3]}) == {"a": [1], "b": [2]}
    assert mine.columns_in({"a": [1]}) == {"a": [1]}


def test_a_request_that_lacks_elements_has_gaps_and_no_shifted_columns() -> None:
    """The log may hold what an older version took."""
    assert target(inputs=[PAIR]).columns_in({"pair": [[[1, 2]], [[3]], None]}) == {
        "a": [1, None, None], "b": [2, None, None]
    }  # fmt: skip


def test_missing_numbers_and_text_are_no_elements_of_a_tensor_of_numbers() -> None:
    """Told with the column and how many rows; text may be missing."""
    mine = target(inputs=[PAIR])
    words = target(inputs=[{**PAIR, "datatype": "BYTES"}])

    with pytest.raises(BadTruth, match="column 'b', of which input 'pair' is made, is missing in 1 rows"):
        mine.requested(mine.inputs(), {"a": [1, 2], "b": [None, 2]})
    with pytest.raises(BadTruth, match="column 'a', of which input 'pair' is made, is missing in 2 rows"):
        mine.requested(mine.inputs(), {"a": [math.nan, math.nan], "b": [1, 2]})
    with pytest.raises(BadTruth, match="input 'pair' takes FP32, and its columns hold others"):
        mine.requested(mine.inputs(), {"a": ["x", "y"], "b": [1, 2]})
    made = words.requested(words.inputs(), {"a": ["x", None], "b": [1, "y"]})
    assert made["pair"].tolist() == [[["x", "1"]], [[None, "y"]]]
    assert [each.nullable for each in (*mine.inputs(), *words.inputs())] == [False, True]


# truth and answers


def test_any_value_can_be_true_and_none_that_is_missing() -> None:
    """The functions are given the values themselves; here they only count."""
    mine = target()

    assert mine.encode(np.array(["a", 3, None], dtype=object))[:2].tolist() == [1, 1]
    assert np.isnan(mine.encode(np.array(["a", 3, None], dtype=object))[2])
    assert mine.truths(["a", 3, True, 2.5]).tolist() == [1, 1, 1, 1]
    assert np.isnan(mine.truths([None, math.nan])).all()
    with pytest.raises(BadTruth, match="a missing value is no truth"):
        mine.read(None)


def test_a_row_is_known_where_every_output_is_whole() -> None:
    """As arrays and as they were logged; without an output there is nothing to judge."""
    mine = target()
    scores = np.array([[0.1, 0.2, 0.7], [0.1, math.nan, 0.7], [1, 0, 0]], np.float32)
    digits = np.array([2, 1, 0])

    now = mine.score({"digit": digits, "scores": scores})
    later = mine.score({"digit": [2, 1, None], "scores": [[0.1, 0.2, 0.7], [0.1, None, 0.7], [1, 0, 0]]})

    assert now is not None
    assert later is not None
    assert now.known.tolist() == [True, False, True]
    assert later.known.tolist() == [True, False, False]
    assert mine.score({"digit": digits}) is None
    assert mine.score({}) is None


def test_drift_looks_at_the_named_output_or_the_first_with_one_value_a_row() -> None:
    """Numbers as numbers; text, truth values and labels as categories."""
    outputs = {"digit": [1, None, 3], "scores": [[1.0, 2, 3]] * 3, "topic": ["a", None, "b"], "sure": [0.5, 0.25, 1.0]}
    named = [*TWO, {"name": "topic", "datatype": "BYTES"}, {"name": "sure", "datatype": "FP64"}]

    first = target(outputs=named).watched(outputs)
    topic = target(outputs=named, watch="topic").watched(outputs)

    assert first is not None
    assert first.kind == "numeric"
    assert first.values[0] == 1
    assert np.isnan(first.values[1])
    assert topic is not None
    assert (topic.kind, topic.values.tolist()) == ("categorical", ["a", None, "b"])
    assert target(outputs=[TWO[1]]).watched(outputs) is None
    assert target(outputs=named).watched({}) is None


def test_models_with_the_same_outputs_are_compared_and_no_others() -> None:
    """Whatever goes in: the functions judge what comes out."""
    mine, values = target(), np.ones(3)
    labelled = target(outputs=[{"name": "digit", "datatype": "BYTES", "labels": ["a", "b"]}, TWO[1]])

    assert mine.aligned(target(inputs=[PAIR]), values) is values
    with pytest.raises(BadTruth, match="its outputs are others: digit"):
        mine.aligned(labelled, values)
    with pytest.raises(BadTruth, match="its outputs are others: more"):
        mine.aligned(target(outputs=[*TWO, {"name": "more", "datatype": "BOOL"}]), values)
    with pytest.raises(BadTruth, match="it answers as regression, not as custom"):
        mine.aligned(TASKS["regression"].bare(), values)


def test_there_is_no_answer_without_a_model_and_no_label_of_interest() -> None:
    """Neither a share nor a mean means anything here."""
    mine = target()

    assert mine.trivial(np.ones(4), 4, None) == []
    assert mine.outcomes({"digit": [1, 2]}) == {}
    assert mine.unsure({"digit": np.array([1, 2])}).tolist() == [False, False]
    with pytest.raises(NotImplementedError, match="gives digit, scores"):
        mine.answer(np.ones((2, 2)), NUMPY)
    assert len(PIXELS) == 64
