"""LightGBM: a booster as LightGBM's own text."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import pandas as pd
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from headrace.contracts import Column
from headrace.frameworks.lightgbm import with_thresholds
from headrace.frameworks.thresholds import nearest
from headrace.trainer.formats.base import BadArtifact, GraphArtifact, Wanted, assigned, beginning, only_file
from headrace.trainer.formats.onnx import read_graph
from headrace.trainer.formats.trees import Categories, as_codes, by_columns, must_hold_numbers

_FILE = "model.lgb.txt"
_BOOSTER = "lightgbm.basic.Booster"  # as MLflow names it
_OPSET = 15  # the newest that the converter of boosters writes
_CLASSES = re.compile("binary|multiclass(ova)?")  # objectives of labels


class Lightgbm:
    """Reads a booster; its thresholds are made exact in float32, and it is compared with itself as it was sent."""

    def found(self, folder: Path) -> Path | None:
        """One file that begins as LightGBM's text does."""
        only = only_file(folder)
        return only if only and beginning(only, 4) == b"tree" else None

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> GraphArtifact:
        """The booster as a graph."""
        text = _text(path)
        booster = _loaded(text, path.name)
        columns = assigned(list(booster.feature_name()), wanted, "the LightGBM model")
        categories = _categories(booster, _infos(text), columns)
        must_hold_numbers(columns, categories, "the LightGBM model")
        classes = _classes(text, wanted)
        rounded = lightgbm.Booster(model_str=with_thresholds(text, nearest)[0])
        graph = _graph(rounded, columns, categories)
        read = read_graph(graph, replace(wanted, order=None, outputs={}), [each.name for each in columns])

        def own(of: lightgbm.Booster, rows: pd.DataFrame) -> np.ndarray:
            found = np.asarray(of.predict(as_codes(rows, columns, categories, gap=np.nan)), dtype=np.float64)
            if found.ndim == 2:
                return found
            return np.column_stack([1 - found, found]) if classes else found[:, None]

        return replace(
            read,
            own=partial(own, booster),
            rounded=partial(own, rounded),
            label=None,
            own_label=None,
            labels=list(range(classes)) if classes else None,
            framework="lightgbm",
            estimator="lightgbm.Booster",
            producer="LightGBM",
            files={_FILE: text.encode()},
            flavors={"lightgbm": {"lgb_version": lightgbm.__version__, "data": _FILE, "model_class": _BOOSTER}},
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadArtifact(f"{path.name} is no text of LightGBM: {error}") from error


def _loaded(text: str, name: str) -> lightgbm.Booster:
    if "end of trees" not in text:
        raise BadArtifact(f"{name} ends before its trees do; the file was cut")
    try:
        return lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise BadArtifact(f"{name} cannot be loaded by LightGBM {lightgbm.__version__}: {error}") from error


def _header(text: str, name: str) -> str:
    start = f"{name}="
    return next((line.removeprefix(start) for line in text.splitlines()[:30] if line.startswith(start)), "")


def _infos(text: str) -> list[str]:
    return _header(text, "feature_infos").split()


def _classes(text: str, wanted: Wanted) -> int | None:
    """How many labels it tells apart; None of numbers. Raises BadArtifact where the task is another one."""
    objective = _header(text, "objective").partition(" ")[0]
    classifies = _CLASSES.fullmatch(objective) is not None
    if classifies != wanted.classifies:
        raise BadArtifact(f"the LightGBM model has the objective {objective!r}, and the declared task is {wanted.task}")
    return max(2, int(_header(text, "num_class") or 1)) if classifies else None


def _categories(booster: lightgbm.Booster, infos: Sequence[str], columns: Sequence[Column]) -> Categories:
    """The categories that pandas knew, by the columns that had them."""
    known = booster.pandas_categorical or []
    words = [column.name for column in columns if column.type == "string"]
    split = [column.name for column, info in zip(columns, infos, strict=True) if info[0] not in "[n"]
    for names in (words, split):
        if len(names) == len(known):
            return dict(zip(names, known, strict=True))
    raise BadArtifact(
        f"the LightGBM model has categories of {len(known)} columns, and the columns with categories are "
        f"{', '.join(split or words)}; fit it on text columns of type category, or on numbers"
    )


def _graph(booster: lightgbm.Booster, columns: Sequence[Column], categories: Categories) -> onnx.ModelProto:
    types = [("features", FloatTensorType([None, len(columns)]))]
    try:
        model = convert_lightgbm(booster, initial_types=types, zipmap=False, target_opset=_OPSET)
    except Exception as error:  # converters raise whatever they meet first
        raise BadArtifact(f"the LightGBM model cannot be converted to ONNX: {error}") from error
    return by_columns(model, columns, categories)


FORMAT = Lightgbm()
