"""A declared preparation: what is refused and where, what becomes a feature, what is said of text of many values."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headrace.contracts import ContractError, KnownDataset, Prepared, PreparedStep
from headrace.contracts.columns import MANY, features_of, many_values
from headrace.contracts.preparation import KINDS, Wanted, chain_of, chain_problems, declared_chain, steps, told
from headrace.tasks import examine, parse_declaration
from headrace.tasks.catalog import INSTALLED
from headrace.testkit.declarations import LEAST, merged

TYPES = {
    "left": "integer",
    "age": "integer",
    "income": "number",
    "city": "string",
    "note": "string",
    "member": "boolean",
    "joined": "timestamp",
    "seen": "timestamp",
}
DISTINCT: Mapping[str, int | None] = {"left": 2, "age": 70, "income": None, "city": 400, "note": None, "member": 2}
CUSTOMERS = KnownDataset("customers", TYPES, 3, DISTINCT, {"left": ["0", "1"]}, rows=5000)


def declared(preparation: Any, dataset: KnownDataset | None = CUSTOMERS, **data: Any) -> Any:
    """A declaration with a preparation, as anybody writes it."""
    return parse_declaration(merged(LEAST, {"training": {"preparation": preparation}, "data": data}), dataset)


def refused(preparation: Any, dataset: KnownDataset | None = CUSTOMERS) -> str:
    """What is said against it."""
    with pytest.raises(ContractError) as said:
        declared(preparation, dataset)
    return str(said.value)


def warned(preparation: Any = None, **data: Any) -> Sequence[str]:
    """What may surprise in it."""
    parts = {"training": {"preparation": preparation}} if preparation else {}
    return examine(merged(LEAST, {**parts, "data": data}), CUSTOMERS).warnings


@pytest.mark.parametrize("dataset", [None, CUSTOMERS], ids=["unknown", "known"])
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"age": ["imput"]}, "age[0]: step 'imput' is not known; did you mean 'impute'?"),
        ({"age": ["impute", "onehot"]}, "age[1]: step 'onehot' is not known; did you mean"),
        ({"age": [{"impute": {"stratgy": "mean"}}]}, "impute has no parameter 'stratgy'; did you mean 'strategy'?"),
        ({"age": [{"impute": {"strategy": "modus"}}]}, "age[0].impute.strategy: takes "),
        ({"age": [{"impute": {"strategy": "constant"}}]}, "age[0].impute.value: is missing; it takes"),
        ({"age": [{"impute": {"value": 3}}]}, "age[0].impute.value: has no effect without `strategy: constant`"),
        ({"age": [{"standard": {"mean": 1}}]}, "age[0].standard.mean: standard has no parameter 'mean' and takes none"),
        ({"age": [{"robust": {"low": 60}}]}, "age[0].robust.low: takes a number from 0 below 50; not 60"),
        ({"age": [{"bin": {"by": "edges"}}]}, "age[0].bin.edges: is missing; it takes a list"),
        ({"age": [{"bin": {"edges": [1, 2]}}]}, "age[0].bin.edges: has no effect without `by: edges`"),
        ({"age": [{"bin": {"by": "edges", "edges": [3, 1]}}]}, "age[0].bin.edges: must rise from entry to entry"),
        ({"age": [{"bin": {"by": "edges", "edges": [1, 1]}}]}, "age[0].bin.edges: 1 is there a second time"),
        ({"age": [{"bin": {"by": "edges", "edges": []}}]}, "age[0].bin.edges: is an empty list"),
        ({"age": [{"bin": {"by": "edges", "edges": ["x"]}}]}, "age[0].bin.edges: each entry takes a number; not 'x'"),
        ({"age": [{"bin": {"bins": 1}}]}, "age[0].bin.bins: takes an integer from 2 to 1000; not 1"),
        ({"city": [{"hash": {"buckets": True}}]}, "city[0].hash.buckets: takes an integer from 2 to 4096; not True"),
        ({"seen": [{"date-parts": {"parts": ["houre"]}}]}, "seen[0].date-parts.parts: each entry takes "),
        ({"seen": [{"cyclic": {"parts": ["year"]}}]}, "seen[0].cyclic.parts: each entry takes "),
        ({"age": ["drop", "impute"]}, "age[0]: drop stands alone; leave the other steps out"),
        ({"age": []}, "age: names no step; say passthrough"),
        ({"age": [{"impute": {}, "standard": {}}]}, "age[0]: is no step: write its name, or {name: "),
        ({"age": [{"impute": "mean"}]}, "age[0]: is no step"),
        ({"left": ["standard"]}, "columns.left: 'left' is the target; only features are prepared"),
    ],
)  # fmt: skip
def test_a_wrong_step_is_refused_with_its_place(columns: Any, said: str, dataset: KnownDataset | None) -> None:
    """Step, parameter and value, each with what would be right, before anything is known of the data."""
    assert said in refused({"columns": columns}, dataset)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"agee": ["standard"]}, "columns.agee: dataset 'customers' has no column 'agee'; did you mean 'age'?"),
        ({"city": ["standard"]}, "columns.city[0]: standard takes numbers and true and false, not text"),
        ({"age": ["tf-idf"]}, "columns.age[0]: tf-idf takes text, not numbers; numbers may go to "),
        ({"age": ["date-parts"]}, "columns.age[0]: date-parts takes times, not numbers"),
        ({"seen": ["one-hot"]}, "columns.seen[0]: one-hot takes "),
        ({"city": ["passthrough"]}, "columns.city[0]: passthrough takes numbers and true and false, not text"),
        ({"city": [{"impute": {"strategy": "most-frequent"}}]}, "columns.city: ends with text without gaps"),
        ({"city": [{"impute": {"strategy": "mean"}}, "ordinal"]}, 'takes "constant", "most-frequent"; not'),
        ({"city": [{"ordinal": {"order": [1, 2]}}]}, "ordinal.order: each entry takes text; not 1"),
        ({"age": [{"impute": {"strategy": "constant", "value": "none"}}]}, "impute.value: takes a number; not 'none'"),
        ({"city": ["one-hot", "hash"]}, "columns.city[1]: hash takes text, not numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_columns_is_refused_once_the_dataset_is_known(columns: Any, said: str) -> None:
    """Unknown columns, and steps for another type, once each."""
    text = refused({"columns": columns})

    assert said in text
    assert text.count(said) == 1


def test_kinds_are_judged_without_a_dataset() -> None:
    """A kind says what its columns hold."""
    assert (
        "training.preparation.kinds.number: kind of column 'number' is not known; did you mean 'numeric'?"
        in refused({"kinds": {"number": ["standard"]}}, None)
    )
    assert "training.preparation.kinds.string[0]: log takes numbers" in refused({"kinds": {"string": ["log"]}}, None)
    assert "training.preparation.kind: unknown field; did you mean 'kinds'?" in refused({"kind": {}}, None)
    assert "should be a valid list" in refused({"kinds": {"numeric": "standard"}}, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", steps())
def test_a_kind_takes_a_step_or_is_told_which_it_may_have(step: str, kind: str) -> None:
    """For every pair: either it is good, or the sentence names steps that take the kind."""
    (found, *_) = [*chain_problems([step], ("x",), kind), None]

    if kind in steps()[step].takes:
        assert found is None or "ends with" in found.text or "is missing" in found.text or "takes" in found.text
    else:
        assert found is not None
        assert any(name in found.text.partition("may go to")[2] for name in steps() if kind in steps()[name].takes)


def test_a_columns_own_steps_stand_before_those_of_its_kind() -> None:
    """And where nothing is said of either, nothing is known."""
    found = declared({"kinds": {"numeric": ["robust"]}, "columns": {"age": [{"bin": {"bins": 3}}, "one-hot"]}})

    prepared = found.training.preparation
    assert declared_chain(prepared, "age", "integer") == (Wanted("bin", {"bins": 3}), Wanted("one-hot"))
    assert declared_chain(prepared, "income", "number") == (Wanted("robust"),)
    assert declared_chain(prepared, "city", "string") is None
    assert declared_chain(None, "age", "integer") is None
    assert chain_of([{"log": None}]) == (Wanted("log"),)


@pytest.mark.parametrize(
    ("preparation", "data", "features"),
    [
        ({}, {}, "age income city note member"),
        ({"columns": {"seen": ["cyclic"]}}, {}, "age income city note member seen"),
        ({"kinds": {"timestamp": ["date-parts"]}}, {}, "age income city note member joined seen"),
        ({"kinds": {"timestamp": ["date-parts"]}}, {"time": "joined"}, "age income city note member seen"),
        ({"columns": {"joined": ["date-parts"]}}, {"time": "joined"}, "age income city note member joined"),
        ({"columns": {"seen": ["date-parts"]}}, {"features": ["age", "seen"]}, "age seen"),
        ({"kinds": {"string": ["drop"]}, "columns": {"note": ["tf-idf"]}}, {}, "age income note member"),
        ({"columns": {"age": ["drop"]}}, {"features": ["age", "income"]}, "income"),
    ],
)
def test_times_become_features_and_dropped_columns_none(
    preparation: Any, data: Mapping[str, Any], features: str
) -> None:
    """A time is one where steps for it are declared, the column of time only by its own name."""
    found = declared(preparation, **data)

    assert features_of(found, CUSTOMERS, INSTALLED) == features.split()


def test_a_time_without_steps_is_no_feature_and_told_how_it_can_be() -> None:
    """Refused where it is named as one, said where it was left out."""
    with pytest.raises(ContractError, match=r"data.features\[1\]: 'seen' is a timestamp; say what matters of it"):
        declared({}, features=["age", "seen"])
    assert any("'seen' is a timestamp and no feature" in each and "date-parts" in each for each in warned())
    assert not any("'seen'" in each for each in warned({"columns": {"seen": ["drop"]}}))


def test_steps_for_what_is_no_feature_are_refused() -> None:
    """They would have no effect."""
    with pytest.raises(ContractError, match=r"training.preparation.columns.city: 'city' is no feature"):
        declared({"columns": {"city": ["hash"]}}, ignore=["city"])


def test_text_of_very_many_values_is_said_with_an_offer() -> None:
    """Unless the declaration says what to do with it; categories that are declared are said all the same."""
    city, note = (each for each in warned() if "different values" in each)
    assert city.startswith("data: 'city' is text with 400 different values in 5000 rows, which are taken as categories")
    assert all(way in city for way in ("`city: [hash]`", "`city: [tf-idf]`", "`city: [target-mean]`", "data.ignore"))
    assert "'note' is text with very many different values" in note
    assert not any("different values" in each for each in warned({"kinds": {"string": ["hash"]}}))
    assert any("'city'" in each for each in warned({"columns": {"city": ["one-hot"], "note": ["tf-idf"]}}))


@pytest.mark.parametrize(
    ("distinct", "rows", "told"),
    [
        (MANY, 5000, False),
        (MANY + 1, 5000, True),
        (None, None, True),
        (60, 100, True),
        (40, 100, False),
        (15, 16, False),
    ],
)
def test_what_is_too_much(distinct: int | None, rows: int | None, told: bool) -> None:
    """More than a hundred, or more than half of the rows where there are rows to speak of."""
    assert (many_values("x", distinct, rows) is not None) == told


def test_column_names_are_compared_in_their_composed_form() -> None:
    """An accent that a keyboard writes apart is the same name."""
    known = KnownDataset("d", {"left": "integer", "caf\u00e9": "number"}, 1)

    found = declared({"columns": {"cafe\u0301": ["log"]}}, known)

    assert list(found.training.preparation.columns) == ["caf\u00e9"]


def test_what_was_done_is_told_on_one_line() -> None:
    """Columns, steps with parameters and figures, how many numbers come of it; a long list is cut."""
    done = Prepared(
        columns=["age", "income"],
        steps=[
            PreparedStep(step="impute", params={"strategy": "median"}, learned={"value": [41.0, 2000.126]}),
            PreparedStep(step="log", params={}, learned={}),
        ],
        usual=False,
        makes=2,
    )
    plain = Prepared(columns=["age"], steps=[], usual=True, makes=1)
    many = PreparedStep(step="bin", params={"by": "edges", "edges": [1, 2, 3, 4, 5]}, learned={"edges": [None]})

    assert told(done) == 'age, income: impute (strategy "median"; value 41, 2000), log; 2 numbers'
    assert told(plain) == "age: as they are; 1 number (usual)"
    assert '(by "edges"; edges null)' in told(plain.model_copy(update={"steps": [many]}))
