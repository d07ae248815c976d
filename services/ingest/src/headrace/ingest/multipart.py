"""The one file of a multipart/form-data body, as browsers and `curl -F` send it, streamed."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from email.message import Message

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from headrace.bus import Refused

HOW = (
    "send the file as the only part (curl -F file=@rows.csv), mode and format as query parameters, or as the bare body"
)


def is_multipart(content_type: str | None) -> bool:
    """Whether a body is a form with parts."""
    return (content_type or "").lower().startswith("multipart/")


class FormFile:
    """Iterates over the bytes of the one file in a form; its name and type are known when that is done."""

    def __init__(self, body: AsyncIterable[bytes], content_type: str) -> None:
        header = Message()
        header["content-type"] = content_type
        boundary = header.get_param("boundary")
        if not isinstance(boundary, str) or header.get_content_type() != "multipart/form-data":
            raise Refused(f"the body is {content_type.split(';')[0]} that cannot be read; {HOW}")
        self._body = body
        self._parser = MultipartParser(
            boundary.encode(),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._value,
                "on_header_end": self._header,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._finished,
            },
        )
        self.name: str | None = None
        self.content_type: str | None = None
        self._waiting = bytearray()
        self._name, self._text = b"", b""
        self._headers = Message()
        self._files = 0
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The file's bytes; raises Refused where the form has no file, more than one, or anything else."""
        try:
            async for chunk in self._body:
                self._parser.write(chunk)
                if self._waiting:
                    yield bytes(self._waiting)
                    self._waiting.clear()
        except MultipartParseError as error:
            raise Refused(f"the form cannot be read: {error}; {HOW}") from error
        if not self._ended:
            raise Refused(f"the form ends before its last boundary; {HOW}")
        if not self._files:
            raise Refused(f"the form has no file; {HOW}")

    def _begin(self) -> None:
        self._headers = Message()

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._text += data[start:end]

    def _header(self) -> None:
        self._headers[self._name.decode("latin-1")] = self._text.decode("utf-8", "replace")
        self._name, self._text = b"", b""

    def _headers_finished(self) -> None:
        filename = self._headers.get_filename()
        if filename is None:
            field = self._headers.get_param("name", header="content-disposition")
            raise Refused(f"the form has the field {str(field)!r} beside the file; {HOW}")
        self._files += 1
        if self._files > 1:
            raise Refused(f"the form has more than one file; {HOW}")
        self.name, self.content_type = filename, self._headers.get_content_type()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._waiting += data[start:end]

    def _finished(self) -> None:
        self._ended = True
