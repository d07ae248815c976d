"""YAML as people write it: with the scalars of YAML 1.2, and with the line of what is wrong."""

from typing import Any

import pytest

from headrace.contracts import ContractError, load_yaml, with_lines
from headrace.tasks import parse_declaration

SOURCE = """\
name: churn
data:
  dataset: customers
  target: left
  features:
    - age
    - left
training:
  params: {max_itre: 5}
monitoring: {every: banana}
"""


def test_every_wrong_place_is_told_with_its_line() -> None:
    """An editor jumps to it."""
    with pytest.raises(ContractError) as refused:
        parse_declaration(SOURCE)

    said = with_lines(refused.value, SOURCE).splitlines()
    assert [each.partition(": ")[0] for each in said] == ["line 7", "line 9", "line 10"]
    assert said[0] == "line 7: data.features[1]: 'left' is the target; a model that learns from it knows the answer"


def test_what_is_missing_is_told_with_the_line_of_the_part_that_lacks_it() -> None:
    """There is no line of what is not there."""
    source = "name: churn\ndata:\n  dataset: customers\n"
    with pytest.raises(ContractError) as refused:
        parse_declaration(source)

    assert with_lines(refused.value, source) == "line 2: data.target: is missing"


@pytest.mark.parametrize(("source", "line"), [("a: 1\nb: [1,\n", 3), ("a: b: c\n", 1), ('{"a": 1,\n "b" 2}', 2)])
def test_a_syntax_error_names_its_line(source: str, line: int) -> None:
    """YAML and JSON alike."""
    with pytest.raises(ContractError, match=f"neither YAML nor JSON: line {line}, column "):
        load_yaml(source)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1e3", 1000.0),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-5", -5),
        (".5", 0.5),
        ("2024-12-31", "2024-12-31"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("~", None),
        ("null", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    """`tol: 1e-4` is a number, a date is text, and a leading zero does not make octal."""
    found = load_yaml(f"a: {text}")["a"]

    assert found == value
    assert type(found) is type(value)


def test_a_document_without_a_bottom_is_refused() -> None:
    """Neither a crash nor a minute of work."""
    with pytest.raises(ContractError):
        load_yaml("[" * 100_000)
