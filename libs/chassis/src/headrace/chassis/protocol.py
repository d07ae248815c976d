"""uvicorn's HTTP protocol with a bound on what comes before a body: headers without end would fill the memory."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 * 1024  # bytes of request line and headers; what one read brings may be on top
_DETAIL = b'{"type":"about:blank","title":"Request Header Fields Too Large","status":431,"detail":"shorten them"}'
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_DETAIL), _DETAIL)
)


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers are longer than LONGEST_HEAD."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head: int | None = 0
        """Bytes of a head that is not whole yet; None inside a body."""

    def data_received(self, data: bytes) -> None:
        """Some bytes of the connection."""
        if self._head is None:
            super().data_received(data)
            return
        if self._head > LONGEST_HEAD:
            self.transport.write(_TOO_LONG)
            self.transport.close()
            return
        self._head += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        self._head = 0
        super().on_message_complete()
