"""LightGBM's parameters: those that its own library lists, with their aliases; ranges from its documentation.

https://lightgbm.readthedocs.io/en/stable/Parameters.html
"""

import inspect
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import lightgbm
from lightgbm.basic import _ConfigAliases

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.catalog import CATALOG
from headrace.frameworks.generate.table import FILES, STOP, TAKES, TASK
from headrace.frameworks.generate.trial import decided, tried
from headrace.frameworks.generate.values import (
    ANY_SHARE,
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
from headrace.frameworks.lightgbm import LEVELS

ESTIMATORS: Mapping[str, EstimatorKind] = {
    "lightgbm.LGBMClassifier": "classifier",
    "lightgbm.LGBMRegressor": "regressor",
    "lightgbm.LGBMRanker": "ranker",
}
REFUSED = {
    "lightgbm.LGBMModel": "is the base of LGBMClassifier and LGBMRegressor; name one of them",
}
_ROWS = "is for LightGBM's own reader of files; the rows come from the dataset"
_NET = "is for LightGBM's own network; a run uses the node that it was given"
_PREDICT = "is for predictions by LightGBM; a served model answers as it was exported"
_EVAL = "is for validation rows inside the fit; evaluation.metrics says what a version is judged by"
_POSITIONS = "needs the place at which each row was shown, which a run does not have"
CLOSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "config",
            "data",
            "valid",
            "input_model",
            "output_model",
            "output_result",
            "convert_model",
            "convert_model_language",
            "forcedbins_filename",
            "forcedsplits_filename",
            "parser_config_file",
            "save_binary",
            "snapshot_freq",
        ),
        FILES,
    ),
    **dict.fromkeys(
        (
            "header",
            "label_column",
            "weight_column",
            "group_column",
            "ignore_column",
            "two_round",
            "pre_partition",
            "precise_float_parser",
        ),
        _ROWS,
    ),
    **dict.fromkeys(("machines", "machine_list_filename", "num_machines", "local_listen_port", "time_out"), _NET),
    **dict.fromkeys(
        (
            "num_iteration_predict",
            "start_iteration_predict",
            "predict_contrib",
            "predict_leaf_index",
            "predict_raw_score",
            "predict_disable_shape_check",
            "pred_early_stop",
            "pred_early_stop_freq",
            "pred_early_stop_margin",
            "refit_decay_rate",
        ),
        _PREDICT,
    ),
    **dict.fromkeys(("early_stopping_round", "early_stopping_min_delta", "first_metric_only"), STOP),
    **dict.fromkeys(("task", "num_class"), TASK),
    "eval_at": _EVAL,
    "lambdarank_position_bias_regularization": _POSITIONS,
}
"""Documented parameters that a run cannot take, and why."""
OF_RANKERS = ("label_gain", "lambdarank_norm", "lambdarank_truncation_level", "bagging_by_query")
_RANKER = "is for lightgbm.LGBMRanker alone"

_LOSSES: Mapping[EstimatorKind, list[str]] = {
    "classifier": [
        "binary", "cross_entropy", "cross_entropy_lambda", "xentropy", "xentlambda",
        "multiclass", "softmax", "multiclassova", "multiclass_ova", "ova", "ovr",
    ],
    "regressor": [
        "regression", "regression_l2", "l2", "mean_squared_error", "mse", "l2_root", "root_mean_squared_error", "rmse",
        "regression_l1", "l1", "mean_absolute_error", "mae", "huber", "fair", "poisson", "quantile", "mape",
        "mean_absolute_percentage_error", "gamma", "tweedie",
    ],
    "ranker": ["lambdarank", "rank_xendcg", "xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart"],
}  # fmt: skip


