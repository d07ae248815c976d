"""The golden messages of schemas/examples: what other teams code against reads as the schemas say."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from headrace.contracts import EVENTS, ContractError, DeclarationRequested, Envelope, decode, encode
from headrace.contracts.generate.sources import find_sources
from headrace.tasks import parse_declaration

SOURCES = find_sources()
SCHEMAS = SOURCES.events()
FILES = SOURCES.files()
REGISTRY: Registry[Any] = Registry().with_resources([(s["$id"], Resource.from_contents(s)) for s in FILES.values()])
ENVELOPE = next(schema for schema in FILES.values() if schema.get("title") == "CloudEvent")
FOLDER = SOURCES.schemas / "examples"
VALID = sorted(FOLDER.glob("*/valid/*.json"))
INVALID = sorted(FOLDER.glob("*/invalid/*.json"))
BEYOND_SCHEMA = {"key-is-not-the-model"}  # one value against another: JSON Schema cannot say it, the reader can


def name(file: Path) -> str:
    """Such as dataset.ingested.v1/valid/first-part."""
    return file.relative_to(FOLDER).with_suffix("").as_posix()


def kind(file: Path) -> str:
    """The type that a file is an example of."""
    return f"headrace.{file.parent.parent.name}"


DATES = FormatChecker(formats=())


def accepted(raw: bytes) -> Envelope:
    """What the receiver of a message takes; of a declaration it judges the whole document."""
    envelope = decode(raw)
    if isinstance(envelope.data, DeclarationRequested):
        parse_declaration(envelope.data.document)
    return envelope


@DATES.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339, as far as the standard library reads it: with date, time and offset."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def faults(message: Any, schema: Any) -> list[str]:
    """What JSON Schema says against a message."""
    checks = Draft202012Validator(schema, registry=REGISTRY, format_checker=DATES)
    return [f"{error.json_path}: {error.message}" for error in checks.iter_errors(message)]


def all_faults(message: Any, of: str) -> list[str]:
    """What the schemas of envelope and data say against a message."""
    return faults(message, ENVELOPE) + faults(message.get("data"), SCHEMAS[of])


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_has_golden_messages(event: str) -> None:
    """One valid message at least, and two that show what is refused."""
    folder = FOLDER / event.removeprefix("headrace.")
    valid, invalid = len(list(folder.glob("valid/*.json"))), len(list(folder.glob("invalid/*.json")))

    assert valid >= 1, f"{event} has no valid example: write {folder}/valid/<what-it-shows>.json"
    assert invalid >= 2, f"{event} has {invalid} invalid examples: write {folder}/invalid/<what-is-wrong>.json"


def test_every_folder_of_examples_belongs_to_an_event() -> None:
    """An example of an event that is no more would mislead."""
    known = {event.removeprefix("headrace.") for event in EVENTS}

    assert {each.name for each in FOLDER.iterdir()} <= known, "delete the folders of events that are gone"


@pytest.mark.parametrize("file", VALID, ids=name)
def test_a_valid_message_is_allowed_by_schema_and_model_alike(file: Path) -> None:
    """And it is a message of the event whose folder it lies in."""
    message = json.loads(file.read_bytes())

    assert all_faults(message, kind(file)) == []
    assert accepted(file.read_bytes()).type == message["type"] == kind(file)


@pytest.mark.parametrize("file", VALID, ids=name)
def test_a_valid_message_comes_back_as_it_was(file: Path) -> None:
    """Reading and writing again loses nothing; a declaration's defaults are written out."""
    read = decode(file.read_bytes())
    again = json.loads(encode(read))

    assert lost(json.loads(file.read_bytes()), again) == set()
    assert decode(encode(read)) == read


@pytest.mark.parametrize("file", INVALID, ids=name)
def test_an_invalid_message_is_refused_by_schema_and_model_alike(file: Path) -> None:
    """Whoever checks by the schema alone comes to the reader's verdict."""
    found = all_faults(json.loads(file.read_bytes()), kind(file))

    assert bool(found) == (file.stem not in BEYOND_SCHEMA), found
    with pytest.raises(ContractError):
        accepted(file.read_bytes())


@pytest.mark.parametrize("file", INVALID, ids=name)
def test_the_refusal_names_the_place(file: Path) -> None:
    """The field that differs from the valid message is in the error."""
    valid = json.loads(next(file.parent.parent.glob("valid/*.json")).read_bytes())
    siblings = [json.loads(each.read_bytes()) for each in sorted(file.parent.parent.glob("valid/*.json"))]
    message = json.loads(file.read_bytes())
    base = min(siblings or [valid], key=lambda each: len(differences(each, message)))
    (place,) = differences(base, message)

    with pytest.raises(ContractError) as refused:
        accepted(file.read_bytes())
    assert place in str(refused.value), f"{place} is not named by: {refused.value}"


def differences(one: Any, other: Any, at: str = "") -> set[str]:
    """The last names of the fields in which two messages differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() | other.keys()
        return {
            place
            for name in names
            for place in (differences(one[name], other[name], name) if name in one and name in other else {name})
        }
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return {place for a, b in zip(one, other, strict=True) for place in differences(a, b, at)}
    return set() if one == other else {at}


def lost(before: Any, after: Any) -> set[str]:
    """The fields that a message had before and has no more, or has otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {place for name in before for place in (lost(before[name], after[name]) if name in after else {name})}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return {place for a, b in zip(before, after, strict=True) for place in lost(a, b)}
    return differences(before, after, "value")
