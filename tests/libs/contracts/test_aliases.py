"""Aliases of YAML: a short document may stand for a long one, and never for an endless one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.contracts import ContractError, load_yaml
from headrace.contracts.documents import MOST_EXPANDED, lines_of
from headrace.tasks import parse_declaration


def laughs(levels: int, wide: int = 10) -> str:
    """A document each of whose lines names the one before `wide` times: wide ** levels values in `levels` lines."""
    lines = [f"x0: &x0 [{', '.join('a' * wide)}]"]
    lines += [f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * wide)}]" for at in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("levels", [6, 30, 100])
def test_a_document_that_stands_for_a_billion_values_is_refused_before_it_is_written_out(levels: int) -> None:
    """Within a second, and without the memory that the values would take."""
    with pytest.raises(
        ContractError, match=f"has [0-9]+ values where aliases are written out; at most {MOST_EXPANDED} are"
    ):
        load_yaml(laughs(levels))


def test_how_many_values_it_stands_for_is_counted_with_its_names() -> None:
    """One mapping, five names, and lists of 11, 111, 1111, 11111 and 111111 values, each with itself."""
    with pytest.raises(ContractError, match="has 123461 values where aliases are written out; at most 100000 are"):
        load_yaml(laughs(5))


def test_a_document_of_nearly_as_many_values_as_are_allowed_is_read() -> None:
    """Four lines that stand for 12,345 values: the same list is met again, and not copied."""
    found = load_yaml(laughs(4))

    assert len(found["x3"]) == 10
    assert found["x3"][0] is found["x3"][9]
    assert found["x0"] == ["a"] * 10


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a: &a 1\nb: *a", {"a": 1, "b": 1}),
        ("a: &a {x: 1}\nb: *a", {"a": {"x": 1}, "b": {"x": 1}}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}", {"a": {"x": 1}, "b": {"x": 1, "y": 2}}),
        ("a: &a []\nb: [*a, *a]", {"a": [], "b": [[], []]}),
        ("a: &a {}\nb: [*a, {c: *a}]", {"a": {}, "b": [{}, {"c": {}}]}),
        ("", None),
        ("&a x", "x"),
    ],
)
def test_an_alias_of_anything_is_that_thing(source: str, value: object) -> None:
    """Words, mappings, merges, and what is empty."""
    assert load_yaml(source) == value


def test_a_declaration_is_refused_with_the_same_words() -> None:
    """By whichever door it comes: the reader is one."""
    with pytest.raises(ContractError, match="values where aliases are written out"):
        parse_declaration("name: churn\ndata: {dataset: customers, target: left}\n" + laughs(12))


def test_the_lines_of_such_a_document_are_not_walked_either() -> None:
    """What tells the line of a problem reads the same source."""
    with pytest.raises(ContractError, match="values where aliases are written out"):
        lines_of(laughs(40))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a: &a [1, *a]", 1),
        ("a: 1\nb: &b {c: *b}", 2),
        ("a: 1\nb: 2\nc: &c\n  - d:\n      - *c", 3),
    ],
)
def test_an_alias_that_stands_for_what_it_lies_in_is_refused_with_its_line(source: str, line: int) -> None:
    """Such a document has no end, and nothing that JSON could carry."""
    with pytest.raises(ContractError, match=f"^line {line}: an alias stands for what it lies in$"):
        load_yaml(source)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=5), st.integers(1, 6))
@settings(max_examples=30)
def test_an_alias_is_what_it_names(values: list[int], times: int) -> None:
    """As if it were written out."""
    source = f"a: &a {values}\nb: [{', '.join(['*a'] * times)}]"

    assert load_yaml(source) == {"a": values, "b": [values] * times}