ALLOWED: Mapping[str, list[Param]] = {
    "alpha": [POSITIVE],
    "auc_mu_weights": [LIST],
    "bagging_by_query": [BOOLEAN],
    "bagging_fraction": [SHARE],
    "bagging_freq": [integer(0)],
    "bin_construct_sample_cnt": [integer(1)],
    "boost_from_average": [BOOLEAN],
    "boosting": [one_of("gbdt", "rf", "dart", "goss")],
    "cat_l2": [FROM_0],
    "cat_smooth": [FROM_0],
    "categorical_feature": [LIST, one_of("auto")],
    "cegb_penalty_feature_coupled": [LIST],
    "cegb_penalty_feature_lazy": [LIST],
    "cegb_penalty_split": [FROM_0],
    "cegb_tradeoff": [FROM_0],
    "data_sample_strategy": [one_of("bagging", "goss")],
    "deterministic": [BOOLEAN],
    "device_type": [one_of("cpu", "gpu", "cuda")],
    "drop_rate": [ANY_SHARE],
    "enable_bundle": [BOOLEAN],
    "extra_trees": [BOOLEAN],
    "fair_c": [POSITIVE],
    "feature_contri": [LIST, COLUMNS],
    "feature_fraction": [SHARE],
    "feature_fraction_bynode": [SHARE],
    "feature_pre_filter": [BOOLEAN],
    "force_col_wise": [BOOLEAN],
    "force_row_wise": [BOOLEAN],
    "gpu_device_id": [integer(-1)],
    "gpu_device_id_list": [TEXT],
    "gpu_platform_id": [integer(-1)],
    "gpu_use_dp": [BOOLEAN],
    "histogram_pool_size": [number()],
    "interaction_constraints": [LIST],
    "is_enable_sparse": [BOOLEAN],
    "is_provide_training_metric": [BOOLEAN],
    "is_unbalance": [BOOLEAN],
    "label_gain": [LIST],
    "lambda_l1": [FROM_0],
    "lambda_l2": [FROM_0],
    "lambdarank_norm": [BOOLEAN],
    "lambdarank_truncation_level": [integer(1)],
    "learning_rate": [POSITIVE],
    "linear_lambda": [FROM_0],
    "linear_tree": [BOOLEAN],
    "max_bin": [integer(2)],
    "max_bin_by_feature": [LIST],
    "max_cat_threshold": [integer(1)],
    "max_cat_to_onehot": [integer(1)],
    "max_delta_step": [number()],
    "max_depth": [integer(-1)],
    "max_drop": [integer(-1)],
    "metric": [TEXT, LIST],
    "metric_freq": [integer(1)],
    "min_data_in_bin": [integer(1)],
    "min_data_in_leaf": [integer(0)],
    "min_data_per_group": [integer(1)],
    "min_gain_to_split": [FROM_0],
    "min_sum_hessian_in_leaf": [FROM_0],
    "monotone_constraints": [LIST, COLUMNS],
    "monotone_constraints_method": [one_of("basic", "intermediate", "advanced")],
    "monotone_penalty": [FROM_0],
    "multi_error_top_k": [integer(1)],
    "neg_bagging_fraction": [SHARE],
    "num_gpu": [integer(1)],
    "num_grad_quant_bins": [integer(1)],
    "num_iterations": [integer(1)],
    "num_leaves": [integer(2, 131072)],
    "num_threads": [integer(-1), {"type": "null"}],
    "other_rate": [ANY_SHARE],
    "path_smooth": [FROM_0],
    "poisson_max_delta_step": [POSITIVE],
    "pos_bagging_fraction": [SHARE],
    "quant_train_renew_leaf": [BOOLEAN],
    "reg_sqrt": [BOOLEAN],
    "saved_feature_importance_type": [integer(0, 1)],
    "scale_pos_weight": [POSITIVE],
    "seed": [SEED, {"type": "null"}],
    "sigmoid": [POSITIVE],
    "skip_drop": [ANY_SHARE],
    "stochastic_rounding": [BOOLEAN],
    "top_k": [integer(1)],
    "top_rate": [ANY_SHARE],
    "tree_learner": [one_of("serial")],
    "tweedie_variance_power": [number(1, 2, opened="max")],
    "uniform_drop": [BOOLEAN],
    "use_missing": [BOOLEAN],
    "use_quantized_grad": [BOOLEAN],
    "verbosity": [integer(-(2**31))],
    "xgboost_dart_mode": [BOOLEAN],
    "zero_as_missing": [BOOLEAN],
    **{
        name: [SEED]
        for name in ("bagging_seed", "data_random_seed", "drop_seed", "extra_seed", "feature_fraction_seed")
    },
    "objective_seed": [SEED],
    # of the class alone
    "class_weight": [one_of("balanced"), {"type": "object"}, {"type": "null"}],
    "importance_type": [one_of("split", "gain")],
}
NAMES = {
    "class_weight": "labels",
    "categorical_feature": "columns",
    "feature_contri": "columns",
    "interaction_constraints": "columns",
    "monotone_constraints": "columns",
}


def entry() -> dict[str, Any]:
    """Every estimator with every documented parameter, by the name that the class gives it."""
    return {
        "version": version("lightgbm"),
        "usual": CATALOG["lightgbm"].usual,
        "estimators": {path: _estimator(path, kind) for path, kind in ESTIMATORS.items()},
        "refused": REFUSED,
    }


def _estimator(path: str, kind: EstimatorKind) -> dict[str, Any]:
    if cannot := tried(CATALOG["lightgbm"].load(), path, kind, {}):
        raise RuntimeError(f"{path} cannot be trained here: {cannot}")
    cls = getattr(lightgbm, path.rpartition(".")[2])
    defaults = {p.name: p.default for p in inspect.signature(cls).parameters.values() if p.default is not p.empty}
    groups = _ConfigAliases._get_all_param_aliases()
    unable = CLOSED if kind == "ranker" else {**CLOSED, **dict.fromkeys(OF_RANKERS, _RANKER)}
    documented = {main: names for main, names in groups.items() if main not in unable}
    params = dict(_param(main, names, defaults, kind) for main, names in documented.items())
    own = {name: _own(name, default) for name, default in defaults.items() if not _in_a_group(name, groups)}
    closed = {name: why for main, why in unable.items() for name in groups[main]}
    takes = [each for each in TAKES if kind != "ranker" or each != "early_stopping"]
    told = {"needs": {}, "params": params | own, "closed": closed, "takes": takes}
    return {"kind": kind, **told, "decided": decided(path, kind, LEVELS)}


def _in_a_group(name: str, groups: Mapping[str, list[str]]) -> bool:
    return any(name in names for names in groups.values())


def _param(main: str, names: list[str], defaults: Mapping[str, Any], kind: EstimatorKind) -> tuple[str, Param]:
    """A parameter by the name in the class's signature, else its own, with its other names."""
    name = next((each for each in names if each in defaults), main)
    allowed = [one_of(*_LOSSES[kind]), {"type": "null"}] if main == "objective" else ALLOWED[main]
    found: Param = {"allowed": allowed, "aliases": sorted({main, *names} - {name})}
    if name in defaults:
        found["default"] = defaults[name]
    return name, found | ({"names": NAMES[main]} if main in NAMES else {})


def _own(name: str, default: Any) -> Param:
    return {"allowed": ALLOWED[name], "default": default, **({"names": NAMES[name]} if name in NAMES else {})}
