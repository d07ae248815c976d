"""Every operation means the same on arrays and in a graph: with missing, infinite and ordinary numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest

from headrace.contracts import Tensor
from headrace.pmml import NotExact
from headrace.pmml.arrays import ArrayOps
from headrace.pmml.columns import TEXT, WHOLE, Column, among, cast, pick, places, replaced, three, typed
from headrace.pmml.errors import BadPmml
from headrace.pmml.graph import GraphOps
from headrace.pmml.ops import Forest

X = [0.0, 1.0, -2.5, np.nan, 3.0, 1e300, -1e-300, 0.5, np.nan, 2.0]
Y = [1.0, 1.0, -2.5, 4.0, np.nan, -1.0, 2.0, 0.25, np.nan, -3.0]
WORDS = ["red", "green", "", "blue", "red", "octarine", "green", "red", "blue", ""]
Case = Callable[[Any, Any, Any, Any], Any]
"""Of operations, two columns of numbers and one of texts a column or a matrix."""

ONE: Mapping[str, Case] = {
    "number": lambda ops, x, y, s: ops.number(3.5),
    "plus": lambda ops, x, y, s: ops.plus(x, y),
    "minus": lambda ops, x, y, s: ops.minus(x, y),
    "times": lambda ops, x, y, s: ops.times(x, y),
    "divided": lambda ops, x, y, s: ops.divided(x, ops.plus(y, ops.number(10.0))),
    "divided by nothing": lambda ops, x, y, s: ops.divided(y, ops.number(0.0)),
    "power": lambda ops, x, y, s: ops.power(ops.function("abs", x), ops.number(1.5)),
    "single": lambda ops, x, y, s: ops.single(ops.times(y, ops.number(0.1))),
    "less": lambda ops, x, y, s: ops.flag(ops.less(x, y)),
    "at most": lambda ops, x, y, s: ops.flag(ops.at_most(x, y)),
    "same": lambda ops, x, y, s: ops.flag(ops.same(x, y)),
    "both": lambda ops, x, y, s: ops.flag(ops.both(ops.less(x, y), ops.less(ops.number(0.0), y))),
    "either": lambda ops, x, y, s: ops.flag(ops.either(ops.less(x, y), ops.less(ops.number(0.0), y))),
    "negate": lambda ops, x, y, s: ops.flag(ops.negate(ops.less(x, y))),
    "known": lambda ops, x, y, s: ops.flag(ops.known(x)),
    "where": lambda ops, x, y, s: ops.where(ops.less(x, y), x, ops.number(-7.0)),
    "column": lambda ops, x, y, s: ops.column(ops.stack([x, y, ops.number(2.0)]), 1),
    "total": lambda ops, x, y, s: ops.total(ops.stack([x, y, ops.number(2.0)])),
    "greatest": lambda ops, x, y, s: ops.greatest(ops.stack([x, y, ops.number(2.0)])),
    "first": lambda ops, x, y, s: ops.first(ops.stack([_known(ops, x), _known(ops, y), ops.number(1.0)])),
    "take": lambda ops, x, y, s: ops.take(np.array([5.0, 6.0, 7.0]), ops.flag(ops.less(x, y))),
    "pick": lambda ops, x, y, s: pick(ops, np.array([5.0, 6.0]), three(ops, ops.less(x, y), x, y)),
    "deep": lambda ops, x, y, s: ops.total(ops.deep(ops.stack([ops.stack([x, y]), ops.stack([y, x])]), 1)),
    "text": lambda ops, x, y, s: ops.where(ops.same(s, ops.number(ops.code("red"))), ops.number(1.0), ops.number(0.0)),
    "known text": lambda ops, x, y, s: ops.flag(ops.known(s)),
    "replaced": lambda ops, x, y, s: replaced(ops, x, 9.0),
    "places of numbers": lambda ops, x, y, s: places(ops, Column(x, "double"), [1.0, 0.5, 3.0]),
    "places of texts": lambda ops, x, y, s: places(ops, Column(s, TEXT), [ops.code("blue"), ops.code("red")]),
    "among": lambda ops, x, y, s: ops.flag(among(ops, Column(s, TEXT), [ops.code("blue"), ops.code("red")])),
    "three": lambda ops, x, y, s: three(ops, ops.less(x, y), x, y),
    "whole": lambda ops, x, y, s: cast(ops, Column(ops.times(y, ops.number(1.3)), "double"), WHOLE).data,
    **{
        name: lambda ops, x, y, s, name=name: ops.function(name, y)  # type: ignore[misc]
        for name in ("exp", "abs", "floor", "ceil", "rint", "tanh", "sin", "cos", "sign")
    },
    **{
        name: lambda ops, x, y, s, name=name: ops.function(name, ops.function("abs", y))  # type: ignore[misc]
        for name in ("log", "sqrt")
    },
}
MATRICES: Mapping[str, Case] = {
    "stack": lambda ops, x, y, s: ops.stack([x, y, ops.number(2.0)]),
    "product": lambda ops, x, y, s: ops.product(ops.stack([x, y]), np.array([[1.0, 0.5, -1.0], [2.0, 0.25, 3.0]])),
    "row": lambda ops, x, y, s: ops.times(ops.stack([x, y, x]), ops.row(np.array([1.0, 2.0, -1.0]))),
    "upright": lambda ops, x, y, s: ops.plus(ops.stack([x, y, x]), ops.upright(y)),
    "ranked": lambda ops, x, y, s: ops.ranked(ops.stack([_known(ops, x), _known(ops, y), ops.number(1.0)]), 3),
    "sorted": lambda ops, x, y, s: ops.sorted(ops.stack([_known(ops, x), _known(ops, y), ops.number(1.0)])),
    "rows of a table": lambda ops, x, y, s: ops.take(np.arange(6.0).reshape(2, 3), ops.flag(ops.less(x, y))),
    "leaves": lambda ops, x, y, s: ops.leaves([x, y], FOREST),
}
FOREST = Forest(
    roots=np.array([0, 3, 6]),
    column=np.array([0, -1, -1, 1, -1, -1, -1]),
    threshold=np.array([0.5, 0.0, 1.0, -1.0, 2.0, 3.0, 4.0]),
    yes=np.array([1, 1, 2, 4, 4, 5, 6]),
    no=np.array([2, 1, 2, 5, 4, 5, 6]),
    missing_yes=np.array([True, False, False, False, False, False, False]),
)
"""Two trees of one question, where missing values go left and right, and a tree that is a leaf."""


def _known(ops: Any, values: Any) -> Any:
    return replaced(ops, values, 1.0)


def by_arrays(case: Case, width: int) -> np.ndarray:
    """What numpy says."""
    ops = ArrayOps(len(X))
    with np.errstate(all="ignore"):
        found = case(ops, np.array(X), np.array(Y), ops.encoded(WORDS))
    return np.broadcast_to(found, (len(X), width) if width else (len(X),))


def by_graph(case: Case, width: int) -> np.ndarray:
    """What the graph says."""
    ops = GraphOps(["x", "y"], ["s"])
    found = case(ops, ops.number_input("x"), ops.number_input("y"), ops.text_input("s"))
    tensor = Tensor(name="out", datatype="FP64", shape=[-1, width] if width else [-1])
    session = onnxruntime.InferenceSession(ops.finish({"out": found}, [tensor], {}))
    feeds = {"numbers": np.array([X, Y]).T, "strings": np.array([WORDS], dtype=object).T}
    taken = {each.name for each in session.get_inputs()}
    (answer,) = session.run(None, {name: values for name, values in feeds.items() if name in taken})
    return np.asarray(answer)


@pytest.mark.parametrize("name", ONE)
def test_a_column_is_the_same_on_arrays_and_in_a_graph(name: str) -> None:
    """One number a row."""
    np.testing.assert_allclose(by_graph(ONE[name], 0), by_arrays(ONE[name], 0), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_is_the_same_on_arrays_and_in_a_graph(name: str) -> None:
    """Three numbers a row."""
    np.testing.assert_allclose(by_graph(MATRICES[name], 3), by_arrays(MATRICES[name], 3), rtol=1e-15, atol=1e-15)


def test_a_forest_finds_leaves_by_hand() -> None:
    """The first tree sends NaN where small numbers go, the second where large ones go."""
    assert by_arrays(MATRICES["leaves"], 3)[:5].tolist() == [
        [0.0, 3.0, 4.0],
        [1.0, 3.0, 4.0],
        [0.0, 2.0, 4.0],
        [0.0, 3.0, 4.0],
        [1.0, 3.0, 4.0],
    ]


@pytest.mark.parametrize("name", ["log10", "arctan", "tan", "sinh"])
def test_a_function_that_no_graph_has_is_told(name: str) -> None:
    """So that the document is answered with numpy."""
    ops = GraphOps(["x"], [])

    with pytest.raises(NotExact, match=f"no {name} of float64"):
        ops.function(name, ops.number_input("x"))


def test_what_only_arrays_do_says_why() -> None:
    """Any function of numbers or texts."""
    ops = GraphOps(["x"], [])
    x = ops.number_input("x")

    with pytest.raises(NotExact, match="the normal distribution"):
        ops.each("the normal distribution", abs, x)
    with pytest.raises(NotExact, match="a function of texts"):
        ops.spelled("a function of texts", str, x, texts=[True])
    with pytest.raises(NotExact, match="any text"):
        ops.only_arrays("any text")


def test_equal_calls_make_one_node() -> None:
    """Five hundred segments that treat a field alike treat it once."""
    ops = GraphOps(["x"], [])
    x = ops.number_input("x")

    assert ops.plus(x, ops.number(1.0)) == ops.plus(x, ops.number(1.0))
    assert ops.plus(x, ops.number(1.0)) != ops.plus(x, ops.number(2.0))


def test_words_keep_their_numbers() -> None:
    """A vocabulary grows at its end, for each batch apart."""
    first, second = ArrayOps(2, ["red", "blue"]), ArrayOps(2, ["red", "blue"])

    assert first.encoded(["new", "blue"]).tolist() == [2.0, 1.0]
    assert second.encoded(["other", None])[0] == 2.0
    assert first.decoded(np.array([2.0, np.nan])).tolist() == ["new", ""]
    assert second.words == ["red", "blue", "other"]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("1.5", "double", 1.5), ("0.1", "float", float(np.float32(0.1))), ("true", "boolean", 1.0), ("7", "string", "7")],
)
def test_a_literal_has_the_type_of_its_field(text: str, kind: str, value: object) -> None:
    """A float is rounded as its field's values are."""
    assert typed(text, kind, 1) == value


@pytest.mark.parametrize(("text", "kind"), [("one", "double"), ("maybe", "boolean"), ("", "integer")])
def test_a_literal_of_another_type_is_refused(text: str, kind: str) -> None:
    """With the line."""
    with pytest.raises(BadPmml, match="line 12"):
        typed(text, kind, 12)
