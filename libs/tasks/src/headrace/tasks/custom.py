"""Custom: declared input and output tensors, judged by functions that the declaration brings."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, MetricInfo, Option, Options, Signature, Tensor
from headrace.contracts.errors import Place, choice_problem, hint
from headrace.contracts.options import filled_options
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Task, Trivial, Watched, numbers
from headrace.tasks.errors import BadTruth
from headrace.tasks.labels import Label, text
from headrace.tasks.metrics import METRICS
from headrace.tasks.ops import Ops

T = TypeVar("T")
NAME = "custom"
OUTPUTS, INPUTS, METRIC_FUNCTIONS, PACKAGE, WATCH = "outputs", "inputs", "metrics", "package", "watch"
KIND = "outputs"  # the kind of score: whether a row has its outputs
ROWS = -1  # the first axis of every tensor
LARGEST = 1_000_000  # elements of a row's tensor
NUMBERS: Mapping[str, str] = {
    "BOOL": "?",
    **{f"UINT{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"f{bits // 8}" for bits in (16, 32, 64)},
}
"""numpy's types of the datatypes of the Open Inference Protocol V2; BYTES is text."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # of a metric, as gates name it
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]*)?")
_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "min": -1, "max": LARGEST}


@dataclass(frozen=True)
class CustomTarget(Target):
    """Values of any type, of which the declared functions alone know what they mean."""

    task: ClassVar[str] = NAME
    told: Options = field(default_factory=dict)
    by_name: ClassVar[bool] = True  # type: ignore[misc]
    judged_by: ClassVar[str | None] = "functions of the model's own package"  # type: ignore[misc]

    @property
    def options(self) -> Options:
        """What it was told."""
        return self.told

    def outputs(self) -> list[Tensor]:
        """As declared."""
        return [_tensor(each) for each in self.told.get(OUTPUTS, ())]

    # requests

    def inputs(self) -> list[Tensor]:
        """As declared; a number of one is never missing, since it stands in a tensor among others."""
        return [
            _tensor(each).model_copy(update={"nullable": each["datatype"] == "BYTES"})
            for each in self.told.get(INPUTS, ())
        ]

    def asked_by(self, inputs: Sequence[Tensor]) -> list[str]:
        """The columns that the declared inputs are made of."""
        made = self._made_of
        return list(dict.fromkeys(column for each in inputs for column in made.get(each.name, [each.name])))

    def requested(self, inputs: Sequence[Tensor], columns: Mapping[str, Any]) -> dict[str, Any]:
        """Each declared input as [rows, ...], its columns row-major; raises BadTruth where a number is missing."""
        made = self._made_of
        return {
            each.name: _together(each, made[each.name], columns) if each.name in made else columns[each.name]
            for each in inputs
        }

    def columns_in(self, request: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        """The columns that were put together, apart again."""
        found: dict[str, Sequence[Any]] = {}
        for name, values in request.items():
            made = self._made_of.get(name)
            found |= {name: values} if made is None else _apart(made, values)
        return found

    @property
    def _made_of(self) -> Mapping[str, list[str]]:
        return {each["name"]: list(each["columns"]) for each in self.told.get(INPUTS, ())}

    # what the model gives

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """There is no raw answer: a model gives the outputs by their names."""
        raise NotImplementedError(f"a model of task {NAME} gives {', '.join(each.name for each in self.outputs())}")

    # truth

    def encode(self, values: np.ndarray) -> np.ndarray:
        """1 where there is a truth: the functions are given the values themselves."""
        return np.where([value is None or value != value for value in values.tolist()], np.nan, 1.0)

    def read(self, value: Any) -> float:
        """1 for anything but a missing value."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            raise BadTruth("a missing value is no truth")
        return 1.0

    # answers

    def score(self, outputs: Outputs) -> Score | None:
        """1 for rows that have every output; the functions are given the outputs themselves."""
        names = [each.name for each in self.outputs()]
        if not names or any(name not in outputs for name in names):
            return None
        there = np.all([_rows_there(outputs[name]) for name in names], axis=0)
        return Score(KIND, np.where(there, 1.0, np.nan))

    def aligned(self, other: Target, score: np.ndarray) -> np.ndarray:
        """The other model must give the same outputs."""
        super().aligned(other, score)
        mine, theirs = ({each.name: each for each in target.outputs()} for target in (self, other))
        if mine != theirs:
            differing = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
            raise BadTruth(f"its outputs are others: {', '.join(differing)}")
        return score

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """None: nobody here knows what would be one."""
        return []

    def watched(self, outputs: Outputs) -> Watched | None:
        """The output that the declaration names, else the first with one value a row."""
        tensor = next((each for each in self.outputs() if each.name == self.told.get(WATCH)), None)
        tensor = tensor or next((each for each in self.outputs() if len(each.shape) == 1), None)
        if tensor is None or tensor.name not in outputs:
            return None
        if tensor.datatype in ("BYTES", "BOOL") or tensor.labels:
            return Watched("categorical", np.array([_category(each) for each in _listed(outputs[tensor.name])], object))
        return Watched("numeric", numbers(outputs[tensor.name]))


class Custom(Task):
    """What the declaration says."""

    name = NAME
    about = "what the declaration says: tensors of its own, judged by functions of its own"
    estimators = "program"
    scores = frozenset({KIND})
    usual = ()
    decisive = None
    trivial = False
    own_metrics = True
    pipeline_tag = "other"
    guessed = False
    options = (
        Option(
            name=OUTPUTS, about="the tensors that are answered", rule={"type": "object"}, many=(1, 20), required=True,
            example=[{"name": "digit", "datatype": "INT64"}, {"name": "scores", "datatype": "FP32", "shape": [-1, 10]}],
            fields=(
                Option("name", "the name of the tensor", _TEXT, "digit", required=True),
                Option("datatype", "its datatype in the Open Inference Protocol V2",
                       {"one_of": [*NUMBERS, "BYTES"]}, "INT64", required=True),
                Option("shape", "its sizes; -1 stands for the rows, and for an open axis", _COUNT, [-1, 10],
                       many=(1, 8), default=[ROWS]),
                Option("labels", "the labels that its values are among", _TEXT, ["cat", "dog"], many=(2, 1000)),
            ),
        ),
        Option(
            name=INPUTS, about="the tensors that are asked with; unset: each feature is one", rule={"type": "object"},
            many=(1, 50), example=[{"name": "image", "datatype": "FP32", "shape": [-1, 1, 2], "columns": ["p0", "p1"]}],
            fields=(
                Option("name", "the name of the tensor", _TEXT, "image", required=True),
                Option("datatype", "its datatype in the Open Inference Protocol V2",
                       {"one_of": [*NUMBERS, "BYTES"]}, "FP32", required=True),
                Option("shape", "its sizes; -1 stands for the rows", _COUNT, [-1, 8, 8], many=(1, 8), default=[ROWS]),
                Option("columns", "the columns of the dataset that it is made of, row-major", _TEXT, ["p0", "p1"],
                       many=(1, 10_000), required=True, names="input"),
            ),
        ),
        Option(
            name=METRIC_FUNCTIONS, about="the functions that judge held-out rows, the first one for the default gate",
            rule={"type": "object"}, many=(1, 20), required=True,
            example=[{"name": "digit-accuracy", "entry": "judge:accuracy", "goal": "maximize"}],
            fields=(
                Option("name", "the name of the metric", _TEXT, "digit-accuracy", required=True),
                Option("entry", "the function `module:function`", _TEXT, "judge:accuracy", required=True),
                Option("goal", "which values are better", {"one_of": ["maximize", "minimize"]}, "maximize",
                       required=True),
                Option("resampled", "whether it can judge any rows drawn from those held out, as an interval needs",
                       {"type": "boolean"}, False, default=True),
            ),
        ),
        Option(
            name=PACKAGE, about="the package with the functions, NAME or NAME@VERSION; unset: that of training.code",
            rule=_TEXT, example="digits",
        ),
        Option(
            name=WATCH, about="the output that drift looks at; unset: the first one with one value a row",
            rule=_TEXT, example="digit",
        ),
    )  # fmt: skip

    def takes(self, column: KnownColumn) -> bool:
        """Only where it is asked for."""
        return False

    def doubt(self, column: KnownColumn) -> str | None:
        """It was asked for."""
        return None

    def target_problem(self, column: KnownColumn) -> str | None:
        """Any column can be the truth."""
        return None

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """Nobody here knows what is positive."""
        return "is for binary; what the answers mean the functions of a custom model know"

    def metrics_in(self, options: Mapping[str, Any]) -> Sequence[MetricInfo]:
        """One for each function."""
        listed = options.get(METRIC_FUNCTIONS)
        found = [_metric(each) for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
        return [each for each in found if each is not None]

    def metrics_package(self, options: Options) -> str | None:
        """The package that has the functions, where it is another one than that of the code."""
        found: str | None = options.get(PACKAGE)
        return found

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """Names, shapes, columns and entries that mean nothing."""
        for option in (OUTPUTS, INPUTS, METRIC_FUNCTIONS):
            yield from _named_twice(option, options.get(option, ()))
        for at, each in enumerate(options[OUTPUTS]):
            yield from (((OUTPUTS, at, *place), problem) for place, problem in _shape_problems(each))
        for at, each in enumerate(options.get(INPUTS, ())):
            yield from (((INPUTS, at, *place), problem) for place, problem in _input_problems(each))
        for at, each in enumerate(options[METRIC_FUNCTIONS]):
            yield from (((METRIC_FUNCTIONS, at, *place), problem) for place, problem in _metric_problems(each))
        if PACKAGE in options and _PACKAGE.fullmatch(options[PACKAGE]) is None:
            yield PACKAGE, f"{options[PACKAGE]!r} is no package; write NAME, or NAME@VERSION"
        yield from _watch_problems(options)

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> CustomTarget:
        """By what it is told; any values can be true."""
        return self.bare(options)

    def of(self, signature: Signature) -> CustomTarget:
        """By what the signature tells."""
        return self.bare(signature.task_options or NO_OPTIONS)

    def bare(self, options: Options = NO_OPTIONS) -> CustomTarget:
        """By what it is told."""
        return CustomTarget(told=filled_options(options, self))

    def example(self, signal: np.ndarray) -> np.ndarray:
        """The signal itself."""
        return signal


def _tensor(told: Mapping[str, Any]) -> Tensor:
    return Tensor(name=told["name"], datatype=told["datatype"], shape=list(told["shape"]), labels=told.get("labels"))


def _together(tensor: Tensor, names: Sequence[str], columns: Mapping[str, Any]) -> np.ndarray:
    kind = NUMBERS.get(tensor.datatype)
    values = [np.asarray(columns[name], dtype=object) for name in names]
    if kind is None:
        rows = [[None if _missing(each) else str(each) for each in row] for row in zip(*values, strict=True)]
        return np.array(rows, dtype=object).reshape(-1, *tensor.shape[1:])
    for name, column in zip(names, values, strict=True):
        if missing := sum(_missing(each) for each in column):
            raise BadTruth(f"column {name!r}, of which input {tensor.name!r} is made, is missing in {missing} rows")
    try:
        return np.stack(values, axis=1).astype(kind).reshape(-1, *tensor.shape[1:])
    except (ValueError, TypeError, OverflowError) as error:
        raise BadTruth(
            f"input {tensor.name!r} takes {tensor.datatype}, and its columns hold others: {error}"
        ) from error


def _apart(names: Sequence[str], values: Sequence[Any]) -> dict[str, list[Any]]:
    """Rows that do not have as many elements are missing."""
    rows = [np.asarray(each, dtype=object).ravel().tolist() for each in values]
    gap = [None] * len(names)
    whole = [row if len(row) == len(names) else gap for row in rows]
    return {name: [row[at] for row in whole] for at, name in enumerate(names)}


def _listed(values: Any) -> list[Any]:
    return list(values.tolist()) if isinstance(values, np.ndarray) else list(values)


def _missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _rows_there(values: Any) -> np.ndarray:
    """Of each row whether nothing of an output is missing or infinite."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return np.asarray(np.isfinite(values).reshape(len(values), -1).all(axis=1))
    return np.array([_whole(value) for value in _listed(values)], dtype=bool)


def _whole(value: Any) -> bool:
    """Whether nothing of a row's output is missing or infinite."""
    if isinstance(value, list):
        return all(map(_whole, value))
    return value is not None and (not isinstance(value, float) or math.isfinite(value))


def _category(value: Any) -> str | None:
    return None if _missing(value) or isinstance(value, list | dict) else text(value)


def _metric(told: Mapping[str, Any]) -> MetricInfo | None:
    name, goal = told.get("name"), told.get("goal")
    if not isinstance(name, str) or goal not in ("maximize", "minimize"):
        return None
    return MetricInfo(name, frozenset({KIND}), goal == "maximize", "a function of the declaration", None, None)


def _named_twice(option: str, listed: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Place, str]]:
    names = [each["name"] for each in listed]
    for at, name in enumerate(names):
        if not name:
            yield (option, at, "name"), "is empty"
        elif name in names[:at]:
            yield (option, at, "name"), f"{name!r} is there a second time"


