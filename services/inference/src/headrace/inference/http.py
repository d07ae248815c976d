"""The few lines of ASGI that the hot path needs: read a body, send an answer."""

import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headrace.chassis.edge import STRICT_TRANSPORT
from headrace.chassis.headers import SECURITY_HEADERS
from headrace.inference.errors import Gone
from headrace.inference.tensors import BadInput

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
OCTETS = (b"content-type", b"application/octet-stream")
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
STRICT = (b"strict-transport-security", STRICT_TRANSPORT.encode())
SECURITY: Headers = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_WINDOWS: Mapping[bytes, int] = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_SECURITY = b"".join([b"%b: %b\r\n" % pair for pair in SECURITY])


class TooLarge(Exception):
    """The body is longer than this server takes."""


class Compressed(Exception):
    """The body is compressed in a way that this server does not read."""


def query_of(scope: Scope) -> dict[str, str]:
    """The parameters of a request's query; of one that is given twice, the last."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1")))


def encoding_of(headers: Headers) -> bytes | None:
    """How the body is compressed: `gzip` or `deflate`; None where it is not. Raises Compressed for anything else."""
    told = b", ".join(value for name, value in headers if name == b"content-encoding").strip().lower()
    if told in (b"", b"identity"):
        return None
    if told not in _WINDOWS:
        raise Compressed(f"Content-Encoding {told.decode('latin-1')!r} is not read here; send gzip, deflate or none")
    return told


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body as it was sent; raises TooLarge, and Gone where the client leaves before the end."""
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        _check(length, limit)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def inflated(body: bytes, encoding: bytes, limit: int) -> bytes:
    """A body that came compressed, as it was before; raises TooLarge before more than `limit` bytes are made of it."""
    parts: list[bytes] = []
    left = limit + 1
    while body and left > 0:  # gzip may be several members, one after the other
        try:
            reader = zlib.decompressobj(_window(body, encoding))
            parts.append(reader.decompress(body, left))
        except zlib.error as error:
            raise BadInput(f"the body is not {encoding.decode()}: {error}") from None
        left -= len(parts[-1])
        if left > 0 and not reader.eof:
            raise BadInput(f"the body ends in the midst of its {encoding.decode()} data")
        body = reader.unused_data
    _check(limit + 1 - left, limit)
    return b"".join(parts)


def _window(body: bytes, encoding: bytes) -> int:
    """Zlib's word for the format: `deflate` means zlib's own, and is sent without its two bytes of head as well."""
    bare = encoding == b"deflate" and not (body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0)
    return -zlib.MAX_WBITS if bare else _WINDOWS[encoding]


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
