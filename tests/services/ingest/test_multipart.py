"""Forms with one file, cut anywhere, against the encoder of httpx; and what is no such form."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.bus import Refused
from headrace.ingest.multipart import FormFile, is_multipart
from headrace.testkit.examples import examples

Form = tuple[bytes, str]


def form(**parts: Any) -> Form:
    """A form as httpx encodes it: its bytes and their content type."""
    request = httpx.Request("POST", "http://x", **parts)
    return request.read(), request.headers["content-type"]


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    """The body as the network cuts it."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, content_type: str, size: int = 7) -> tuple[bytes, FormFile]:
    """The bytes of the file in a form, and what is known of it then."""
    file = FormFile(pieces(body, size), content_type)
    return b"".join([piece async for piece in file]), file


@settings(max_examples=examples(25))
@given(st.binary(max_size=300), st.integers(1, 400))
async def test_a_file_comes_back_however_it_is_cut(content: bytes, size: int) -> None:
    """Byte for byte, with name and type."""
    body, content_type = form(files={"file": ("rows.csv", content, "text/csv")})

    found, file = await read(body, content_type, size)

    assert (found, file.name, file.content_type) == (content, "rows.csv", "text/csv")


@pytest.mark.parametrize("content", [b"\r\n", b"--", b"\r\n--", b"a\r\n--x\r\nb", b"\x00\xff" * 99, b""])
async def test_what_looks_like_a_boundary_is_content(content: bytes) -> None:
    """Only the form's own boundary ends a part."""
    body, content_type = form(files={"file": ("rows.csv", content, "text/csv")})

    assert (await read(body, content_type, 1))[0] == content


REFUSED: dict[str, tuple[Form, str]] = {
    "two files": (form(files=[("a", ("a.csv", b"1")), ("b", ("b.csv", b"2"))]), "more than one file"),
    "a field beside it": (form(data={"mode": "append"}, files={"f": ("a", b"1")}), "the field 'mode' beside the file"),
    "no boundary": ((b"", "multipart/form-data"), "multipart/form-data that cannot be read"),
    "another kind": ((b"", "multipart/mixed; boundary=x"), "multipart/mixed that cannot be read"),
    "nothing": ((b"", "multipart/form-data; boundary=x"), "ends before its last boundary"),
    "no part": ((b"--x--\r\n", "multipart/form-data; boundary=x"), "no file|cannot be read|before its last"),
    "no form": ((b"a,b\n1,2\n", "multipart/form-data; boundary=x"), "the form cannot be read"),
    "half a form": (
        (
            b'--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\nrows',
            "multipart/form-data; boundary=x",
        ),
        "ends before its last boundary",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_one_file_is_refused_with_what_to_do(name: str) -> None:
    """And never taken in part."""
    (body, content_type), text = REFUSED[name]

    with pytest.raises(Refused, match=text) as refused:
        await read(body, content_type)
    assert "curl -F file=@rows.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("content_type", "is_form"),
    [
        ("multipart/form-data; boundary=x", True),
        ("Multipart/Form-Data; boundary=x", True),
        ("multipart/mixed", True),
        ("text/csv", False),
        ("application/multipart/form-data", False),
        ("", False),
        (None, False),
    ],
)
def test_a_form_is_known_by_its_type(content_type: str | None, is_form: bool) -> None:
    """Whatever its case; every other body is the file itself."""
    assert is_multipart(content_type) is is_form
