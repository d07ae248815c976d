"""Categories as numbers. Text and numbers are categories alike; a missing one is a category of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from headrace.contracts.preparation import BOOLEAN, CATEGORY, NUMERIC, TEXT, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import FLOAT, Nodes, Value
from headrace.frameworks.preparation.nodes import TEXT as STRINGS
from headrace.frameworks.preparation.steps.base import About, Learned, Step

UNKNOWN = -1  # the code of a category that training has not seen
_GAP = float(np.finfo(np.float32).min)  # stands for a missing number: equal to itself, as NaN is not
_TAKES = dict.fromkeys((TEXT, CATEGORY, NUMERIC, BOOLEAN), NUMERIC)
Table = tuple[Any, Any, float]
"""Of one column: its categories, the number for each, and the one for any other."""


def _categories(values: np.ndarray) -> np.ndarray:
    """The values with something in place of a missing one that is equal to itself."""
    return values if values.dtype == object else np.where(np.isnan(values), _GAP, values.astype(np.float64))


def _column(nodes: Nodes, value: Value, place: int) -> Value:
    column = nodes.columns(value, [place])
    if column.type == STRINGS:
        return column
    column = nodes.cast(column, FLOAT)
    return nodes.where(nodes.missing(column), nodes.constant(_GAP, column), column.name, FLOAT)


def _lookups(nodes: Nodes, value: Value, tables: Sequence[Sequence[Table]]) -> list[Value]:
    """The number of each table for its column, side by side."""
    found = []
    for place, of_column in enumerate(tables):
        column = _column(nodes, value, place)
        found += [nodes.lookup(column, *table) for table in of_column]
    return found


def _from_tables(tables: Sequence[Sequence[Table]], figures: Mapping[str, Sequence[Any]], **more: Any) -> Learned:
    return Learned(lambda nodes, value: nodes.beside(_lookups(nodes, value, tables)), figures, **more)


def _sizes(categories: Sequence[Any]) -> dict[str, list[int]]:
    return {"categories": [len(known) for known in categories]}


def _ordinal(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """The place of the category, by the declared order or by its letters; another one is -1."""
    found = OrdinalEncoder().fit(_categories(values)).categories_
    known = [params["order"]] * len(found) if params["order"] else found
    tables = [[(each, range(len(each)), UNKNOWN)] for each in known]
    return _from_tables(tables, _sizes(known))


def _frequency(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """The share of the training rows; of another one 0."""
    tables = []
    for column in _categories(values).T:
        known, counts = np.unique(column, return_counts=True)
        tables.append([(known, counts / len(values), 0.0)])
    return _from_tables(tables, _sizes([table[0][0] for table in tables]))


def _one_hot(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """One column a category; rare ones share the last one, which any other one gets, too."""
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=params["most"], min_frequency=params["least"]
    ).fit(_categories(values))
    rare = encoder.infrequent_categories_ if _counts_rare(params) else [None] * values.shape[1]
    tables, names = [], []
    for place, (known, few) in enumerate(zip(encoder.categories_, rare, strict=True)):
        often = [each for each in known if few is None or each not in few]
        last = UNKNOWN if few is None else len(often)
        tables.append([([*often, *(few if few is not None else ())], [*range(len(often)), *[last] * _size(few)], last)])
        names += [(place, f" = {_shown(each)}") for each in often] + ([(place, " = rare")] if _size(few) else [])
    widths = [sum(at == place for at, _ in names) for place in range(values.shape[1])]

    def write(nodes: Nodes, value: Value) -> Value:
        codes = _lookups(nodes, value, tables)
        flags = [
            nodes.add("Equal", [code.name, nodes.constant(np.arange(width)[None, :], code)], 0)
            for code, width in zip(codes, widths, strict=True)
        ]
        return nodes.beside([nodes.add("Cast", [flag.name], FLOAT, to=FLOAT) for flag in flags])

    return Learned(write, _sizes(encoder.categories_), names)


def _counts_rare(params: Mapping[str, Any]) -> bool:
    return params["most"] is not None or params["least"] is not None


def _size(rare: Sequence[Any] | None) -> int:
    return 0 if rare is None else len(rare)


def _shown(category: Any) -> str:
    return "missing" if category in ("", _GAP) else str(category)


def _target(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """The mean of the target; training rows get that of the other folds, so that no row is told its own answer."""
    kind = "continuous" if not about.labels else "binary" if about.labels == 2 else "multiclass"
    encoder = TargetEncoder(
        target_type=kind,
        smooth=params["smooth"],
        cv=(StratifiedKFold if about.labels else KFold)(params["folds"], shuffle=True, random_state=about.seed),
    )
    training = encoder.fit_transform(_categories(values), about.target).astype(np.float32)
    means = np.atleast_1d(encoder.target_mean_)
    tables = [
        [(known, encoder.encodings_[place * len(means) + at], mean) for at, mean in enumerate(means)]
        for place, known in enumerate(encoder.categories_)
    ]
    names = [(place, f" of {at}" if len(means) > 1 else "") for place in range(len(tables)) for at in range(len(means))]
    return _from_tables(tables, _sizes(encoder.categories_), made=names, training=training)


_LABELS = {TEXT: [{"type": "string"}], CATEGORY: [{"type": "string"}], BOOLEAN: [{"type": "boolean"}]}
_ORDER = {kind: [{"type": "list", "of": rule}] for kind, rules in _LABELS.items() for rule in rules}
ONE_HOT = Step(
    StepInfo(
        "one column for each category",
        _TAKES,
        {
            "most": StepParam(
                "most columns; the rarest categories share one", [{"type": "integer", "min": 2, "max": 10_000}]
            ),
            "least": StepParam("fewest rows of a category that has its own column", [{"type": "integer", "min": 1}]),
        },
        per_value=True,
    ),
    _one_hot,
    gaps="closes",
)
ORDINAL = Step(
    StepInfo(
        "the place of the category in an order, from 0; -1 for another one",
        _TAKES,
        {
            "order": StepParam(
                "the categories in their order; else that of their letters",
                of={**_ORDER, NUMERIC: [{"type": "list", "of": {"type": "number"}}]},
            )
        },
        per_value=True,
    ),
    _ordinal,
    gaps="closes",
    codes=True,
)
FREQUENCY = Step(StepInfo("the share of the training rows that have the category", _TAKES), _frequency, gaps="closes")
TARGET_MEAN = Step(
    StepInfo(
        "the mean of the target where the category stands, of the rows of other folds while it is learned",
        _TAKES,
        {
            "smooth": StepParam(
                "how strongly rare categories are drawn to the mean of all rows",
                [{"one_of": ["auto"]}, {"type": "number", "min": 0}],
                default="auto",
            ),
            "folds": StepParam(
                "into how many parts the training rows are split", [{"type": "integer", "min": 2, "max": 50}], default=5
            ),
        },
    ),
    _target,
    gaps="closes",
)
