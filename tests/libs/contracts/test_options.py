"""What a task is told beside its name: judged by what the task says of its options, and carried to the trainer."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from headrace.contracts import Column, ContractError, KnownDataset, Option, Options
from headrace.contracts.generate.sources import find_sources
from headrace.contracts.options import filled_options, option_columns, option_problems
from headrace.tasks import TASKS, examine, parse_declaration
from headrace.tasks.generate import render
from headrace.tasks.regression import Regression
from headrace.trainer.planning import plan

KEY = Option("shop", "the column that names the shop", {"type": "string"}, "branch", required=True, names="key")
DAYS = Option("days", "how many days ahead", {"type": "integer", "min": 1, "max": 30}, 7, default=7)
LAGS = Option("lags", "days before that are looked at", {"type": "integer", "min": 1}, [1, 7], many=(1, 3))
KNOWN = Option("known", "columns known beforehand", {"type": "string"}, ["price"], many=(1, 9), names="column")
TYPES = {"sold": "number", "branch": "string", "price": "number", "day": "timestamp"}
SHOPS = KnownDataset("shops", TYPES, 1, {"sold": None})


class Sales(Regression):
    """A number for each shop, some days ahead."""

    name = "sales"
    guessed = False
    options: Sequence[Option] = (KEY, DAYS, LAGS, KNOWN)  # type: ignore[misc]

    def takes(self, column: Any) -> bool:
        """Only where it is asked for."""
        return False

    def option_problems(self, options: Options) -> Iterator[tuple[str, str]]:
        """A lag that lies behind the horizon."""
        if min(options.get("lags", [99])) < options["days"]:
            yield "lags", f"are known {options['days']} days later at the earliest"


@dataclass(frozen=True)
class Told:
    """A declaration's options, and what is said of them."""

    options: dict[str, Any]
    said: Sequence[str]


@pytest.fixture(autouse=True)
def sales() -> Iterator[None]:
    """The task is there while a test runs."""
    mapping = cast("dict[str, Any]", TASKS)
    mapping["sales"] = Sales()
    yield
    del mapping["sales"]


