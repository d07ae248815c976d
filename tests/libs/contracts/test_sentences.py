"""What is said of wrong values: whole sentences, since people act on every word of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from headrace.contracts import ContractError
from headrace.contracts.durations import LONGEST, duration_problem, meant, parse_duration
from headrace.contracts.errors import Problem, choice_problem, hint, path, shown
from headrace.contracts.estimators import fits, words
from headrace.contracts.explain import explain, merged, problems_of
from headrace.contracts.labels import match_label, named_labels, same_label
from headrace.contracts.options import Option
from headrace.contracts.schedules import schedule_problem
from headrace.contracts.severities import SEVERITIES, rank
from headrace.contracts.times import plausible
from headrace.contracts.versions import version_digest

Rule = Mapping[str, Any]


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ([], [None, 1, "x", [], {}], []),
        ([{"type": "integer"}], [0, -5, 10**9], [1.0, True, "1", None, float("nan")]),
        ([{"type": "number"}], [0, 0.5, -1e9], [True, "1", float("inf"), float("nan"), None]),
        ([{"type": "integer", "min": 1}], [1, 2], [0, -1]),
        ([{"type": "integer", "max": 3}], [3, -9], [4]),
        ([{"type": "number", "min": 0, "max": 1}], [0, 1, 0.5], [-0.001, 1.001]),
        ([{"type": "number", "min": 0, "open": ["min"]}], [0.001, 7], [0, -1]),
        ([{"type": "number", "max": 1, "open": ["max"]}], [0.999, -7], [1, 2]),
        ([{"type": "number", "min": 0, "max": 1, "open": ["min", "max"]}], [0.5], [0, 1]),
        ([{"type": "number", "min": 0, "max": 1, "open": ["max"]}], [0, 0.5], [1]),
        ([{"type": "boolean"}], [True, False], [0, 1, "true", None]),
        ([{"type": "null"}], [None], [0, "", False, []]),
        ([{"type": "string"}], ["", "x"], [1, None, ["x"]]),
        ([{"type": "list"}], [[], [1]], ["x", {"a": 1}, None]),
        ([{"type": "object"}], [{}, {"a": 1}], [[], "x", None]),
        ([{"one_of": ["a", "b"]}], ["a", "b"], ["c", "A", 1, None]),
        ([{"one_of": [1, 2]}], [1, 2, 1.0], [True, 3, "1"]),
        ([{"one_of": [True]}], [True], [1, 1.0, "true", False]),
        ([{"one_of": [None, 0]}], [None, 0], [False, ""]),
        ([{"type": "null"}, {"type": "integer", "min": 1}], [None, 1], [0, "x"]),
        ([{"one_of": ["auto"]}, {"type": "number", "min": 0}], ["auto", 0.5], ["automatic", -1]),
    ],
)
def test_a_value_fits_one_of_the_rules_or_none(rules: Sequence[Rule], good: list[Any], bad: list[Any]) -> None:
    """A truth value is no number and a number no truth value; the ends of a range belong to it unless it is open."""
    assert [each for each in good if not fits(each, rules)] == []
    assert [each for each in bad if fits(each, rules)] == []


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"type": "integer"}], "takes an integer"),
        ([{"type": "number"}], "takes a number"),
        ([{"type": "integer", "min": 1}], "takes an integer from 1"),
        ([{"type": "integer", "max": 255}], "takes an integer to 255"),
        ([{"type": "number", "min": 0, "max": 1}], "takes a number from 0 to 1"),
        ([{"type": "number", "min": 0, "open": ["min"]}], "takes a number above 0"),
        ([{"type": "number", "max": 0.5, "open": ["max"]}], "takes a number below 0.5"),
        ([{"type": "number", "min": 0, "max": 1, "open": ["min", "max"]}], "takes a number above 0 below 1"),
        ([{"type": "boolean"}], "takes true or false"),
        ([{"type": "null"}, {"type": "string"}], "takes null or text"),
        ([{"type": "list"}, {"type": "object"}], "takes a list or a mapping"),
        ([{"one_of": ["a", 1, None, True]}], 'takes "a", 1, null, true'),
        ([{"one_of": ["auto"]}, {"type": "integer", "min": 2}], 'takes "auto" or an integer from 2'),
    ],
)
def test_the_rules_are_said_in_words(rules: Sequence[Rule], said: str) -> None:
    """As they would be written in a declaration."""
    assert words(rules) == said


def test_everything_that_a_range_says_is_true_of_what_fits() -> None:
    """The words and the judgement come from one rule: its ends are tried."""
    for opened in ([], ["min"], ["max"], ["min", "max"]):
        rule = {"type": "number", "min": 2, "max": 4, "open": opened}
        assert fits(2, [rule]) is ("from 2" in words([rule]))
        assert fits(4, [rule]) is ("to 4" in words([rule]))
        assert fits(3, [rule])


NUMBER = Option("level", "a level", {"type": "number", "min": 0, "max": 1, "open": ["min", "max"]}, 0.5)
MANY = Option("levels", "some levels", NUMBER.rule, [0.1, 0.9], many=(2, 3))
COLUMN = Option("query", "the column of queries", {"type": "string"}, "q", names="key")
COLUMNS = Option("series", "the columns of series", {"type": "string"}, ["a"], many=(1, 2), names="column")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        (NUMBER, 0.5, None),
        (NUMBER, 1, "takes a number above 0 below 1; not 1"),
        (NUMBER, "half", "takes a number above 0 below 1; not 'half'"),
        (NUMBER, [0.5], "takes a number above 0 below 1; not [0.5]"),
        (MANY, [0.1, 0.9], None),
        (MANY, [0.1, 0.5, 0.9], None),
        (MANY, [0.1], "takes a list of 2 to 3 values, each a number above 0 below 1; not [0.1]"),
        (MANY, [0.1] * 4, "takes a list of 2 to 3 values, each a number above 0 below 1; not [0.1, 0.1, 0.1, 0.1]"),
        (MANY, 0.1, "takes a list of 2 to 3 values, each a number above 0 below 1; not 0.1"),
        (MANY, [0.1, 2, 3], "takes a list of 2 to 3 values, each a number above 0 below 1; not 2"),
        (COLUMN, "q", None),
        (COLUMN, "", "takes the name of a column; not ''"),
        (COLUMN, 7, "takes the name of a column; not 7"),
        (COLUMNS, ["a", "b"], None),
        (COLUMNS, [], "takes a list of 1 to 2 values, each the name of a column; not []"),
        (COLUMNS, ["a", ""], "takes a list of 1 to 2 values, each the name of a column; not ''"),
    ],
)
def test_an_option_says_what_it_takes_and_what_it_was_given(option: Option, value: Any, said: str | None) -> None:
    """Of a list the first entry that is wrong."""
    assert option.problem(value) == said


@pytest.mark.parametrize(
    ("option", "value", "columns"),
    [
        (COLUMN, "q", [(("query",), "q")]),
        (COLUMN, "", []),
        (COLUMN, None, []),
        (COLUMNS, ["a", "b"], [(("series", 0), "a"), (("series", 1), "b")]),
        (COLUMNS, ["a", 7], []),
        (COLUMNS, "a", []),
        (NUMBER, 0.5, []),
    ],
)
def test_an_option_names_columns_with_their_place(option: Option, value: Any, columns: list[Any]) -> None:
    """And none where its value is no good: that is told once."""
    assert list(option.columns(value)) == columns


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((), "document"),
        (("data",), "data"),
        (("data", "target"), "data.target"),
        (("data", "features", 3), "data.features[3]"),
        ((0,), "[0]"),
        ((0, "a"), "[0].a"),
        (("a", 0, 1, "b"), "a[0][1].b"),
    ],
)
def test_a_place_is_written_as_a_path(parts: tuple[str | int, ...], text: str) -> None:
    """Names joined by dots, positions in brackets."""
    assert path(parts) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"),
        (None, "None"),
        ("a" * 58, repr("a" * 58)),
        ("a" * 59, "'" + "a" * 56 + "..."),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16..."),
    ],
)
def test_a_value_is_shown_in_at_most_sixty_characters(value: object, text: str) -> None:
    """Whole where it fits."""
    assert shown(value) == text
    assert len(shown(value)) <= 60


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("wasserstien", ["ks", "wasserstein"], "did you mean 'wasserstein'?"),
        ("CANARY", ["canary", "direct"], "did you mean 'canary'?"),
        ("Roc_Auc", ["roc_auc"], "did you mean 'roc_auc'?"),
        ("zzz", ["a", "b"], "known here are a, b"),
        ("zzz", [], "known here are "),
        ("zzz", [f"n{at}" for at in range(30)], f"known here are {', '.join(f'n{at}' for at in range(30))}"),
        ("zzz", [f"n{at}" for at in range(32)], f"known here are {', '.join(f'n{at}' for at in range(30))} and 2 more"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_with_all(name: str, known: list[str], said: str) -> None:
    """Thirty of them: a sentence stays a sentence."""
    assert hint(name, known) == said
    assert choice_problem(name, known) == f"{name!r} is not known; {said}"


def test_a_problem_is_told_with_its_place_and_once() -> None:
    """Two rules may find the same fault; what has no place is about the whole."""
    one, other = Problem(("data", "target"), "is missing"), Problem((), "is too long")

    error = ContractError.of([one, other, one])

    assert str(error) == "data.target: is missing; is too long"
    assert error.problems == (one, other)


class Inner(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(extra="forbid", strict=True)
    count: int
    ratio: int | float | str | None = None


class Outer(BaseModel):
    """A document."""

    model_config = ConfigDict(extra="forbid", strict=True)
    inner: Inner
    many: list[Inner] = []


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "inner: is missing"),
        ({"inner": {"count": 1}, "more": 2}, "more: unknown field"),
        ({"inner": {}}, "inner.count: is missing"),
        ({"inner": {"count": "x"}}, "inner.count: should be a valid integer, not 'x'"),
        ({"inner": {"count": 1.5}}, "inner.count: should be a valid integer, not 1.5"),
        ({"inner": {"count": 1}, "many": [{"count": 1}, {}]}, "many[1].count: is missing"),
        ({"inner": {"count": 1, "ratio": []}}, "inner.ratio: should be a whole number, a number, a text; not []"),
        ({"inner": {"count": 1, "ratio": True}}, "inner.ratio: should be a whole number, a number, a text; not True"),
    ],
)
def test_what_a_model_says_is_said_in_words_for_people(document: Any, told: str) -> None:
    """The place as a path, and one line for a value that may be of several types."""
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate(document)

    assert explain(refused.value) == told
    assert explain(refused.value, "data") == f"data.{told}"
    assert "; ".join(map(str, problems_of(refused.value))) == told


def test_errors_of_different_values_stay_apart() -> None:
    """What is merged are the types of one value alone."""
    errors = [
        {"loc": ("a", "int"), "type": "int_type", "input": []},
        {"loc": ("b", "int"), "type": "int_type", "input": []},
        {"loc": ("a", "str"), "type": "string_type", "input": []},
        {"loc": ("a",), "type": "missing", "input": {}},
    ]

    assert [(each["loc"], each["type"]) for each in merged(errors)] == [
        (("a",), "merged"),
        (("b", "int"), "int_type"),
        (("a",), "missing"),
    ]


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("PT30S", {}, None),
        ("PT0S", {}, None),
        ("PT0S", {"zero": False}, "'PT0S' is no time at all; a duration above 0 is needed"),
        ("PT0.000S", {"zero": False}, "'PT0.000S' is no time at all; a duration above 0 is needed"),
        ("PT1S", {"zero": False}, None),
        ("PT59S", {"least": timedelta(minutes=1)}, "'PT59S' is too short; at least 60 s are needed"),
        ("PT1M", {"least": timedelta(minutes=1)}, None),
        ("P8D", {"most": timedelta(days=7)}, "'P8D' is too long; at most 7 days are allowed"),
        ("P7D", {"most": timedelta(days=7)}, None),
        ("P7DT0.001S", {"most": timedelta(days=7)}, "'P7DT0.001S' is too long; at most 7 days are allowed"),
        ("P100Y", {}, None),
        ("P36501D", {}, "'P36501D' is too long; at most 36500 days are allowed"),
        ("banana", {}, "'banana' is no ISO 8601 duration; write PT30S, PT1H30M or P7D"),
        ("30 min", {}, "'30 min' is no ISO 8601 duration; write PT30M"),
        ("-PT5S", {}, "'-PT5S' is no ISO 8601 duration; write PT30S, PT1H30M or P7D"),
        ("PT5S\n", {}, "'PT5S\\n' is no ISO 8601 duration; write PT30S, PT1H30M or P7D"),
    ],
)
def test_why_a_duration_may_not_be_used(text: str, rule: dict[str, Any], said: str | None) -> None:
    """The ends of what is allowed are allowed."""
    assert duration_problem(text, **rule) == said


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("30s", "PT30S"), ("30 sec", "PT30S"), ("30secs", "PT30S"), ("1 second", "PT1S"), ("2 Seconds", "PT2S"),
        ("5m", "PT5M"), ("5 min", "PT5M"), ("5 mins", "PT5M"), ("1 minute", "PT1M"), ("5 MINUTES", "PT5M"),
        ("1h", "PT1H"), ("1 hour", "PT1H"), ("12 hours", "PT12H"), ("3d", "P3D"), ("1 day", "P1D"), ("3 days", "P3D"),
        ("2w", "P2W"), ("1 week", "P1W"), ("2 weeks", "P2W"), (" 7 d ", "P7D"), ("pt1h", "PT1H"), ("p1dt2h", "P1DT2H"),
        ("1 month", None), ("1.5h", None), ("h", None), ("", None), ("-1d", None), ("1 d 2 h", None), ("1 mi", None),
    ],
)  # fmt: skip
def test_what_people_mean_is_seen_or_not_guessed(text: str, right: str | None) -> None:
    """A month is `M` in one place and a minute in another: nothing is guessed there."""
    assert meant(text) == right
    assert right is None or duration_problem(right) is None


@given(
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)
)
@settings(max_examples=40)
def test_every_part_of_a_duration_has_its_length(
    years: int, months: int, weeks: int, days: int, h: int, m: int
) -> None:
    """A year 365 days, a month 30; parts may be left out from either end."""
    found = parse_duration(f"P{years}Y{months}M{weeks}W{days}DT{h}H{m}M")

    assert found == timedelta(days=365 * years + 30 * months + 7 * weeks + days, hours=h, minutes=m)
    assert parse_duration(f"P{weeks}W{days}D") + parse_duration(f"PT{h}H{m}M") == parse_duration(
        f"P{weeks}W{days}DT{h}H{m}M"
    )
    assert found <= LONGEST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PT1S", None),
        ("PT0.999S", "'PT0.999S' is too short; at least 1 s are needed"),
        ("PT0S", "'PT0S' is no time at all; a duration above 0 is needed"),
        ("1 hour", "'1 hour' is no ISO 8601 duration; write PT1H"),
        ("@dailyy", "'@dailyy' is not known; did you mean '@daily'?"),
        ("@", "'@' is not known; known here are @hourly, @daily, @weekly, @monthly"),
        (
            "0 0 30 2 *",
            "'0 0 30 2 *' never comes; write a duration (PT1H, P1D), a cron expression (0 6 * * *), @hourly, @daily, "
            "@weekly or @monthly",
        ),
        (
            "soon",
            "'soon' is no schedule; write a duration (PT1H, P1D), a cron expression (0 6 * * *), @hourly, @daily, "
            "@weekly or @monthly",
        ),
        ("59 23 31 12 *", None),
        ("0 0 29 2 *", None),
        ("  0   6 * * 1-5 ", None),
    ],
)
def test_why_a_text_is_no_schedule(text: str, said: str | None) -> None:
    """The whole sentence."""
    assert schedule_problem(text) == said


@pytest.mark.parametrize(
    ("label", "text", "same"),
    [
        (1, "1", True),
        (1, "1.0", True),
        (1, "+1", True),
        (1, "2", False),
        (1, "true", False),
        (1.5, "1.5", True),
        (1.5, "1.50", True),
        (1.0, "1", True),
        ("1", "1.0", True),
        ("yes", "yes", True),
        ("yes", "Yes", False),
        ("", "0", False),
        ("", "", True),
        (True, "true", True),
        (True, "True", True),
        (True, "1", True),
        (True, "1.0", False),
        (True, "0", False),
        (False, "false", True),
        (False, "0", True),
        (False, "False", True),
        (False, "1", False),
        (12_345_678_901_234_567, "12345678901234567", True),
        (12_345_678_901_234_567, "12345678901234568", False),
        (9_007_199_254_740_993, "9007199254740992", False),
        ("12345678901234567", "12345678901234568", False),
        (10, "1_0", False),
        (1, "\u0661", False),
        ("nan", "nan", True),
        (float("nan"), "1", False),
        ("1e3", "1000", True),
    ],
)
def test_a_declared_label_is_the_one_that_a_columns_text_stands_for(label: Any, text: str, same: bool) -> None:
    """Numbers by their value, whole ones with every digit; the rest by its text."""
    assert same_label(label, text) is same


@given(st.integers(-(10**20), 10**20), st.integers(-3, 3))
@settings(max_examples=60)
def test_a_whole_label_is_no_other_one(label: int, off: int) -> None:
    """However many digits it has: floating point would take neighbours for the same."""
    assert same_label(label, str(label + off)) is (off == 0)
    assert (match_label(label + off, [label]) == 0) is (off == 0)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], ""),
        (["a"], "'a'"),
        ([1, 2.5, True, "x"], "1, 2.5, True, 'x'"),
        (list(range(10)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (list(range(11)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more"),
        (list(range(500)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 490 more"),
    ],
)
def test_ten_labels_are_named(labels: list[Any], said: str) -> None:
    """And how many more there are."""
    assert named_labels(labels) == said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2024, 1, 1), "has no offset; a time looks like 2013-03-01T06:00:00Z"),
        (datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC), "lies outside the years 1900 to 2199"),
        (datetime(2200, 1, 1, tzinfo=UTC), "lies outside the years 1900 to 2199"),
        (datetime(1900, 1, 1, tzinfo=timezone(timedelta(hours=1))), "lies outside the years 1900 to 2199"),
        (datetime(2199, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))), "lies outside the years 1900 to 2199"),
        (datetime.max.replace(tzinfo=UTC), "lies outside the years 1900 to 2199"),
        (datetime.min.replace(tzinfo=UTC), "lies outside the years 1900 to 2199"),
    ],
)
def test_a_moment_that_cannot_be_is_refused(moment: datetime, said: str) -> None:
    """Also one that a program made: without an offset nobody knows when it was."""
    with pytest.raises(ValueError, match=f"^{said}"):
        plausible(moment)


@pytest.mark.parametrize("hours", [-12, -1, 0, 1, 14])
def test_a_moment_is_the_same_one_in_utc(hours: int) -> None:
    """Whatever its offset was."""
    local = datetime(2024, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=hours)))

    assert plausible(local) == local
    assert plausible(local).utcoffset() == timedelta(0)


def test_severities_rise() -> None:
    """By their place on the scale; what is not on it is an error, and never the most or least urgent."""
    assert [rank(each) for each in SEVERITIES] == [0, 1, 2]
    assert rank("info") < rank("warning") < rank("critical")
    with pytest.raises(ValueError, match="not in tuple"):
        rank("urgent")


def test_a_version_s_digest_is_known_and_grows_with_each_part() -> None:
    """It is in every record, so it may never change: SHA-256 of the JSON list of data set, version before and part."""
    first = version_digest("flights", None, "a" * 64)
    second = version_digest("flights", first, "b" * 64)

    assert first == "cf40495d69e73e339c0864911d2fa1edf07b7ac9fca3ba3842a0b308f412cd67"
    assert second == "957b2ef98456a13dc1867e63cce6afa617b4ed76b9aba798b58ac021fc33130a"
    assert (
        len({first, second, version_digest("trains", None, "a" * 64), version_digest("flights", None, "b" * 64)}) == 4
    )
