"""XGBoost's parameters, with ranges from its documentation.

https://xgboost.readthedocs.io/en/stable/parameter.html
"""

from collections.abc import Mapping
from typing import Any

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.generate.table import STOP, TASK, allowed, listed
from headrace.frameworks.generate.values import (
    ANY_SHARE,
    BOOLEAN,
    COLUMNS,
    FROM_0,
    LIST,
    NULL,
    POSITIVE,
    SEED,
    SHARE,
    TEXT,
    Param,
    integer,
    number,
    one_of,
)

ESTIMATORS: Mapping[str, EstimatorKind] = {
    "xgboost.XGBClassifier": "classifier",
    "xgboost.XGBRegressor": "regressor",
}
LOSSES = one_of(
    "reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror",
    "count:poisson", "reg:gamma", "reg:tweedie",
)  # fmt: skip
CLOSED = {
    "callbacks": "is Python, which a declaration cannot hold",
    "early_stopping_rounds": STOP,
    "eval_metric": "is said by the objective here; gates look at evaluation.metrics",
    "feature_types": "is made of the columns' types; say enable_categorical",
    "missing": "is NaN, as data come",
    "objective": TASK,
    "num_class": TASK,
}
COMMON: Mapping[str, Param] = {
    "base_score": allowed(number(), NULL),
    "booster": allowed(one_of("gbtree", "dart"), NULL),
    "colsample_bylevel": allowed(SHARE, NULL),
    "colsample_bynode": allowed(SHARE, NULL),
    "colsample_bytree": allowed(SHARE, NULL),
    "device": allowed(TEXT, NULL),
    "enable_categorical": allowed(BOOLEAN),
    "feature_weights": allowed(LIST, COLUMNS, names="columns"),
    "gamma": allowed(FROM_0, NULL, aliases=["min_split_loss"]),
    "grow_policy": allowed(one_of("depthwise", "lossguide"), NULL),
    "huber_slope": allowed(POSITIVE),
    "importance_type": allowed(one_of("gain", "weight", "cover", "total_gain", "total_cover"), NULL),
    "interaction_constraints": allowed(LIST, names="columns"),
    "learning_rate": allowed(POSITIVE, NULL, aliases=["eta"]),
    "max_bin": allowed(integer(2), NULL),
    "max_cat_threshold": allowed(integer(1), NULL),
    "max_cat_to_onehot": allowed(integer(1), NULL),
    "max_delta_step": allowed(FROM_0, NULL),
    "max_depth": allowed(integer(0), NULL),
    "max_leaves": allowed(integer(0), NULL),
    "min_child_weight": allowed(FROM_0, NULL),
    "monotone_constraints": allowed(LIST, COLUMNS, names="columns"),
    "n_estimators": allowed(integer(1), NULL, aliases=["num_boost_round"]),
    "n_jobs": allowed(integer(-1), NULL, aliases=["nthread"]),
    "normalize_type": allowed(one_of("tree", "forest")),
    "num_parallel_tree": allowed(integer(1), NULL),
    "one_drop": allowed(BOOLEAN),
    "random_state": allowed(SEED, NULL, aliases=["seed"]),
    "rate_drop": allowed(ANY_SHARE),
    "reg_alpha": allowed(FROM_0, NULL, aliases=["alpha"]),
    "reg_lambda": allowed(FROM_0, NULL, aliases=["lambda"]),
    "sample_type": allowed(one_of("uniform", "weighted")),
    "sampling_method": allowed(one_of("uniform", "gradient_based"), NULL),
    "scale_pos_weight": allowed(POSITIVE, NULL),
    "skip_drop": allowed(ANY_SHARE),
    "subsample": allowed(SHARE, NULL),
    "tree_method": allowed(one_of("auto", "exact", "approx", "hist"), NULL),
    "tweedie_variance_power": allowed(number(1, 2, opened="min max")),
    "verbosity": allowed(integer(0, 3), NULL),
}
PARAMS: Mapping[EstimatorKind, Mapping[str, Param]] = {
    "classifier": COMMON,
    "regressor": {**COMMON, "objective": allowed(LOSSES, NULL)},
}


def entry() -> dict[str, Any]:
    """Both estimators with every parameter that a run can take."""
    return listed("xgboost", ESTIMATORS, PARAMS, CLOSED)
