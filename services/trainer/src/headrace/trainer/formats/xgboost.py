"""XGBoost: a booster as XGBoost's JSON, or as UBJSON, its binary form."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd

from headrace.code.scratch import scratch
from headrace.contracts import Column
from headrace.frameworks.catalog import CATALOG, not_installed
from headrace.trainer.formats.base import BadArtifact, GraphArtifact, Wanted, assigned, beginning, only_file
from headrace.trainer.formats.native import NativeArtifact, matrix_of
from headrace.trainer.formats.onnx import read_graph
from headrace.trainer.formats.trees import Categories, as_codes, by_columns, must_hold_numbers

_NAME, _WHAT = "xgboost", "the XGBoost model"
_FILE = "model.json"
_BOOSTER = "xgboost.core.Booster"  # as MLflow names it
_HEAD = 200  # bytes in which the first key, of the learner, stands
_TIMEOUT_S = 300
_PROBABILITIES = {"binary:logistic", "multi:softprob"}
_LABELS_ALONE = {"multi:softmax": "multi:softprob"}  # which differ in what they say of the same sums
_NO_PROBABILITIES = {"binary:hinge", "binary:logitraw"}
_MORE_THAN_THERE_IS = "it was cut or is damaged: it says to hold more than there is memory for"
_CONVERT = "import sys, xgboost; xgboost.Booster(model_file=sys.argv[1]).save_model(sys.argv[2])"
_OPSET = {"": 17, "ai.onnx.ml": 3}


class Xgboost:
    """Reads a booster; it is served by a graph, or natively where no graph is exact."""

    def found(self, folder: Path) -> Path | None:
        """One file that begins with an object of XGBoost's learner."""
        only = only_file(folder)
        head = beginning(only, _HEAD) if only else b""
        return only if head[:1] == b"{" and b"learner" in head else None

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> NativeArtifact:
        """The booster, with the columns of its features."""
        if reason := not_installed(_NAME):
            raise BadArtifact(
                f"{path.name} is a model of XGBoost; {reason}, or convert it to ONNX, and import the graph"
            )
        booster = _loaded(path)
        classes = _classes(booster, wanted)
        columns = assigned(booster.feature_names or names or _places(booster), wanted, _WHAT)
        categories = _categories(booster, columns)
        must_hold_numbers(columns, categories, _WHAT)
        prepared = replace(
            matrix_of(columns, categories, wanted),
            own=_own(booster, columns, categories, classes),
            labels=list(range(classes)) if classes else None,
            framework=_NAME,
            estimator="xgboost.Booster",
            files={_FILE: bytes(booster.save_raw("json"))},
            flavors={_NAME: {"data": _FILE, "model_format": "json", "model_class": _BOOSTER}},
        )
        graph, why = _graph(booster, columns, categories, wanted, prepared)
        return NativeArtifact(
            runtime=_NAME,
            prepared=prepared,
            packages=("numpy", "onnxruntime", CATALOG[_NAME].distribution),
            graph=graph,
            why=why,
            framework=_NAME,
            estimator="xgboost.Booster",
            producer="XGBoost",
        )


def _loaded(path: Path) -> Any:
    import xgboost

    with scratch("headrace-format-") as folder:
        text = path if _is_json(path) else _as_json(path, folder)
        try:
            booster = xgboost.Booster()
            booster.load_model(bytearray(text.read_bytes()))
        except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
            raise BadArtifact(_not_loaded(path, _first_line(str(error)))) from error
    booster.set_param({"nthread": 1})
    return booster


def _is_json(path: Path) -> bool:
    """Its binary form has the length of a name where JSON has white space or a quotation mark."""
    return beginning(path, 2)[1:2] in (b'"', b" ", b"\n", b"\r", b"\t")


