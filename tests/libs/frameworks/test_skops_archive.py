"""Archives of skops that are the same for the same object, and load as the given one."""

import io
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from headrace.frameworks.sklearn import TRUSTED
from headrace.frameworks.skops_archive import stable

ROWS = np.random.default_rng(2).normal(size=(80, 3))
TRUTH = (ROWS[:, 0] > 0).astype(int)
ESTIMATORS = [
    lambda: LogisticRegression(class_weight={0: 1.0, 1: 2.0}),
    lambda: DecisionTreeClassifier(max_depth=3, random_state=1),
    lambda: KNeighborsClassifier(),
    lambda: MLPClassifier((3,), max_iter=2, random_state=np.random.RandomState(4)),
]


def fitted(estimator: Any) -> Pipeline:
    """A pipeline with shared arrays, texts and numbers."""
    prepared = ColumnTransformer([("scaled", StandardScaler(), [0, 1]), ("coded", OneHotEncoder(), [2])])
    whole = np.column_stack([ROWS[:, :2], np.round(ROWS[:, 2])])
    return Pipeline([("prepared", prepared), ("estimator", estimator)]).fit(whole, TRUTH)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", ESTIMATORS)
def test_the_same_fit_gives_the_same_bytes(make: Any) -> None:
    """However its objects lie in memory; what skops itself writes differs every time."""
    first, second = fitted(make()), fitted(make())
    apart = [skops.io.dumps(each) for each in (first, second)]

    assert apart[0] != apart[1]
    assert stable(apart[0]) == stable(apart[1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", ESTIMATORS)
def test_what_is_numbered_answers_as_before(make: Any) -> None:
    """Loading it gives an equal pipeline, of the same types; numbering it once more changes nothing."""
    own = fitted(make())
    data = stable(skops.io.dumps(own))
    loaded = skops.io.loads(data, trusted=list(TRUSTED))
    rows = np.column_stack([ROWS[:, :2], np.round(ROWS[:, 2])])

    assert np.array_equal(loaded.predict_proba(rows), own.predict_proba(rows))
    assert stable(data) == data


def test_another_fit_gives_other_bytes() -> None:
    """Nothing of the model is left out."""
    assert stable(skops.io.dumps(fitted(LogisticRegression(C=1.0)))) != stable(
        skops.io.dumps(fitted(LogisticRegression(C=0.5)))
    )


def test_what_is_shared_stays_shared_and_a_user_s_own_words_stay_as_they_are() -> None:
    """One array in two places is one file; keys that look like skops' own are a user's."""
    array = np.arange(4.0)
    value = {"file": "1.npy", "__id__": 7, "twice": [array, array], "raw": b"bytes", "alone": np.arange(4.0)}

    data = stable(skops.io.dumps(value))
    loaded = skops.io.loads(data)

    names = ZipFile(io.BytesIO(data)).namelist()
    assert names == ["0.npy", "1.bin", "2.npy", "schema.json"]
    assert (loaded["file"], loaded["__id__"], loaded["raw"]) == ("1.npy", 7, b"bytes")
    assert loaded["twice"][0] is loaded["twice"][1]
    assert loaded["twice"][0].tolist() == loaded["alone"].tolist() == array.tolist()
