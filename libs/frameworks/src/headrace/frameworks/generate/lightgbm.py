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
from headrace.frameworks.generate.trial import tried

Param = dict[str, Any]

ESTIMATORS: Mapping[str, EstimatorKind] = {
    "lightgbm.LGBMClassifier": "classifier",
    "lightgbm.LGBMRegressor": "regressor",
}
REFUSED = {
    "lightgbm.LGBMModel": "is the base of LGBMClassifier and LGBMRegressor; name one of them",
    "lightgbm.LGBMRanker": "ranks, which no task here does",
}
_FILES = "reads or writes a file on the node that trains"
_ROWS = "is for LightGBM's own reader of files; the rows come from the dataset"
_NET = "is for LightGBM's own network; a run uses the node that it was given"
_PREDICT = "is for predictions by LightGBM; a served model answers as it was exported"
_STOP = "needs validation rows inside the fit, which a run does not have"
_TASK = "is decided by the declaration's task"
_RANK = "is for ranking, which no task here does"
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
        _FILES,
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
    **dict.fromkeys(("early_stopping_round", "early_stopping_min_delta", "first_metric_only"), _STOP),
    **dict.fromkeys(("task", "num_class"), _TASK),
    **dict.fromkeys(
        (
            "eval_at",
            "label_gain",
            "lambdarank_norm",
            "lambdarank_truncation_level",
            "lambdarank_position_bias_regularization",
            "bagging_by_query",
        ),
        _RANK,
    ),
}
"""Documented parameters that a run cannot take, and why."""

_BOOLEAN = {"type": "boolean"}
_LIST = {"type": "list"}
_TEXT = {"type": "string"}
_SEED = {"type": "integer", "min": 0, "max": 2**31 - 1}
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
}  # fmt: skip


def _integer(low: int, high: int = 2**31 - 1) -> Param:
    return {"type": "integer", "min": low, "max": high}


def _number(low: float | None = None, high: float | None = None, *, opened: str = "") -> Param:
    """A range; `opened` names the ends that are not part of it."""
    bounds = {name: end for name, end in (("min", low), ("max", high)) if end is not None}
    return {"type": "number", **bounds, **({"open": opened.split()} if opened else {})}


def _one_of(*values: str) -> Param:
    return {"one_of": sorted(values)}


