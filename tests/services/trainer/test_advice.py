"""What a run tells its author beside the model."""

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from headrace.contracts import Column, Preparation
from headrace.tasks import TASKS
from headrace.trainer.worker.advice import Known, advice
from headrace.trainer.worker.output import MOST_WARNINGS, Captured

ROWS = 600
TARGETS = {
    "binary": TASKS["binary"].bare(),
    "multiclass": TASKS["multiclass"].learn(np.arange(3), "y", None),
    "regression": TASKS["regression"].bare(),
}


def known(values: Any, truth: np.ndarray) -> tuple[Known, Known]:
    """Rows with one feature, every fifth held out."""
    rows = pd.DataFrame({"f": values})
    held = np.arange(ROWS) % 5 == 0
    return Known(rows[~held], truth[~held]), Known(rows[held], truth[held])


def advised(
    values: Any, truth: np.ndarray, kind: str = "number", task: str = "binary", steps: list[Any] | None = None
) -> list[str]:
    """What is said of a model with that one feature, and steps for it where they are declared."""
    feature = Column(name="f", type=kind, nullable=True)
    prepared = Preparation(columns={"f": steps}) if steps else None
    return list(advice([feature], prepared, *known(values, truth), TARGETS[task]))


RNG = np.random.default_rng(1)
COIN = np.sort(RNG.integers(0, 2, ROWS)).astype(float)
X = RNG.normal(size=ROWS)


@pytest.mark.parametrize(
    ("values", "truth", "kind", "task"),
    [
        (np.arange(ROWS), COIN, "integer", "binary"),
        (np.where(COIN == 1, "paid", "open"), COIN, "string", "binary"),
        (-X, (X > 0).astype(float), "number", "binary"),
        (np.abs(X), (np.abs(X) > 1).astype(float), "number", "binary"),
        (np.where(RNG.random(ROWS) < 0.05, np.nan, COIN), COIN, "number", "binary"),
        (X, 2 * X + 1, "number", "regression"),
        (X, np.digitize(X, [-0.5, 0.5]).astype(float), "number", "multiclass"),
    ],
    ids=["row number", "text", "falling", "no line", "gaps", "regression", "three labels"],
)
def test_a_feature_that_decides_alone_is_named(values: Any, truth: np.ndarray, kind: str, task: str) -> None:
    """A row number of sorted rows, a column that is written with the answer, in whatever shape."""
    if kind == "number" and np.isnan(values).any():
        truth = np.where(np.isnan(values), 1.0, truth)

    (said,) = advised(values, truth, kind, task)

    assert said.startswith("feature f alone decides the target almost always")
    assert "data.ignore" in said


def test_a_good_feature_is_no_suspect() -> None:
    """A strong and honest signal passes without a word."""
    assert advised(X, (X + RNG.normal(0, 1, ROWS) > 0).astype(float)) == []
    assert advised(X, X + RNG.normal(0, 1, ROWS), task="regression") == []


def test_a_text_of_many_values_is_named() -> None:
    """An identifier is no category; learning it by heart says nothing about the next row."""
    names = [f"customer {n % 400}" for n in range(ROWS)]

    (said,) = advised(names, RNG.integers(0, 2, ROWS).astype(float), "string")

    assert said.startswith("feature 'f' is text with 320 different values in 480 rows")


def test_warnings_and_prints_of_libraries_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Each warning once, without those for developers; prints go where they went, too."""
    with Captured() as captured:
        for _ in range(3):
            warnings.warn("lbfgs failed\n to converge", ConvergenceWarning, stacklevel=1)
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
        print("iteration 1")
        print("careful", file=sys.stderr)

    assert captured.warnings == ["ConvergenceWarning: lbfgs failed to converge"]
    assert captured.log == "iteration 1\ncareful\n"
    assert capsys.readouterr().out == "iteration 1\n"


def test_a_flood_of_warnings_ends() -> None:
    """The first ones say what there is to say."""
    with Captured() as captured:
        for row in range(100):
            warnings.warn(f"row {row}", UserWarning, stacklevel=1)

    assert len(captured.warnings) == MOST_WARNINGS + 1
    assert captured.warnings[-1] == "and 80 more"


@pytest.mark.parametrize("steps", [["hash"], ["tf-idf"], ["target-mean"], ["frequency"]])
def test_text_that_is_prepared_for_many_values_is_not_advised_about(steps: list[Any]) -> None:
    """The declaration says what to do with it; one column a value is said all the same."""
    texts = np.array([f"note {at}" for at in range(ROWS)], dtype=object)
    coin = RNG.integers(0, 2, ROWS).astype(float)

    assert not any("different values" in each for each in advised(texts, coin, "string", steps=steps))
    assert any("[tf-idf]" in each for each in advised(texts, coin, "string", steps=["one-hot"]))
