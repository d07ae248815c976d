"""The operations of PMML as nodes of an ONNX graph, in float64 throughout.

Equal calls make one node. What ONNX Runtime cannot compute in float64 raises NotExact.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from headrace.contracts import Tensor
from headrace.pmml.errors import NotExact
from headrace.pmml.ops import Forest

NUMBERS, STRINGS = "numbers", "strings"
_LAYOUT_PROPERTY = "headrace.layout"  # how the runtime `onnx` finds columns in the two matrices
_OPSET = {"": 17, "ai.onnx.ml": 3}
_IR = 8
_ML = "ai.onnx.ml"
_FOREIGN = -1.0  # the code of a text that the document does not know
_MOST_LEAVES = 1 << 24  # whole numbers that float32, the type of a tree ensemble's answers, holds
_FUNCTIONS: Mapping[str, str] = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "floor": "Floor",
    "ceil": "Ceil",
    "rint": "Round",
    "tanh": "Tanh",
    "sin": "Sin",
    "cos": "Cos",
    "sign": "Sign",
}  # of numpy's names those that ONNX Runtime computes in float64
_TYPES: Mapping[str, int] = {
    "BOOL": TensorProto.BOOL,
    "INT64": TensorProto.INT64,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


class GraphOps:
    """Appends nodes; a value is its name. See headrace.pmml.ops.Ops."""

    def __init__(self, numbers: Sequence[str], strings: Sequence[str], words: Sequence[str] = ()) -> None:
        self._numbers, self._strings = tuple(numbers), tuple(strings)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._made: dict[Any, str] = {}
        self._constant_names: set[str] = set()
        self._encoded: dict[str, str] = {}
        self._codes = {word: code for code, word in enumerate(words)}

    # inputs

    def number_input(self, name: str) -> str:
        """A column of the matrix of numbers."""
        return self.column(NUMBERS, self._numbers.index(name))

    def text_input(self, name: str) -> str:
        """A column of the matrix of texts, as the numbers of its words; the words are told when the graph is done."""
        if name not in self._encoded:
            self._encoded[name] = f"encoded_{len(self._encoded)}"
        return self._node("Cast", [self._encoded[name]], to=TensorProto.DOUBLE)

    # constants

    def number(self, value: float) -> str:
        """A constant."""
        return self._constant(np.array(value, dtype=np.float64))

    def row(self, values: np.ndarray) -> str:
        """A constant row."""
        return self._constant(values[None].astype(np.float64))

    def code(self, text: str) -> float:
        """The number of a word, new or known."""
        return float(self._codes.setdefault(text, len(self._codes)))

    # arithmetic

    def plus(self, one: str, other: str) -> str:
        """The sum."""
        return self._node("Add", [one, other])

    def minus(self, one: str, other: str) -> str:
        """The difference."""
        return self._node("Sub", [one, other])

    def times(self, one: str, other: str) -> str:
        """The product."""
        return self._node("Mul", [one, other])

    def divided(self, one: str, other: str) -> str:
        """The quotient."""
        return self._node("Div", [one, other])

    def power(self, one: str, other: str) -> str:
        """One to the power of the other."""
        return self._node("Pow", [one, other])

    def function(self, name: str, values: str) -> str:
        """A function by numpy's name."""
        if name not in _FUNCTIONS:
            raise NotExact(f"ONNX Runtime has no {name} of float64")
        return self._node(_FUNCTIONS[name], [values])

    def single(self, values: str) -> str:
        """Rounded to float32."""
        return self._node("Cast", [self._node("Cast", [values], to=TensorProto.FLOAT)], to=TensorProto.DOUBLE)

    # conditions

    def less(self, one: str, other: str) -> str:
        """Whether one is less."""
        return self._node("Less", [one, other])

    def at_most(self, one: str, other: str) -> str:
        """Whether one is not greater."""
        return self._node("LessOrEqual", [one, other])

    def same(self, one: str, other: str) -> str:
        """Whether both are equal."""
        return self._node("Equal", [one, other])

    def both(self, one: str, other: str) -> str:
        """And."""
        return self._node("And", [one, other])

    def either(self, one: str, other: str) -> str:
        """Or."""
        return self._node("Or", [one, other])

    def negate(self, condition: str) -> str:
        """Not."""
        return self._node("Not", [condition])

    def known(self, values: str) -> str:
        """Whether values are not NaN."""
        return self.negate(self._node("IsNaN", [values]))

    def where(self, condition: str, yes: str, no: str) -> str:
        """`yes` where the condition holds, else `no`."""
        return self._node("Where", [condition, yes, no])

    def flag(self, condition: str) -> str:
        """1 and 0."""
        return self._node("Cast", [condition], to=TensorProto.DOUBLE)

    # matrices

    def stack(self, columns: Sequence[str]) -> str:
        """Side by side."""
        places = self._constant(np.array([1], dtype=np.int64))
        return self._node("Concat", [self._node("Unsqueeze", [self.full(each), places]) for each in columns], axis=1)

    def column(self, matrix: str, place: int) -> str:
        """One column."""
        return self._node("Gather", [matrix, self._constant(np.array(place, dtype=np.int64))], axis=1)

    def deep(self, matrix: str, place: int) -> str:
        """One column of each matrix."""
        return self._node("Gather", [matrix, self._constant(np.array(place, dtype=np.int64))], axis=2)

    def upright(self, column: str) -> str:
        """[rows, 1]."""
        return self._node("Unsqueeze", [self.full(column), self._constant(np.array([1], dtype=np.int64))])

    def product(self, matrix: str, weights: np.ndarray) -> str:
        """The matrix product."""
        return self._node("MatMul", [matrix, self._constant(weights.astype(np.float64))])

    def take(self, table: np.ndarray, places: str) -> str:
        """Entries of a table."""
        return self._node("Gather", [self._constant(table.astype(np.float64)), self._whole(places)], axis=0)

    def total(self, matrix: str) -> str:
        """The sum of every row."""
        return self._node("ReduceSum", [matrix, self._constant(np.array([1], dtype=np.int64))], keepdims=0)

    def greatest(self, matrix: str) -> str:
        """The greatest of every row; NaN, which ReduceMax passes over, comes back by the sum."""
        found = self._node("ReduceMax", [matrix], axes=[1], keepdims=0)
        missing = self.less(self.number(0.5), self.total(self.flag(self._node("IsNaN", [matrix]))))
        return self.where(missing, self.number(np.nan), found)

    def first(self, matrix: str) -> str:
        """The place of the greatest."""
        return self._node("Cast", [self._node("ArgMax", [matrix], axis=1, keepdims=0)], to=TensorProto.DOUBLE)

    def ranked(self, matrix: str, count: int) -> str:
        """The places of the greatest; of equal ones the lower place comes first."""
        places = self._many("TopK", [matrix, self._constant(np.array([count], dtype=np.int64))], 2, axis=1)[1]
        return self._node("Cast", [places], to=TensorProto.DOUBLE)

    def sorted(self, matrix: str) -> str:
        """In ascending order."""
        shape = self._node("Shape", [matrix])
        width = self._node("Gather", [shape, self._constant(np.array([1], dtype=np.int64))], axis=0)
        return self._many("TopK", [matrix, width], 2, axis=1, largest=0)[0]

    def leaves(self, columns: Sequence[str], forest: Forest) -> str:
        """One tree ensemble, whose trees each answer in a target of their own with the number of the leaf."""
        matrix = self.stack(columns) if columns else self.upright(self.number(0.0))
        if forest.threshold[forest.column < 0].max() >= _MOST_LEAVES:
            raise NotExact(f"trees with more than {_MOST_LEAVES} leaves")
        found = self._node("TreeEnsembleRegressor", [matrix], domain=_ML, **_ensemble(forest))
        return self._node("Cast", [found], to=TensorProto.DOUBLE)

    # what a graph cannot do

    def each(self, reason: str, function: Callable[..., float], *columns: str) -> str:
        """There is no such operation."""
        raise NotExact(reason)

    def spelled(
        self, reason: str, function: Callable[..., str | float | None], *columns: str, texts: Sequence[bool]
    ) -> str:
        """There is no such operation."""
        raise NotExact(reason)

    def only_arrays(self, reason: str) -> None:
        """A graph is no array."""
        raise NotExact(reason)

    # outputs

    def full(self, values: str) -> str:
        """One entry for every row, of constants too."""
        if values not in self._constant_names:
            return values
        source = NUMBERS if self._numbers else STRINGS
        first = self._constant(np.array([0], dtype=np.int64))
        rows = self._node("Gather", [self._node("Shape", [source]), first], axis=0)
        return self._node("Expand", [values, rows], variable=True)

    def finish(
        self, outputs: Mapping[str, str], tensors: Sequence[Tensor], words: Mapping[str, Sequence[Any]]
    ) -> bytes:
        """The whole graph; `words` are the tables of those outputs that are places in one, the last for missing."""
        for tensor in tensors:
            self._finish(tensor, self.full(outputs[tensor.name]), words.get(tensor.name))
        given = [_info(each.name, _TYPES[each.datatype], [None, *each.shape[1:]]) for each in tensors]
        encoders = [self._encoder(name, value) for name, value in self._encoded.items()]
        flat = [node for encoder in encoders for node in encoder]
        graph = helper.make_graph([*flat, *self._nodes], "pmml", self._inputs(), given, self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSET.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="headrace")
        layout = {"numbers": self._numbers, "strings": self._strings, "type": "float64"}
        helper.set_model_props(model, {_LAYOUT_PROPERTY: json.dumps(layout)})
        return bytes(model.SerializeToString())

    @property
    def words(self) -> list[str]:
        """The vocabulary, by code."""
        return list(self._codes)

    def _finish(self, tensor: Tensor, value: str, words: Sequence[Any] | None) -> None:
        if words is not None:
            last = self.number(float(len(words) - 1))
            value = self._gather(words, self.where(self.known(value), value, last))
        elif tensor.datatype != "FP64":
            value = self._node("Cast", [value], to=_TYPES[tensor.datatype])
        self._nodes.append(helper.make_node("Identity", [value], [tensor.name]))

    def _gather(self, words: Sequence[Any], places: str) -> str:
        kind = object if isinstance(words[0], str) else None
        return self._node("Gather", [self._constant(np.array(list(words), dtype=kind)), self._whole(places)], axis=0)

    def _inputs(self) -> list[onnx.ValueInfoProto]:
        found = []
        if self._numbers:
            found.append(_info(NUMBERS, TensorProto.DOUBLE, [None, len(self._numbers)]))
        if self._strings:
            found.append(_info(STRINGS, TensorProto.STRING, [None, len(self._strings)]))
        return found

    def _encoder(self, name: str, value: str) -> list[onnx.NodeProto]:
        """The numbers of one column's words, as float32, which holds all of them."""
        place = self._constant(np.array(self._strings.index(name), dtype=np.int64))
        words = {**{word: float(code) for word, code in self._codes.items()}, "": np.nan}
        told: dict[str, Any] = {"keys_strings": list(words), "values_floats": list(words.values())}
        return [
            helper.make_node("Gather", [STRINGS, place], [f"{value}_texts"], axis=1),
            helper.make_node("LabelEncoder", [f"{value}_texts"], [value], domain=_ML, default_float=_FOREIGN, **told),
        ]

    def _whole(self, values: str) -> str:
        return self._node("Cast", [values], to=TensorProto.INT64)

    def _constant(self, values: np.ndarray) -> str:
        key = (
            "constant",
            values.dtype.str,
            values.shape,
            repr(values.tolist()) if values.dtype == object else values.tobytes(),
        )
        if key not in self._made:
            name = f"c{len(self._made)}"
            self._constants.append(numpy_helper.from_array(values, name))
            self._made[key] = name
            if values.ndim == 0:
                self._constant_names.add(name)
        return self._made[key]

    def _node(self, operator: str, inputs: Sequence[str], variable: bool = False, **attributes: Any) -> str:
        return self._many(operator, inputs, 1, variable, **attributes)[0]

    def _many(
        self, operator: str, inputs: Sequence[str], outputs: int, variable: bool = False, **attributes: Any
    ) -> list[str]:
        key = (operator, tuple(inputs), repr(sorted(attributes.items(), key=lambda item: item[0])))
        if key not in self._made:
            name = f"v{len(self._made)}"
            names = [f"{name}_{place}" for place in range(outputs)]
            self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
            self._made[key] = name
            if not variable and all(each in self._constant_names for each in inputs):
                self._constant_names.update(names)
        return [f"{self._made[key]}_{place}" for place in range(outputs)]


