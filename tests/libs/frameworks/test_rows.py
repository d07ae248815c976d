"""Some of the rows that an estimator learns, with all that is known of them; and parameters by their own names."""

from dataclasses import fields

import numpy as np
import pytest

from headrace.contracts.estimators import Estimator, Parameter
from headrace.frameworks.estimators import by_own_names, listed_estimator
from headrace.frameworks.inner import Rows

FOUR = np.arange(4.0)
ROWS = Rows(np.stack([FOUR, -FOUR], axis=1), FOUR * 10, FOUR * 100, FOUR.astype(int), codes=(1,))


@pytest.mark.parametrize("which", [np.array([False, True, False, True]), np.array([1, 3])])
def test_some_of_the_rows_keep_all_that_is_known_of_them(which: np.ndarray) -> None:
    """By a mask or by places; which columns hold codes of texts does not depend on the rows."""
    some = ROWS.at(which)

    assert some.seen.tolist() == [[1, -1], [3, -3]]
    assert some.truth.tolist() == [10, 30]
    assert some.weights is not None
    assert some.groups is not None
    assert (some.weights.tolist(), some.groups.tolist(), some.codes) == ([100, 300], [1, 3], (1,))


def test_rows_that_are_seen_otherwise_are_chosen_by_the_same_rule() -> None:
    """What is watched is prepared by what was learned of other rows; everything else is as it was."""
    seen = np.array([[7.0, 7.0]])
    some = ROWS.at(np.array([2]), seen)

    assert some.seen is seen
    for each in fields(Rows):
        value, whole = getattr(some, each.name), getattr(ROWS, each.name)
        assert each.name in ("seen", "judged") or np.array_equal(
            value, whole if each.name == "codes" else whole[[2]]
        ), each.name


def test_what_is_not_known_of_rows_is_not_known_of_some_of_them() -> None:
    """No weights and no groups stay none."""
    some = Rows(ROWS.seen, ROWS.truth, None).at(np.array([0]))

    assert (some.weights, some.groups, some.codes) == (None, None, ())


def test_a_parameter_is_called_as_its_estimator_calls_it() -> None:
    """By any of its names; one that nobody knows stays as it is, to be refused by name."""
    listed = Estimator("regressor", {"learning_rate": Parameter(aliases=["eta"]), "depth": Parameter()})
    given = {"eta": 0.1, "depth": 3, "detph": 4}

    assert by_own_names(given, listed) == {"learning_rate": 0.1, "depth": 3, "detph": 4}
    assert by_own_names(given, None) == given


def test_an_estimator_that_the_catalogue_does_not_have_is_none() -> None:
    """Nor is there one of a framework that it does not have: the catalogue is made with the same code."""
    assert listed_estimator("lightgbm.LGBMRegressor", "lightgbm") is not None
    assert listed_estimator("lightgbm.NoSuchThing", "lightgbm") is None
    assert listed_estimator("lightgbm.LGBMRegressor", "a-framework-to-come") is None
