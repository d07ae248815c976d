"""CatBoost's parameters, with ranges from its documentation.

https://catboost.ai/docs/en/references/training-parameters/
"""

from collections.abc import Mapping
from typing import Any

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.generate.table import FILES, STOP, TASK, allowed, listed
from headrace.frameworks.generate.values import (
    BOOLEAN,
    COLUMNS,
    FROM_0,
    LIST,
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
    "catboost.CatBoostClassifier": "classifier",
    "catboost.CatBoostRegressor": "regressor",
}
CLOSED = {
    **dict.fromkeys(("allow_writing_files", "save_snapshot", "snapshot_file", "train_dir", "input_borders"), FILES),
    **dict.fromkeys(
        ("od_type", "od_wait", "od_pval", "early_stopping_rounds", "eval_fraction", "use_best_model"), STOP
    ),
    **dict.fromkeys(("class_weights", "auto_class_weights"), "is said as training.class_weight, for every framework"),
    **dict.fromkeys(("class_names", "classes_count", "target_border"), TASK),
    **dict.fromkeys(
        ("custom_loss", "custom_metric", "eval_metric"), "has no effect here; gates look at evaluation.metrics"
    ),
    **dict.fromkeys(("text_features", "embedding_features"), "is for columns that no dataset here has"),
}
COMMON: Mapping[str, Param] = {
    "bagging_temperature": allowed(FROM_0),
    "boost_from_average": allowed(BOOLEAN),
    "boosting_type": allowed(one_of("Ordered", "Plain")),
    "bootstrap_type": allowed(one_of("Bayesian", "Bernoulli", "MVS", "Poisson", "No")),
    "border_count": allowed(integer(1, 65535), aliases=["max_bin"]),
    "cat_features": allowed(LIST, names="columns"),
    "depth": allowed(integer(1, 16), aliases=["max_depth"]),
    "devices": allowed(TEXT),
    "fold_len_multiplier": allowed(number(1, opened="min")),
    "grow_policy": allowed(one_of("SymmetricTree", "Depthwise", "Lossguide")),
    "has_time": allowed(BOOLEAN),
    "iterations": allowed(integer(1), aliases=["n_estimators", "num_boost_round", "num_trees"]),
    "l2_leaf_reg": allowed(FROM_0, aliases=["reg_lambda"]),
    "leaf_estimation_backtracking": allowed(one_of("No", "AnyImprovement", "Armijo")),
    "leaf_estimation_iterations": allowed(integer(1)),
    "leaf_estimation_method": allowed(one_of("Newton", "Gradient", "Exact")),
    "learning_rate": allowed(POSITIVE, aliases=["eta"]),
    "max_ctr_complexity": allowed(integer(0, 8)),
    "max_leaves": allowed(integer(2), aliases=["num_leaves"]),
    "min_data_in_leaf": allowed(integer(1), aliases=["min_child_samples"]),
    "model_size_reg": allowed(FROM_0),
    "monotone_constraints": allowed(LIST, COLUMNS, names="columns"),
    "nan_mode": allowed(one_of("Min", "Max")),
    "one_hot_max_size": allowed(integer(0, 255)),
    "random_seed": allowed(SEED, aliases=["random_state"]),
    "random_strength": allowed(FROM_0),
    "rsm": allowed(SHARE, aliases=["colsample_bylevel"]),
    "sampling_frequency": allowed(one_of("PerTree", "PerTreeLevel")),
    "score_function": allowed(one_of("Cosine", "L2", "NewtonCosine", "NewtonL2")),
    "subsample": allowed(SHARE),
    "task_type": allowed(one_of("CPU", "GPU")),
    "thread_count": allowed(integer(-1)),
}
_LOSSES = {
    "classifier": one_of("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"),
    "regressor": TEXT,  # losses with their own numbers: "Quantile:alpha=0.9"
}
PARAMS: Mapping[EstimatorKind, Mapping[str, Param]] = {
    "classifier": {
        **COMMON,
        "loss_function": allowed(_LOSSES["classifier"], aliases=["objective"]),
        "scale_pos_weight": allowed(POSITIVE),
    },
    "regressor": {**COMMON, "loss_function": allowed(_LOSSES["regressor"], aliases=["objective"])},
}


def entry() -> dict[str, Any]:
    """Both estimators with every parameter that a run can take."""
    return listed("catboost", ESTIMATORS, PARAMS, CLOSED)
