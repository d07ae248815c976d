"""scikit-learn: an estimator or a pipeline, saved with skops."""

import copy
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import sklearn
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer

from headrace.contracts import Column
from headrace.frameworks.sklearn import TRUSTED
from headrace.frameworks.skops_io import io as skops_io
from headrace.frameworks.thresholds import make_exact, nearest
from headrace.trainer.formats.base import BadArtifact, GraphArtifact, Wanted, assigned, beginning, in_order, only_file
from headrace.trainer.formats.onnx import read_graph

_FILE = "model.skops"
_OPSET = {"": 17, "ai.onnx.ml": 3}
_WHAT = "the scikit-learn model"


class Skops:
    """Reads an estimator of types that are known to be harmless."""

    def found(self, folder: Path) -> Path | None:
        """One zip archive with skops' own schema."""
        only = only_file(folder)
        if only is None or beginning(only, 2) != b"PK":
            return None
        try:
            with zipfile.ZipFile(only) as archive:
                return only if "schema.json" in archive.namelist() else None
        except zipfile.BadZipFile as error:
            raise BadArtifact(f"{only.name} is a damaged zip archive: {error}") from error

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> GraphArtifact:
        """The estimator as a graph."""
        data = path.read_bytes()
        estimator = _loaded(data, path.name)
        if is_classifier(estimator) != wanted.classifies:
            raise BadArtifact(f"{_WHAT} is a {type(estimator).__name__}, and the declared task is {wanted.task}")
        columns = _columns(estimator, wanted, names)
        rounded = copy.deepcopy(estimator)
        make_exact(rounded, nearest)
        own, own_label = _own(estimator, columns)
        graph = _graph(rounded, columns)
        read = read_graph(graph, replace(wanted, order=None, outputs={}), [each.name for each in columns])
        return replace(
            read,
            own=own,
            rounded=_own(rounded, columns)[0],
            own_label=own_label if wanted.classifies else None,
            labels=_labels(estimator) if wanted.classifies else None,
            framework="sklearn",
            estimator=_path_of(estimator),
            producer="scikit-learn",
            files={_FILE: data},
            flavors={
                "sklearn": {
                    "pickled_model": _FILE,
                    "serialization_format": "skops",
                    "sklearn_version": sklearn.__version__,
                }
            },
        )


def _loaded(data: bytes, name: str) -> Any:
    try:
        foreign = set(skops_io.get_untrusted_types(data=data)) - set(TRUSTED)
    except Exception as error:  # skops raises several kinds for damaged archives
        raise BadArtifact(f"{name} cannot be read by skops: {error}") from error
    if foreign:
        raise BadArtifact(
            f"{name} holds types that are not allowed, since loading them may run their code: "
            f"{', '.join(sorted(foreign))}; use scikit-learn's own, or export the model to ONNX"
        )
    try:
        return skops_io.loads(data, trusted=list(TRUSTED))
    except Exception as error:
        raise BadArtifact(f"{name} cannot be loaded by scikit-learn {sklearn.__version__}: {error}") from error


def _columns(estimator: Any, wanted: Wanted, names: Sequence[str] | None) -> list[Column]:
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None:
        return assigned([str(name) for name in known], wanted, _WHAT)
    count = getattr(estimator, "n_features_in_", None)
    if count is None:
        raise BadArtifact(f"{_WHAT} is a {type(estimator).__name__} that is not fitted")
    return assigned(names, wanted, _WHAT) if names and len(names) == count else in_order(int(count), wanted, _WHAT)


def _own(estimator: Any, columns: Sequence[Column]) -> tuple[Any, Any]:
    """The estimator's own answers, of rows as it was fitted on: named as its own columns, or without names."""
    names = getattr(estimator, "feature_names_in_", None)

    def given(rows: pd.DataFrame) -> Any:
        block = rows[[column.name for column in columns]]
        return block.to_numpy() if names is None else block.set_axis(list(names), axis=1)

    def raw(rows: pd.DataFrame) -> np.ndarray:
        if not hasattr(estimator, "predict_proba"):
            found = np.asarray(estimator.predict(given(rows)), dtype=np.float64)
            return found[:, None] if found.ndim == 1 else found
        return np.asarray(estimator.predict_proba(given(rows)), dtype=np.float64)

    return _words(raw), _words(lambda rows: np.asarray(estimator.predict(given(rows))))


def _words(ask: Any) -> Any:
    def asked(rows: pd.DataFrame) -> np.ndarray:
        try:
            return np.asarray(ask(rows))
        except Exception as error:  # whatever a library raises for rows that it does not take
            raise BadArtifact(f"{_WHAT} does not answer for rows of the test data: {error}") from error

    return asked


def _labels(estimator: Any) -> list[Any]:
    if not hasattr(estimator, "predict_proba"):
        raise BadArtifact(
            f"{_WHAT}, a {type(estimator).__name__}, gives no probabilities, by which versions are judged"
        )
    return [label.item() if hasattr(label, "item") else label for label in estimator.classes_]


def _graph(estimator: Any, columns: Sequence[Column]) -> onnx.ModelProto:
    try:
        model: onnx.ModelProto = to_onnx(estimator, initial_types=_types(estimator, columns), target_opset=_OPSET)
        return model
    except Exception as error:  # converters raise whatever they meet first
        raise BadArtifact(f"{_WHAT}, a {type(estimator).__name__}, cannot be converted to ONNX: {error}") from error


def _types(estimator: Any, columns: Sequence[Column]) -> list[tuple[str, Any]]:
    """One matrix; where columns are taken by name or hold text, a tensor for each under the estimator's own name."""
    names = getattr(estimator, "feature_names_in_", None)
    by_name = names is not None and any(isinstance(each, ColumnTransformer) for each in _steps(estimator))
    if not by_name and all(column.type != "string" for column in columns):
        return [("features", FloatTensorType([None, len(columns)]))]
    if not by_name and all(column.type == "string" for column in columns):
        return [("features", StringTensorType([None, len(columns)]))]
    own = [column.name for column in columns] if names is None else list(names)
    kinds = [StringTensorType if column.type == "string" else FloatTensorType for column in columns]
    return [(name, kind([None, 1])) for name, kind in zip(own, kinds, strict=True)]


def _steps(estimator: Any) -> list[Any]:
    inner = [step for _, step in getattr(estimator, "steps", ())]
    return [estimator, *inner]


def _path_of(estimator: Any) -> str:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    kind = type(last)
    public = [part for part in kind.__module__.split(".") if not part.startswith("_")]
    return ".".join([*public, kind.__name__])


FORMAT = Skops()
