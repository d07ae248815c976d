"""The parameters of our networks of torch."""

from collections.abc import Mapping
from typing import Any

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.generate.table import STOP, allowed, listed
from headrace.frameworks.generate.values import (
    BOOLEAN,
    FROM_0,
    NULL,
    POSITIVE,
    SEED,
    Param,
    integer,
    list_of,
    number,
    one_of,
    with_keys,
)
from headrace.frameworks.layers import ACTIVATIONS, MOST_UNITS
from headrace.frameworks.torch.estimators import QUANTILE
from headrace.frameworks.torch.framework import LEVELS
from headrace.frameworks.torch.learning import OF_NUMBERS

ESTIMATORS: Mapping[str, EstimatorKind] = {
    "headrace.frameworks.torch.TabularClassifier": "classifier",
    "headrace.frameworks.torch.TabularRegressor": "regressor",
}
CLOSED = {
    **dict.fromkeys(("device", "n_jobs", "num_threads"), "is decided by training.resources"),
    **dict.fromkeys(("early_stopping", "patience", "n_iter_no_change", "validation_fraction"), STOP),
    "class_weight": "is said as training.class_weight, for every framework",
    "optimizer": "is AdamW, with learning_rate and weight_decay; what else is wanted takes own code",
}
_UNITS = integer(1, MOST_UNITS)
_DROPOUT = number(0, 1, opened="max")
_ACTIVATION = one_of(*ACTIVATIONS)
_LAYER = with_keys({"units": _UNITS, "activation": _ACTIVATION, "dropout": _DROPOUT, "batch_norm": BOOLEAN}, "units")
COMMON: Mapping[str, Param] = {
    "activation": allowed(_ACTIVATION),
    "batch_norm": allowed(BOOLEAN),
    "batch_size": allowed(integer(1)),
    "dropout": allowed(_DROPOUT),
    "embedding": allowed(integer(1, 1024), NULL),
    "epochs": allowed(integer(1), aliases=["max_epochs", "max_iter"]),
    "layers": allowed(list_of(_UNITS, _LAYER), aliases=["hidden_layer_sizes"]),
    "learning_rate": allowed(POSITIVE, aliases=["lr", "learning_rate_init"]),
    "random_state": allowed(SEED, aliases=["seed"]),
    "weight_decay": allowed(FROM_0),
}
PARAMS: Mapping[EstimatorKind, Mapping[str, Param]] = {
    "classifier": COMMON,
    "regressor": {
        **COMMON,
        "loss": allowed(one_of(*OF_NUMBERS, QUANTILE)),
        "quantile": allowed(number(0, 1, opened="min max")),
    },
}
_TAKES = ("weights", "early_stopping")


def entry() -> dict[str, Any]:
    """Both estimators with every parameter that a run can take."""
    return listed("torch", ESTIMATORS, PARAMS, CLOSED, _TAKES, LEVELS)
