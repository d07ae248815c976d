"""Every example: the graph answers as numpy does, in batches and row by row, and says so where it cannot."""

import numpy as np
import pytest

from headrace.pmml import NotExact, load
from headrace.pmml.compile import graph_of
from headrace.pmml.models import MODELS
from headrace.pmml.sample import rows_for

from .conftest import assert_same, graph_answer
from .examples import ALL, EXAMPLES

ROWS = 120
NUMPY_ALONE = {
    "probit", "cauchit", "arctan", "expm1", "log10", "ln1p", "hypot", "tan", "atan", "asin", "acos", "sinh", "cosh",
    "stdNormalCDF", "normalPDF", "upper case", "lower case", "substring", "concat", "trim blanks",
}  # fmt: skip


def needs_numpy(name: str) -> bool:
    """Whether an example shows what no graph does."""
    return any(name.endswith(each) for each in NUMPY_ALONE)


@pytest.mark.parametrize("name", ALL)
def test_graph_and_document_give_the_same_answers(name: str) -> None:
    """On rows beside all that the document names, unknown, missing and extreme ones among them."""
    document = load(ALL[name].encode())
    columns = rows_for(document, ROWS)
    told = document.answer(columns)

    seen = [{str(value) for value in values.tolist()} - {"nan", ""} for values in told.values()]
    assert set(told) == {tensor.name for tensor in document.signature.outputs}
    assert max(map(len, seen)) > 1, "rows that are all answered alike compare nothing"
    if needs_numpy(name):
        with pytest.raises(NotExact):
            graph_of(document)
    else:
        assert_same(told, graph_answer(document, columns))


@pytest.mark.parametrize(
    "name", [next(iter(f"{element}: {each}" for each in EXAMPLES[element])) for element in EXAMPLES]
)
def test_a_rows_answer_does_not_depend_on_its_neighbours(name: str) -> None:
    """One row alone is answered as among many."""
    document = load(ALL[name].encode())
    columns = rows_for(document, 10)
    whole = document.answer(columns)

    for row in range(10):
        alone = document.answer({field: values[row : row + 1] for field, values in columns.items()})
        assert_same({output: values[row : row + 1] for output, values in whole.items()}, alone)


def test_every_kind_of_model_has_examples() -> None:
    """A kind without one would not be compared with anything."""
    assert MODELS.keys() <= EXAMPLES.keys()


def test_no_rows_are_no_answers() -> None:
    """An empty batch is answered with empty columns of the right types."""
    document = load(ALL["TreeModel: tree defaultChild"].encode())
    nothing: dict[str, list[float]] = {tensor.name: [] for tensor in document.signature.inputs}

    told = document.answer(nothing)

    assert {name: (values.shape, values.dtype) for name, values in told.items()} == {
        "label": ((0,), np.dtype(object)),
        "probability": ((0,), np.dtype(np.float64)),
        "node": ((0,), np.dtype(object)),
    }
