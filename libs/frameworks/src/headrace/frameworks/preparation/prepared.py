"""Preparation as one graph: fitted step by step, then run alike wherever rows are prepared."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
import pandas as pd
from onnx import helper
from sklearn.base import BaseEstimator, TransformerMixin

from headrace.contracts import Column, Preparation, PreparedStep
from headrace.contracts import Prepared as Described
from headrace.contracts.preparation import Wanted
from headrace.frameworks.preparation.chains import Block, Usual, blocks_of
from headrace.frameworks.preparation.nodes import (
    DOUBLE,
    FLOAT,
    TEXT,
    WHOLE,
    Nodes,
    Value,
    model_of,
    run,
    run_at_once,
    session_of,
)
from headrace.frameworks.preparation.steps import STEPS, About, Learned
from headrace.runtimes.layout import HASHES, NUMBERS, STRINGS, TIMES, Layout, words_input
from headrace.runtimes.native import PREPARATION, PREPARED
from headrace.runtimes.onnx import LAYOUT_PROPERTY

_MATRICES = {NUMBERS: FLOAT, STRINGS: TEXT, TIMES: WHOLE, HASHES: WHOLE}
_GREATEST = float(np.finfo(np.float32).max)


class Prepared(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted preparation: a graph from the matrices of a layout to the numbers that an estimator takes."""

    def __init__(self, graph: bytes = b"") -> None:
        self.graph = graph

    def fit(self, rows: pd.DataFrame, target: Any = None) -> Self:
        """Nothing: it is fitted."""
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray:
        """The numbers of each row, float64 that float32 can hold."""
        session = self._session()
        layout = Layout.loads(session.get_modelmeta().custom_metadata_map[LAYOUT_PROPERTY])
        return run(session, layout.feeds({name: rows[name].to_numpy() for name in layout.names})).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the graph into a model directory."""
        (folder / PREPARATION).write_bytes(self.graph)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The preparation of a model directory; raises OSError where there is none."""
        return cls((folder / PREPARATION).read_bytes())

    def __getstate__(self) -> dict[str, Any]:
        return {"graph": self.graph}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.graph = state["graph"]

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self.graph)

    def _session(self) -> Any:
        if "session" not in self.__dict__:
            self.__dict__["session"] = session_of(self.graph)
        return self.__dict__["session"]


@dataclass(frozen=True)
class Made:
    """One number that the estimator is given."""

    column: str
    name: str
    number: bool
    """Whether it is the column's own number, where that is not missing."""
    code: bool = False
    """Whether it is the code of a text, which libraries may take for a category."""


@dataclass(frozen=True)
class Preparing:
    """What came of fitting a preparation."""

    prepared: Prepared
    rows: np.ndarray
    """What the estimator learns from: float64 that float32 can hold."""
    made: Sequence[Made]
    described: Sequence[Described]


@dataclass(frozen=True)
class _Fitted:
    """A block with what its steps have learned."""

    block: Block
    steps: Sequence[Learned]
    rows: np.ndarray
    made: Sequence[Made]


def fit_preparation(
    rows: pd.DataFrame, features: Sequence[Column], declared: Preparation | None, usual: Usual, about: About
) -> Preparing:
    """Fit what is declared, or usual, on prepared rows of features that are none of them dropped."""
    blocks = blocks_of(features, declared, usual)
    layout = _layout(blocks)
    feeds = layout.feeds({name: rows[name].to_numpy() for name in layout.names})
    fitted = [_fit(block, feeds[_input(block, layout)][:, _places(block, layout)], about) for block in blocks]
    return Preparing(
        Prepared(_graph(fitted, layout)),
        np.concatenate([_float32(each.rows) for each in fitted], axis=1).astype(np.float64),
        [made for each in fitted for made in each.made],
        [_described(each) for each in fitted],
    )


def _layout(blocks: Sequence[Block]) -> Layout:
    columns: dict[str, Any] = {}
    for block in blocks:
        columns[block.source] = (*columns.get(block.source, ()), *block.columns)
    return Layout(**columns)


def _input(block: Block, layout: Layout) -> str:
    return words_input(layout.words.index(block.columns[0])) if block.source == "words" else block.source


def _places(block: Block, layout: Layout) -> Any:
    """The columns of its matrix that a block takes."""
    columns = getattr(layout, block.source)
    return slice(None) if block.source == "words" else [columns.index(name) for name in block.columns]


def _fit(block: Block, values: np.ndarray, about: About) -> _Fitted:
    learned: list[Learned] = []
    made = [Made(name, name, block.source == NUMBERS) for name in block.columns]
    for wanted in block.chain:
        step = STEPS[wanted.step]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column that is empty has no mean, and needs none
            found = step.fit(values, with_defaults(wanted), about)
        codes = step.codes and values.dtype == object
        values = run_at_once(found.write, values) if found.training is None else found.training
        made = [
            Made(made[at].column, made[at].name + more, made[at].number and step.keeps and not more, codes)
            for at, more in found.made or [(at, "") for at in range(len(made))]
        ]
        learned.append(found)
    return _Fitted(block, learned, values, made)


def with_defaults(wanted: Wanted) -> dict[str, Any]:
    """The parameters of a step, those that are not said too."""
    return {name: wanted.params.get(name, param.default) for name, param in STEPS[wanted.step].info.params.items()}


def _float32(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.float32 else np.clip(values, -_GREATEST, _GREATEST).astype(np.float32)


def _graph(fitted: Sequence[_Fitted], layout: Layout) -> bytes:
    """The whole preparation: matrices in, one matrix out."""
    nodes = Nodes()
    values = [_written(nodes, each, layout) for each in fitted]
    width = sum(len(each.made) for each in fitted)
    model = model_of(nodes, _inputs(layout), nodes.beside(values), width, PREPARED)
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout.dumps()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _inputs(layout: Layout) -> dict[str, tuple[int, int | None]]:
    found: dict[str, tuple[int, int | None]] = {
        name: (kind, len(getattr(layout, name))) for name, kind in _MATRICES.items() if getattr(layout, name)
    }
    return found | {words_input(at): (TEXT, None) for at in range(len(layout.words))}


def _written(nodes: Nodes, fitted: _Fitted, layout: Layout) -> Value:
    block = fitted.block
    value = Value(_input(block, layout), _MATRICES.get(block.source, TEXT))
    if block.source != "words" and block.columns != getattr(layout, block.source):
        value = nodes.columns(value, _places(block, layout))
    for learned in fitted.steps:
        value = learned.write(nodes, value)
    if value.type != DOUBLE:
        return nodes.cast(value, FLOAT)
    bounds = [nodes.constant(-_GREATEST), nodes.constant(_GREATEST)]
    return nodes.cast(nodes.add("Clip", [value.name, *bounds], DOUBLE), FLOAT)


def _described(fitted: _Fitted) -> Described:
    pairs = zip(fitted.block.chain, fitted.steps, strict=True)
    return Described(
        columns=list(fitted.block.columns),
        steps=[
            PreparedStep(step=wanted.step, params=_said(wanted), learned=_finite(learned.figures))
            for wanted, learned in pairs
        ],
        usual=fitted.block.usual,
        makes=len(fitted.made),
    )


def _said(wanted: Wanted) -> dict[str, Any]:
    return {name: value for name, value in with_defaults(wanted).items() if value is not None}


def _finite(figures: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """JSON has no NaN: a figure that is none is null."""
    return {name: [None if each != each else each for each in values] for name, values in figures.items()}
