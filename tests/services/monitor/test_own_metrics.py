"""Windows of models whose metrics are functions of a user: no quality, drift of the columns and of one output."""

import numpy as np
import pandas as pd

from headrace.contracts import ANSWER_COLUMN, Column, PredictionLogged, Signature, VersionRegistered
from headrace.monitor.measurement import measure
from headrace.monitor.sample import packed, sample_of
from headrace.monitor.tables import LoggedRow
from headrace.tasks import TASKS, parse_declaration
from headrace.testkit import a

OPTIONS = {
    "inputs": [{"name": "pair", "datatype": "FP32", "shape": [-1, 2], "columns": ["a", "b"]}],
    "outputs": [{"name": "digit", "datatype": "INT64"}, {"name": "scores", "datatype": "FP32", "shape": [-1, 3]}],
    "metrics": [{"name": "right", "entry": "judge:right", "goal": "maximize"}],
}
ROWS = 120


def logged(pairs: np.ndarray) -> LoggedRow:
    """One answer to all rows, as the replica logs it."""
    outputs = {"digit": [int(each) for each in pairs[:, 0] > 0], "scores": [[0.2, 0.3, 0.5]] * ROWS}
    event = a(
        PredictionLogged, prediction_id="p-1", rows=ROWS, inputs={"pair": pairs.tolist()}, outputs=outputs,
        context=None, keys=None, first_row=0,
    )  # fmt: skip
    return LoggedRow(prediction_id="p-1", first_row=0, rows=ROWS, data=packed(event))


def test_a_window_says_why_it_has_no_figures_and_watches_columns_and_answers() -> None:
    """The tensor is taken apart into the columns that it was made of; the one that moved has drifted."""
    target = TASKS["custom"].bare(OPTIONS)
    chance = np.random.default_rng(0)
    before = chance.normal(size=(400, 2))
    pairs = chance.normal(size=(ROWS, 2)) + np.array([0.0, 5.0])
    reference = pd.DataFrame(before, columns=["a", "b"]).assign(**{ANSWER_COLUMN: (before[:, 0] > 0).astype(float)})
    told = {"dataset": "d", "target": "t"}
    declared = parse_declaration(
        {
            "name": "m", "task": "custom", "task_options": OPTIONS, "data": told,
            "training": {"code": {"package": "net", "entry": "a:b"}}, "monitoring": {"minimum": 50},
        }
    )  # fmt: skip
    signature = Signature(
        task="custom", inputs=target.inputs(), outputs=target.outputs(), task_options=dict(target.options)
    )
    columns = [Column(name=name, type="number", nullable=False) for name in ("a", "b")]
    known = a(VersionRegistered, signature=signature, features=columns)
    sample = sample_of([logged(pairs)], {("p-1", at): "anything" for at in range(ROWS)}, target)

    found = measure(sample, declared, known, reference, 1)

    assert sample.truths == ROWS
    assert found.metrics == {}
    [why] = [each for each in found.not_judged if each.column is None and "quality" in (each.reason or "")]
    assert why.rows == ROWS
    assert (
        why.reason
        == "metrics are functions of the model's own package, which only the trainer runs: no figures of quality"
    )
    assert {(each.column, each.role, each.drifted) for each in found.drift} == {
        ("a", "feature", False), ("b", "feature", True), (ANSWER_COLUMN, "prediction", False)
    }  # fmt: skip