_SHARE = _number(0, 1, opened="min")
_ANY_SHARE = _number(0, 1)
_POSITIVE = _number(0, opened="min")
_FROM_0 = _number(0)
_COLUMNS: Param = {"type": "object"}
ALLOWED: Mapping[str, list[Param]] = {
    "alpha": [_POSITIVE],
    "auc_mu_weights": [_LIST],
    "bagging_fraction": [_SHARE],
    "bagging_freq": [_integer(0)],
    "bin_construct_sample_cnt": [_integer(1)],
    "boost_from_average": [_BOOLEAN],
    "boosting": [_one_of("gbdt", "rf", "dart", "goss")],
    "cat_l2": [_FROM_0],
    "cat_smooth": [_FROM_0],
    "categorical_feature": [_LIST, _one_of("auto")],
    "cegb_penalty_feature_coupled": [_LIST],
    "cegb_penalty_feature_lazy": [_LIST],
    "cegb_penalty_split": [_FROM_0],
    "cegb_tradeoff": [_FROM_0],
    "data_sample_strategy": [_one_of("bagging", "goss")],
    "deterministic": [_BOOLEAN],
    "device_type": [_one_of("cpu", "gpu", "cuda")],
    "drop_rate": [_ANY_SHARE],
    "enable_bundle": [_BOOLEAN],
    "extra_trees": [_BOOLEAN],
    "fair_c": [_POSITIVE],
    "feature_contri": [_LIST, _COLUMNS],
    "feature_fraction": [_SHARE],
    "feature_fraction_bynode": [_SHARE],
    "feature_pre_filter": [_BOOLEAN],
    "force_col_wise": [_BOOLEAN],
    "force_row_wise": [_BOOLEAN],
    "gpu_device_id": [_integer(-1)],
    "gpu_device_id_list": [_TEXT],
    "gpu_platform_id": [_integer(-1)],
    "gpu_use_dp": [_BOOLEAN],
    "histogram_pool_size": [_number()],
    "interaction_constraints": [_LIST],
    "is_enable_sparse": [_BOOLEAN],
    "is_provide_training_metric": [_BOOLEAN],
    "is_unbalance": [_BOOLEAN],
    "lambda_l1": [_FROM_0],
    "lambda_l2": [_FROM_0],
    "learning_rate": [_POSITIVE],
    "linear_lambda": [_FROM_0],
    "linear_tree": [_BOOLEAN],
    "max_bin": [_integer(2)],
    "max_bin_by_feature": [_LIST],
    "max_cat_threshold": [_integer(1)],
    "max_cat_to_onehot": [_integer(1)],
    "max_delta_step": [_number()],
    "max_depth": [_integer(-1)],
    "max_drop": [_integer(-1)],
    "metric": [_TEXT, _LIST],
    "metric_freq": [_integer(1)],
    "min_data_in_bin": [_integer(1)],
    "min_data_in_leaf": [_integer(0)],
    "min_data_per_group": [_integer(1)],
    "min_gain_to_split": [_FROM_0],
    "min_sum_hessian_in_leaf": [_FROM_0],
    "monotone_constraints": [_LIST, _COLUMNS],
    "monotone_constraints_method": [_one_of("basic", "intermediate", "advanced")],
    "monotone_penalty": [_FROM_0],
    "multi_error_top_k": [_integer(1)],
    "neg_bagging_fraction": [_SHARE],
    "num_gpu": [_integer(1)],
    "num_grad_quant_bins": [_integer(1)],
    "num_iterations": [_integer(1)],
    "num_leaves": [_integer(2, 131072)],
    "num_threads": [_integer(-1), {"type": "null"}],
    "other_rate": [_ANY_SHARE],
    "path_smooth": [_FROM_0],
    "poisson_max_delta_step": [_POSITIVE],
    "pos_bagging_fraction": [_SHARE],
    "quant_train_renew_leaf": [_BOOLEAN],
    "reg_sqrt": [_BOOLEAN],
    "saved_feature_importance_type": [_integer(0, 1)],
    "scale_pos_weight": [_POSITIVE],
    "seed": [_SEED, {"type": "null"}],
    "sigmoid": [_POSITIVE],
    "skip_drop": [_ANY_SHARE],
    "stochastic_rounding": [_BOOLEAN],
    "top_k": [_integer(1)],
    "top_rate": [_ANY_SHARE],
    "tree_learner": [_one_of("serial")],
    "tweedie_variance_power": [_number(1, 2, opened="max")],
    "uniform_drop": [_BOOLEAN],
    "use_missing": [_BOOLEAN],
    "use_quantized_grad": [_BOOLEAN],
    "verbosity": [_integer(-(2**31))],
    "xgboost_dart_mode": [_BOOLEAN],
    "zero_as_missing": [_BOOLEAN],
    **{
        name: [_SEED]
        for name in ("bagging_seed", "data_random_seed", "drop_seed", "extra_seed", "feature_fraction_seed")
    },
    "objective_seed": [_SEED],
    # of the class alone
    "class_weight": [_one_of("balanced"), {"type": "object"}, {"type": "null"}],
    "importance_type": [_one_of("split", "gain")],
}
NAMES = {
    "class_weight": "labels",
    "categorical_feature": "columns",
    "feature_contri": "columns",
    "interaction_constraints": "columns",
    "monotone_constraints": "columns",
}


def entry() -> dict[str, Any]:
    """Both estimators with every documented parameter, by the name that the class gives it."""
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
    documented = {main: names for main, names in groups.items() if main not in CLOSED}
    params = dict(_param(main, names, defaults, kind) for main, names in documented.items())
    own = {name: _own(name, default) for name, default in defaults.items() if not _in_a_group(name, groups)}
    closed = {name: why for main, why in CLOSED.items() for name in groups[main]}
    return {"kind": kind, "needs": {}, "params": params | own, "closed": closed}


def _in_a_group(name: str, groups: Mapping[str, list[str]]) -> bool:
    return any(name in names for names in groups.values())


def _param(main: str, names: list[str], defaults: Mapping[str, Any], kind: EstimatorKind) -> tuple[str, Param]:
    """A parameter by the name in the class's signature, else its own, with its other names."""
    name = next((each for each in names if each in defaults), main)
    allowed = [_one_of(*_LOSSES[kind]), {"type": "null"}] if main == "objective" else ALLOWED[main]
    found: Param = {"allowed": allowed, "aliases": sorted({main, *names} - {name})}
    if name in defaults:
        found["default"] = defaults[name]
    return name, found | ({"names": NAMES[main]} if main in NAMES else {})


def _own(name: str, default: Any) -> Param:
    return {"allowed": ALLOWED[name], "default": default, **({"names": NAMES[name]} if name in NAMES else {})}
