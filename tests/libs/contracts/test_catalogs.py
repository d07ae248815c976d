"""Names that grow: every schema says which catalogue owns them, and every way in asks that catalogue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from headrace.contracts import ContractError
from headrace.contracts.catalogs import CATALOGS, DECLARED, name_problems
from headrace.contracts.generate.sources import find_sources
from headrace.contracts.installed import DECLARED as INSTALLED_DECLARED
from headrace.ingest.sources import FILE_FORMATS
from headrace.strategies import STRATEGIES
from headrace.tasks import INSTALLED, parse_declaration
from headrace.trainer.formats.catalog import ARTIFACT_FORMATS

SOURCES = find_sources()
FILES = {str(path): schema for path, schema in SOURCES.files().items()}
NAME = "^[a-z0-9][a-z0-9_-]{0,62}$"
CLOSED = {"decision", "severity", "impact", "kind", "contract", "decimal", "class_weight"}
"""Properties with an enum; schemas/README.md says why each can never grow."""
DETECTORS = ("monitoring", "drift")
ALL = {**CATALOGS, **INSTALLED.names, "file-format": FILE_FORMATS, "artifact-format": ARTIFACT_FORMATS}
PLACES = {**DECLARED, **INSTALLED_DECLARED}


def nodes(schema: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema within a schema, with the way to it."""
    if isinstance(schema, dict):
        yield at, schema
        for name, each in schema.items():
            yield from nodes(each, (*at, name))
    elif isinstance(schema, list):
        for each in schema:
            yield from nodes(each, at)


OPEN = [(file, at, node) for file, schema in FILES.items() for at, node in nodes(schema) if "x-names" in node]


@pytest.mark.parametrize(("file", "at", "node"), OPEN, ids=[f"{file}:{'.'.join(at)}" for file, at, _ in OPEN])
def test_a_name_that_grows_is_a_pattern_of_a_known_catalogue(file: str, at: tuple[str, ...], node: Any) -> None:
    """A new name changes no schema; and every name of its catalogue fits the pattern."""
    assert node["pattern"] == NAME
    assert "enum" not in node
    assert ALL[node["x-names"]].entries


def test_every_catalogue_is_used_by_a_schema() -> None:
    """A catalogue that nobody asks is no rule."""
    assert {node["x-names"] for _, _, node in OPEN} == set(ALL)


def test_only_what_can_never_grow_is_an_enum() -> None:
    """Whoever adds an enum says in schemas/README.md why it is closed for ever, and adds it here."""
    found = {
        [name for name in at if name not in ("items", "properties", "oneOf")][-1]
        for schema in FILES.values()
        for at, node in nodes(schema)
        if isinstance(node.get("enum"), list)
    }

    assert found <= CLOSED, f"enums of {sorted(found - CLOSED)}: make them patterns with `x-names`"


def test_the_places_of_a_declaration_are_those_that_its_schema_opens() -> None:
    """What the schema leaves open is asked of its catalogue."""
    model = FILES["model/v1.json"]
    ours = sorted(node["x-names"] for _, node in nodes(model) if "x-names" in node)
    asked = [name for place, name in PLACES.items() if name not in ("detector", "column-type")]

    assert sorted(name for name in ours if name != "detector") == sorted(asked)
    assert [place for place, name in PLACES.items() if name == "detector"] == [
        (*DETECTORS, "method"),
        (*DETECTORS, "numeric", "method"),
        (*DETECTORS, "categorical", "method"),
    ]


def declared_with(place: tuple[str, ...], name: str) -> dict[str, Any]:
    """A declaration with a name at a place."""
    document: dict[str, Any] = {"name": "churn", "data": {"dataset": "customers", "target": "left"}}
    inner: Any = name
    for part in reversed(place):
        inner = [inner] if part == "*" else {part: inner}
    for part, value in inner.items():
        document[part] = {**document.get(part, {}), **value} if isinstance(value, dict) else value
    return document


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_an_unknown_name_in_a_declaration_is_answered_with_its_place_and_the_nearest(place: tuple[str, ...]) -> None:
    """Each place in turn, with a name that misses one letter of a right one."""
    right = max(ALL[PLACES[place]].entries, key=len)
    wrong = f"{right[:-2]}{right[-1]}"
    document = declared_with(place, wrong)

    with pytest.raises(ContractError) as caught:
        parse_declaration(document)

    at = tuple(0 if part == "*" else part for part in place)
    told = next(each.text for each in caught.value.problems if each.place == at)
    assert told == f"{wrong!r} is not known; did you mean {right!r}?"


def test_what_is_no_text_is_left_to_the_schema() -> None:
    """A number in the place of a name is no name."""
    assert list(name_problems({"serving": {"strategy": 3}, "training": {"on": "new-data"}, "retraining": None})) == []


EXAMPLES = sorted((SOURCES.schemas / "examples").glob("*/valid/*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_examples_use_names_that_are_known(path: Path) -> None:
    """What people copy works."""
    aggregate, fact, version = path.parts[-3].split(".")
    schema = FILES[f"events/{aggregate}/{fact}.{version}.json"]
    document = json.loads(path.read_text())
    data = document.get("data", document)
    for name, node in schema.get("properties", {}).items():
        if "x-names" in node and name in data:
            assert ALL[node["x-names"]].problem(data[name]) is None


def test_a_new_name_needs_no_other_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more entry in the catalogue of strategies, and a declaration may name it."""
    document = declared_with(("serving", "strategy"), "blue-green")
    with pytest.raises(ContractError, match="'blue-green' is not known"):
        parse_declaration(document)

    monkeypatch.setitem(cast("dict[str, Any]", STRATEGIES), "blue-green", STRATEGIES["canary"])

    assert parse_declaration(document).serving.strategy == "blue-green"
