"""The few lines of ASGI that the hot path needs: read a body, send an answer."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headrace.chassis.edge import SECURITY_HEADERS, STRICT_TRANSPORT

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
OCTETS = (b"content-type", b"application/octet-stream")
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
STRICT = (b"strict-transport-security", STRICT_TRANSPORT.encode())
SECURITY: Headers = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_SECURITY = b"".join([b"%b: %b\r\n" % pair for pair in SECURITY])


class TooLarge(Exception):
    """The body is longer than this server takes."""


class Compressed(Exception):
    """The body is compressed, which could hide any size."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises TooLarge, Compressed."""
    if (header(scope, b"content-encoding") or b"identity") != b"identity":
        raise Compressed("send the body as it is: compressed bodies are not taken")
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        _check(len(body), limit)
        return body
    parts = [body]
    length = len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        _check(length, limit)
    return b"".join(parts)


async def send_bytes(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """One answer."""
    headers.append((b"content-length", b"%d" % len(body)))
    headers.extend(pair for pair in SECURITY if all(pair[0] != name for name, _ in headers))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def response(status: int, body: bytes, headers: Headers) -> bytes:
    """A whole HTTP/1.1 response."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    return b"%bcontent-length: %d\r\n%b%b\r\n%b" % (STATUS_LINE[status], len(body), _SECURITY, lines, body)


async def send_json(send: Send, status: int, document: Any, extra: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """One answer as JSON."""
    await send_bytes(send, status, orjson.dumps(document), [JSON, *extra])


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header; ASGI gives the names in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def _check(length: int, limit: int) -> None:
    if length > limit:
        raise TooLarge(f"the body is larger than {limit} bytes; send fewer rows a request")
