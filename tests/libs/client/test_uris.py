"""Model URIs, read and written as the field does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.client import HeadraceError, ModelUri

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)


@given(names, st.integers(min_value=1, max_value=10**6))
def test_a_version_uri_reads_as_it_was_written(name: str, version: int) -> None:
    """Round trip by number."""
    assert ModelUri.parse(str(ModelUri(name, version=version))) == ModelUri(name, version=version)


@given(names, names)
def test_an_alias_uri_reads_as_it_was_written(name: str, alias: str) -> None:
    """Round trip by alias."""
    assert ModelUri.parse(str(ModelUri(name, alias=alias))) == ModelUri(name, alias=alias)


@pytest.mark.parametrize("text", ["flights", "models:/flights", "models:/flights/", "models:/flights/x", "s3://a/b"])
def test_anything_else_is_refused_with_the_two_forms(text: str) -> None:
    """The message teaches the notation."""
    with pytest.raises(HeadraceError, match="models:/NAME/VERSION or models:/NAME@ALIAS"):
        ModelUri.parse(text)


@pytest.mark.parametrize(
    "text", ["models:/a/0", "models:/a/1", "models:/a@1", "models:/a b@x", "models:/a/" + 18 * "9"]
)
def test_a_uri_is_written_as_it_was_read(text: str) -> None:
    """Version 0 and an alias that looks like a number, too."""
    assert str(ModelUri.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["models:/a/1\n", "models:/a@x\n", " models:/a/1", "models:/a/-1", "models:/a/1.0", "models:/a/" + 19 * "9"]
)
def test_nothing_may_stand_around_a_uri(text: str) -> None:
    """A line's end or a sign is no part of a number, and a number has 18 digits at most."""
    with pytest.raises(HeadraceError, match="is not a model URI"):
        ModelUri.parse(text)


def test_a_uri_has_a_number_or_an_alias() -> None:
    """Exactly one of the two is set."""
    assert ModelUri.parse("models:/a/12") == ModelUri("a", 12, None)
    assert ModelUri.parse("models:/a@12") == ModelUri("a", None, "12")