def _info(name: str, kind: int, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _ensemble(forest: Forest) -> dict[str, Any]:
    """The attributes of a tree ensemble; each tree's nodes are numbered from 0."""
    ends = [*forest.roots[1:], len(forest.column)]
    sizes = np.diff([*forest.roots, ends[-1]])
    trees = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.repeat(forest.roots, sizes)
    inner = forest.column >= 0
    leaf = np.flatnonzero(~inner)
    numbers = np.arange(len(trees)) - starts
    return {
        "n_targets": len(sizes),
        "nodes_treeids": trees.tolist(),
        "nodes_nodeids": numbers.tolist(),
        "nodes_featureids": np.where(inner, forest.column, 0).tolist(),
        "nodes_modes": np.where(inner, "BRANCH_LEQ", "LEAF").tolist(),
        "nodes_values_as_tensor": numpy_helper.from_array(np.where(inner, forest.threshold, 0.0), "thresholds"),
        "nodes_truenodeids": np.where(inner, forest.yes - starts, 0).tolist(),
        "nodes_falsenodeids": np.where(inner, forest.no - starts, 0).tolist(),
        "nodes_missing_value_tracks_true": (inner & forest.missing_yes).astype(int).tolist(),
        "target_treeids": trees[leaf].tolist(),
        "target_nodeids": numbers[leaf].tolist(),
        "target_ids": trees[leaf].tolist(),
        "target_weights_as_tensor": numpy_helper.from_array(forest.threshold[leaf], "leaves"),
    }