def _shape_problems(told: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    shape = told["shape"]
    if shape[0] != ROWS or 0 in shape:
        yield ("shape",), f"begins with -1, the rows, and then has sizes from 1 on, or -1 for an open axis; not {shape}"
    if math.prod(abs(size) for size in shape) > LARGEST:
        yield ("shape",), f"a row has {LARGEST:,} elements at most"
    if told.get("labels") and (told["datatype"] != "BYTES" or len(shape) > 1):
        yield ("labels",), "are for an output of BYTES with one value a row"


def _input_problems(told: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    yield from _shape_problems(told)
    columns, size = told["columns"], math.prod(told["shape"][1:])
    if size < 0 or ROWS in told["shape"][1:]:
        yield ("shape",), f"an input is made of columns, so that rows alone are open; not {told['shape']}"
    elif size != len(columns):
        ways = "name as many columns" if "columns" in told else "name its columns"
        yield (
            ("shape",),
            f"takes {size} columns, and there {'are' if len(columns) > 1 else 'is'} {len(columns)}; {ways}",
        )
    for at, column in enumerate(columns):
        if column in columns[:at]:
            yield ("columns", at), f"{column!r} is there a second time"


def _metric_problems(told: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    if told["name"] and _NAME.fullmatch(told["name"]) is None:
        yield ("name",), f"{told['name']!r} is no name; one has small letters, digits, - and _"
    elif told["name"] in METRICS:
        yield ("name",), f"{told['name']!r} is a metric with a meaning of its own; take another name"
    if _ENTRY.fullmatch(told["entry"]) is None:
        yield ("entry",), f"{told['entry']!r} names no function; write module:function"


def _watch_problems(options: Options) -> Iterator[tuple[Place | str, str]]:
    name, outputs = options.get(WATCH), {each["name"]: each for each in options[OUTPUTS]}
    if name is None:
        return
    if name not in outputs:
        yield WATCH, choice_problem(name, list(outputs))
    elif len(outputs[name]["shape"]) > 1:
        single = [each for each, told in outputs.items() if len(told["shape"]) == 1]
        yield WATCH, f"{name!r} has several values a row; {hint(name, single) if single else 'leave it out'}"
