"""LightGBM's aliases mean what they say: the class's own default never goes before them."""

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, Recipe

CHANCE = np.random.default_rng(0)
WIND = CHANCE.normal(size=300)
FRAME = pd.DataFrame({"wind": WIND, "delay": WIND * 2 + CHANCE.normal(size=300)})


def answers(**params: object) -> np.ndarray:
    """What a model with these parameters says of the rows that it has learned from."""
    columns = [Column(name="wind", type="number", nullable=False)]
    recipe = Recipe("lightgbm.LGBMRegressor", {"n_estimators": 5, **params}, 0, columns, "delay", "regression")
    fitted = FRAMEWORKS["lightgbm"].fit(FRAME, recipe, lambda step, of: None)
    found: np.ndarray = fitted.pipeline.predict(fitted.sample)
    return found


@pytest.mark.parametrize(
    ("alias", "own", "value"),
    [
        ("eta", "learning_rate", 0.5),
        ("max_leaf", "num_leaves", 3),
        ("min_data_in_leaf", "min_child_samples", 100),
        ("lambda_l1", "reg_alpha", 50),
        ("feature_fraction_bynode", "colsample_bynode", 0.5),
    ],
)
def test_an_alias_and_the_class_s_own_name_are_one_parameter(alias: str, own: str, value: float) -> None:
    """`eta: 0.5` trained with the default rate of 0.1."""
    by_alias = answers(**{alias: value})

    assert np.array_equal(by_alias, answers(**{own: value}))
    if own != "colsample_bynode":  # of one column, every share is all of it
        assert not np.array_equal(by_alias, answers())