def _as_json(path: Path, folder: Path) -> Path:
    """Another process reads the binary form: where it was cut, XGBoost ends the process that reads it."""
    source, to = folder / "model.ubj", folder / _FILE
    source.write_bytes(path.read_bytes())
    command = [sys.executable, "-c", _CONVERT, str(source), str(to)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadArtifact(_not_loaded(path, f"it takes longer than {_TIMEOUT_S} s")) from error
    if ran.returncode < 0:
        raise BadArtifact(_not_loaded(path, f"it was cut or is damaged ({signal.Signals(-ran.returncode).name})"))
    if ran.returncode or not to.exists():
        told = _first_line(ran.stderr.rpartition("XGBoostError: ")[2])
        raise BadArtifact(_not_loaded(path, _MORE_THAN_THERE_IS if "bad_alloc" in told else told))
    return to


def _not_loaded(path: Path, why: str) -> str:
    import xgboost

    return f"{path.name} cannot be loaded by XGBoost {xgboost.__version__}: {why}"


def _classes(booster: Any, wanted: Wanted) -> int | None:
    """How many labels it tells apart; None of numbers. Raises BadArtifact where the task is another one."""
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    if objective in _LABELS_ALONE:
        objective = _LABELS_ALONE[objective]
        booster.set_param({"objective": objective})
    classifies = objective in _PROBABILITIES
    if classifies != wanted.classifies:
        more = "; it gives no probabilities" if objective in _NO_PROBABILITIES else ""
        raise BadArtifact(f"{_WHAT} has the objective {objective!r}, and the declared task is {wanted.task}{more}")
    return max(2, int(learner["learner_model_param"]["num_class"])) if classifies else None


def _places(booster: Any) -> list[str]:
    return [f"f{place}" for place in range(booster.num_features())]


def _categories(booster: Any, columns: Sequence[Column]) -> Categories:
    """The categories that XGBoost keeps of data frames, by the columns that had them."""
    kept = booster.get_categories(export_to_arrow=True)
    tables = kept.to_arrow() if kept is not None else []
    known = {place: values.to_pylist() for place, (_, values) in enumerate(tables) if values is not None}
    return {columns[place].name: values for place, values in known.items()}


def _own(booster: Any, columns: Sequence[Column], categories: Categories, classes: int | None) -> Any:
    """What the library says of rows, by the way that it takes itself."""
    import xgboost

    told = {"feature_names": booster.feature_names, "feature_types": booster.feature_types}

    def own(rows: pd.DataFrame) -> np.ndarray:
        codes = as_codes(rows, columns, categories, gap=np.nan)
        data = xgboost.DMatrix(codes, enable_categorical=True, nthread=1, **told)
        found = np.asarray(booster.predict(data), dtype=np.float64)
        if found.ndim == 2:
            return found
        return np.column_stack([1 - found, found]) if classes else found[:, None]

    return own


def _graph(
    booster: Any, columns: Sequence[Column], categories: Categories, wanted: Wanted, like: GraphArtifact
) -> tuple[GraphArtifact | None, str]:
    """The booster as one graph; without one why."""
    try:
        model = by_columns(_converted(booster, len(columns), like.labels is not None), columns, categories)
        read = read_graph(model, replace(wanted, order=None, outputs={}), [each.name for each in columns])
    except Exception as error:  # converters raise whatever they meet first
        return None, _first_line(str(error))
    same: Mapping[str, Any] = {name: getattr(like, name) for name in ("own", "labels", "framework", "estimator")}
    return replace(read, label=None, own_label=None, files=like.files, flavors=like.flavors, **same), ""


def _converted(booster: Any, width: int, classifies: bool) -> onnx.ModelProto:
    """As the converter of fitted estimators makes it, which takes features by their places."""
    import xgboost
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    from headrace.frameworks import xgboost as _registered  # noqa: F401  it says what the converter may convert

    nameless = booster.copy()
    nameless.feature_names = None
    estimator = xgboost.XGBClassifier() if classifies else xgboost.XGBRegressor()
    estimator.load_model(nameless.save_raw("json"))
    types = [("features", FloatTensorType([None, width]))]
    options = {id(estimator): {"zipmap": False}} if classifies else None
    model: onnx.ModelProto = to_onnx(estimator, initial_types=types, options=options, target_opset=_OPSET)
    return model


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "no reason is known")[:400]


FORMAT = Xgboost()
