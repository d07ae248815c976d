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
