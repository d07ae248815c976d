"""The page about the declaration: every field with an example, and every example is right."""

from pathlib import Path

import pytest

from headrace.contracts import load_yaml
from headrace.contracts.generate.reference import (
    Missing,
    declared_fields,
    example_files,
    example_of,
    render_reference,
)
from headrace.contracts.generate.sources import find_sources
from headrace.tasks import parse_declaration

SOURCES = find_sources()
EXAMPLES = example_files(SOURCES)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_a_good_declaration(file: Path) -> None:
    """Whoever copies a line from the page gets what it promises."""
    assert parse_declaration(load_yaml(file.read_text())).name == file.stem


@pytest.mark.parametrize("field", declared_fields(SOURCES), ids=lambda field: field.name)
def test_every_field_is_explained_with_an_example(field: object) -> None:
    """A new field of the declaration needs a description, and a place in one of the examples."""
    assert field.schema["description"]  # type: ignore[attr-defined]

    examples = [load_yaml(file.read_text()) for file in EXAMPLES]
    example_of(field.path, examples)  # type: ignore[attr-defined]


def test_a_field_without_an_example_is_named() -> None:
    """The generator fails rather than leaving a cell empty."""
    with pytest.raises(Missing, match=r"monitoring\.mood"):
        example_of(("monitoring", "mood"), [{"monitoring": {"every": "P1D"}}])


def test_the_page_names_fields_within_lists_and_within_files_that_it_refers_to() -> None:
    """Gates are items of a list, and the columns of a contract have a schema of their own."""
    page = render_reference(SOURCES)

    assert "| `evaluation.gates[].at_least` |" in page
    assert "| `data.contract.columns[].type` | must be said |" in page