def document(options: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """A declaration of the task with these options."""
    told = {} if options is None else {"task_options": options}
    return {"name": "m", "task": "sales", "data": {"dataset": "shops", "target": "sold"}, **told, **parts}


WRONG = {
    "missing": Told({}, ["task_options.shop: is missing; it is the column that names the shop"]),
    "unknown": Told({"shop": "branch", "day": 3}, ["task_options.day: sales has no such option; did you mean 'days'?"]),
    "of another task": Told(
        {"shop": "branch", "quantiles": [0.1, 0.9]},
        ["task_options.quantiles: is an option of quantiles, not of sales; say `task: quantiles`, or leave it out"],
    ),
    "range": Told({"shop": "branch", "days": 31}, ["task_options.days: takes an integer from 1 to 30; not 31"]),
    "type": Told({"shop": "branch", "days": "7"}, ["task_options.days: takes an integer from 1 to 30; not '7'"]),
    "truth value": Told(
        {"shop": "branch", "days": True}, ["task_options.days: takes an integer from 1 to 30; not True"]
    ),
    "list": Told(
        {"shop": "branch", "lags": 7},
        ["task_options.lags: takes a list of 1 to 3 values, each an integer from 1; not 7"],
    ),
    "too many": Told(
        {"shop": "branch", "lags": [7, 8, 9, 10]},
        ["task_options.lags: takes a list of 1 to 3 values, each an integer from 1; not [7, 8, 9, 10]"],
    ),
    "inside a list": Told(
        {"shop": "branch", "lags": [7, 0]},
        ["task_options.lags: takes a list of 1 to 3 values, each an integer from 1; not 0"],
    ),
    "no column": Told({"shop": 3}, ["task_options.shop: takes the name of a column; not 3"]),
    "empty": Told({"shop": ""}, ["task_options.shop: takes the name of a column; not ''"]),
    "together": Told({"shop": "branch", "lags": [1]}, ["task_options.lags: are known 7 days later at the earliest"]),
    "two": Told(
        {"days": 0, "shop": None},
        ["task_options.days: takes an integer from 1 to 30; not 0", "task_options.shop: takes the name of a column"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_option_is_refused_with_its_place_and_what_would_be_right(case: str) -> None:
    """Every one of them at once, at `apply`."""
    with pytest.raises(ContractError) as refused:
        parse_declaration(document(WRONG[case].options), SHOPS)

    for said in WRONG[case].said:
        assert said in str(refused.value)
    assert len(refused.value.problems) == len(WRONG[case].said)


def test_defaults_are_filled_in_and_told_on() -> None:
    """Whoever reads the declaration later need not know them."""
    declared = parse_declaration(document({"lags": [7], "shop": "branch"}), SHOPS)

    assert declared.task_options == {"shop": "branch", "days": 7, "lags": [7]}
    assert parse_declaration(declared.model_dump(mode="json", exclude_none=True), SHOPS) == declared


def test_a_task_without_options_says_nothing_of_them() -> None:
    """A declaration from before there were options is the same as it was: no new revision, no approval."""
    declared = parse_declaration({"name": "m", "task": "regression", "data": {"dataset": "shops", "target": "sold"}})

    assert declared.task_options is None
    assert "task_options" not in declared.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize(("options", "task"), [({"shop": "branch"}, "sales"), ({"quantiles": [0.1, 0.9]}, "quantiles")])
def test_the_options_tell_the_task_where_none_is_named(options: dict[str, Any], task: str) -> None:
    """Only one of them has such options."""
    left_out = {name: value for name, value in document(options).items() if name != "task"}

    assert examine(left_out, SHOPS).declaration.task == task


def test_options_that_no_task_has_are_named_although_the_task_is_guessed() -> None:
    """The guess is made by the target then."""
    left_out = {name: value for name, value in document({"steps_ahead": 3}).items() if name != "task"}

    with pytest.raises(ContractError, match=r"task_options\.steps_ahead: regression has no options"):
        examine(left_out, SHOPS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shop": "brnch"}, "task_options.shop: dataset 'shops' has no column 'brnch'; did you mean 'branch'?"),
        (
            {"shop": "branch", "known": ["price", "rain"]},
            "task_options.known[1]: dataset 'shops' has no column 'rain'",
        ),
        ({"shop": "sold"}, "task_options.shop: 'sold' is the target; a request does not carry what is predicted"),
        ({"shop": "br\u200banch"}, "U+200B"),
    ],
)
def test_columns_that_options_name_are_columns_of_the_dataset(options: dict[str, Any], said: str) -> None:
    """Each at its place, with the nearest name."""
    with pytest.raises(ContractError) as refused:
        parse_declaration(document(options), SHOPS)

    assert said in str(refused.value)


def test_a_key_is_never_a_feature() -> None:
    """Named as one it is refused; where features are left out it is none of them."""
    named = {"dataset": "shops", "target": "sold", "features": ["price", "branch"]}
    with pytest.raises(ContractError, match=r"'branch' is in data\.features, too; it tells rows apart"):
        parse_declaration(document({"shop": "branch"}, data=named), SHOPS)

    alone = KnownDataset("shops", {"sold": "number", "branch": "string"}, 1, {"sold": None})
    with pytest.raises(ContractError, match="dataset 'shops' has no column left to learn from"):
        parse_declaration(document({"shop": "branch"}), alone)


def test_a_run_carries_keys_as_context_and_the_options_to_the_worker() -> None:
    """A key comes with every request, and nothing is learned from it; other columns that options name are features."""
    declared = parse_declaration(document({"shop": "branch", "known": ["price"]}), SHOPS)
    columns = [Column(name=name, type=kind, nullable=False) for name, kind in TYPES.items()]

    planned = plan(declared, columns, {}, None, "an.Estimator")

    assert [column.name for column in planned.features] == ["price"]
    assert [column.name for column in planned.context] == ["branch"]
    assert planned.options == {"shop": "branch", "days": 7, "known": ["price"]}
    assert not any("branch" in warning for warning in planned.warnings)


def test_columns_are_listed_with_their_places() -> None:
    """Of every option, or of keys alone."""
    given = {"shop": "branch", "known": ["price", "rain"], "days": 3}

    assert list(option_columns(given, Sales())) == [
        (("task_options", "shop"), "branch"),
        (("task_options", "known", 0), "price"),
        (("task_options", "known", 1), "rain"),
    ]
    assert Sales().keys(given) == ["branch"]
    assert Sales().keys({}) == []


def test_good_options_have_no_problems_and_an_example_is_good() -> None:
    """The example of every option is a value that it takes."""
    assert list(option_problems({"shop": "branch"}, Sales(), TASKS)) == []
    assert filled_options({}, Sales()) == {"days": 7}
    assert Sales().example_options() == {"shop": "branch", "days": 7}
    for task in TASKS.values():
        for option in task.options:
            assert option.problem(option.example) is None
            assert option.default is None or option.problem(option.default) is None


def test_the_page_of_the_declaration_lists_every_option_of_every_task() -> None:
    """The list lies below the tasks, so that the page can be made without them."""
    del cast("dict[str, Any]", TASKS)["sales"]
    file = find_sources().package / "generated" / "task_options.json"
    page = (find_sources().schemas / "model" / "README.md").read_text()

    assert json.loads(file.read_text()) == json.loads(render(TASKS))
    for task in TASKS.values():
        for option in task.options:
            assert f"| `{task.name}` | `{option.name}` |" in page
    cast("dict[str, Any]", TASKS)["sales"] = Sales()
