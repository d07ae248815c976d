"""scikit-learn estimators that users save: rebuilt under the allow-list of `sklearn`, exported, and compared."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from headrace.contracts.labels import named_labels
from headrace.frameworks.base import Fitted
from headrace.frameworks.code.graphs import give_outputs, take_matrices
from headrace.frameworks.code.layout import layout_of
from headrace.frameworks.errors import CodeFailed, ExportRefused
from headrace.frameworks.export import TOLERANCE, columns_of
from headrace.frameworks.preparation import prepare
from headrace.frameworks.signature import signature_of
from headrace.frameworks.sklearn import TRUSTED
from headrace.frameworks.skops_io import io as skops_io
from headrace.runtimes.layout import Layout
from headrace.runtimes.onnx import OnnxModel
from headrace.tasks import NUMPY

_OPSET = {"": 17, "ai.onnx.ml": 3}


def exported(data: bytes, fitted: Fitted) -> tuple[bytes, float]:
    """The graph of an estimator, and how far it is from it on the sample; raises CodeFailed, ExportRefused."""
    estimator = _rebuilt(data)
    layout, names = layout_of(fitted.recipe.features), fitted.recipe.names
    order = _order(estimator, fitted)
    model = _converted(estimator, order is not None, _inputs(estimator, layout, names))
    take_matrices(model, layout, names)
    give_outputs(model, fitted.target, order)
    graph = bytes(model.SerializeToString())
    return graph, _difference(estimator, order, OnnxModel(graph, signature_of(fitted.recipe, fitted.target)), fitted)


def _converted(estimator: Any, classifies: bool, ways: Iterable[Sequence[tuple[str, Any]]]) -> Any:
    """The estimator as a graph, by the first way to give it its columns that its converter knows."""
    told = ""
    for inputs in ways:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                options = {"zipmap": False} if classifies else None
                return to_onnx(estimator, initial_types=inputs, options=options, target_opset=_OPSET)
        except Exception as error:  # converters raise whatever they meet first
            told = " ".join(str(error).split())[:400]
    raise ExportRefused(f"the estimator cannot be exported to ONNX: {told}; save a graph or a folder")


def _rebuilt(data: bytes) -> Any:
    try:
        if foreign := set(skops_io.get_untrusted_types(data=data)) - set(TRUSTED):
            raise CodeFailed("answer", f"the estimator holds types that are not allowed: {sorted(foreign)}")
        return skops_io.loads(data, trusted=list(TRUSTED))
    except CodeFailed:
        raise
    except Exception as error:  # skops raises several kinds for damaged archives
        raise CodeFailed("answer", f"the estimator cannot be read: {error}") from error


def _order(estimator: Any, fitted: Fitted) -> Sequence[int] | None:
    """Of a classifier, which of its probabilities is that of each label."""
    labels = list(fitted.target.labels)
    if not labels:
        return None
    if not hasattr(estimator, "predict_proba"):
        raise CodeFailed("answer", "the estimator gives no probabilities; save a classifier that does")
    classes = np.asarray(estimator.classes_).tolist()
    if set(classes) != set(labels):
        told = f"its classes are {named_labels(classes)}, the labels of the target {named_labels(labels)}"
        raise CodeFailed("answer", f"{told}; fit it on the target as it is")
    return [classes.index(label) for label in labels]


def _inputs(estimator: Any, layout: Layout, names: Sequence[str]) -> Iterator[Sequence[tuple[str, Any]]]:
    """One matrix, where all features are numbers in the order of the fit; else one input a column."""
    own = [str(each) for each in getattr(estimator, "feature_names_in_", names)]
    if set(own) != set(names):
        text = f"the estimator was fitted on {', '.join(own)}; requests will bring {', '.join(names)}"
        raise CodeFailed("answer", f"{text}: fit it on context.features")
    if own == list(names) == list(layout.numbers):
        yield [("matrix", FloatTensorType([None, len(names)]))]
    if hasattr(estimator, "feature_names_in_"):
        kinds = {name: StringTensorType if name in layout.strings else FloatTensorType for name in own}
        yield [(name, kind([None, 1])) for name, kind in kinds.items()]


def _difference(estimator: Any, order: Sequence[int] | None, graph: OnnxModel, fitted: Fitted) -> float:
    rows = _as_learned(fitted)
    asked = rows if hasattr(estimator, "feature_names_in_") else rows.to_numpy()
    if order is None:
        raw = np.asarray(estimator.predict(asked), dtype=np.float64).reshape(len(rows), -1)
    else:
        raw = np.asarray(estimator.predict_proba(asked), dtype=np.float64)[:, list(order)]
    own, given = fitted.target.answer(raw, NUMPY), graph.answer(columns_of(rows))
    found = 0.0
    for name in own.keys() - fitted.target.exact:
        apart = np.abs(own[name] - given[name]) / np.maximum(1.0, np.abs(own[name]))
        found = max(found, float(np.max(apart, initial=0.0)))
    if not found <= TOLERANCE:
        text = f"the ONNX graph of the estimator differs from it by {found:.2g}, more than {TOLERANCE:g} allows"
        raise ExportRefused(f"{text}; fit it on numbers rounded to float32, or save a graph or a folder")
    return found


def _as_learned(fitted: Fitted) -> pd.DataFrame:
    """The sample with the rounding of requests, columns in their own order."""
    rows = prepare({name: fitted.sample[name] for name in fitted.recipe.names}, fitted.recipe.features)
    texts = list(layout_of(fitted.recipe.features).strings)
    return rows.assign(**{name: rows[name].fillna("") for name in texts})  # as a graph gets what is missing
