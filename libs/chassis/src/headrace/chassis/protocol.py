"""uvicorn's HTTP protocol with bounds on what a client may cost before it is known: length, time, connections.

A head without end would fill the memory; a head or a body that never comes whole, and an answer that is never read,
would hold a connection for ever. All connections of a server share one `Connections`, which looks at them once a
second, so that a request pays for no timer of its own.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from headrace.chassis.headers import SECURITY_HEADERS

_SECURITY = "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS.items()).encode()
LONGEST_HEAD = 64 * 1024  # bytes of request line and headers; what one read brings may be on top


@dataclass(frozen=True)
class ConnectionLimits:
    """What one client may hold open."""

    head: timedelta = timedelta(seconds=10)
    """From the connection, or the first byte of a further request, to the end of the head."""
    body: timedelta = timedelta(seconds=20)
    """From the head to the end of the body, and a second more for each `slowest` bytes that have come."""
    slowest: int = 1024  # bytes a second: a phone at the edge of its network sends more
    unread: timedelta = timedelta(seconds=60)
    """How long a client may leave an answer unread."""
    each_address: int = 800  # connections; 0 for any number. A file limit of 1,024 is usual, and is never filled so


@dataclass
class Connections:
    """The open connections of one server, counted by address and looked at once a second."""

    limits: ConnectionLimits = ConnectionLimits()
    counts: Counter[str] = field(default_factory=Counter)
    open: set["BoundedProtocol"] = field(default_factory=set)

    def enter(self, protocol: "BoundedProtocol", address: str) -> bool:
        """Count a connection; False where its address has too many already."""
        self.open.add(protocol)
        self.counts[address] += 1
        return not self.limits.each_address or self.counts[address] <= self.limits.each_address

    def leave(self, protocol: "BoundedProtocol", address: str) -> None:
        """Forget a connection."""
        self.open.discard(protocol)
        self.counts[address] -= 1
        if not self.counts[address]:
            del self.counts[address]

    def end_the_late(self, now: float) -> None:
        """End every connection that keeps the server waiting for longer than the limits allow."""
        for protocol in list(self.open):
            protocol.end_if_late(now, self.limits)


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose head is too long, or whose client is too slow; refuses an address that has too many."""

    def __init__(self, *args: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self._all = connections
        self._address = ""
        self._head: int | None = 0
        """Bytes of a head that is not whole yet; None inside a body."""
        self._since: float | None = None
        """Since when the client owes the rest of a request; None where it owes nothing."""
        self._received = 0
        """Bytes of the body that the client owes."""
        self._unread_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected: they owe a request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._address = _network(self.client[0]) if self.client else ""
        if not self._all.enter(self, self._address):
            self.give_up(503, f"at most {self._all.limits.each_address} connections of one address are held open")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._all.leave(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the connection."""
        if self._head is None:
            self._received += len(data)
        elif self._head > LONGEST_HEAD:
            self.give_up(431, "shorten request line and headers")
            return
        else:
            self._head += len(data)
        super().data_received(data)
        if self._since is None and self._head != 0:
            self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head, self._since, self._received = None, None, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        self._head, self._since = 0, None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read its answer as fast as it comes."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """It reads on."""
        super().resume_writing()
        self._unread_since = None

    def end_if_late(self, now: float, limits: ConnectionLimits) -> None:
        """End the connection where its client is too slow."""
        if self._unread_since is not None and now - self._unread_since > limits.unread.total_seconds():
            self.transport.abort()
            return
        if self._since is None:
            return
        if self.flow.read_paused or (self._head is not None and self._answering):
            self._since, self._received = now, 0  # it is the server that takes its time
        elif self._head is not None and now - self._since > limits.head.total_seconds():
            self.give_up(408, f"the head of a request has {limits.head.total_seconds():g} s to arrive")
        elif self._head is None and now - self._since > _time_of_body(limits, self._received):
            self.give_up(408, f"a body has {limits.body.total_seconds():g} s, and more at {limits.slowest:,} bytes/s")

    def give_up(self, status: int, detail: str) -> None:
        """Say why, where somebody asked something and has no answer yet, and end the connection."""
        self._since = None
        asked = self._head != 0 or status == 503
        started = self._answering and (self._head is not None or self.cycle.response_started)
        if asked and not started:
            self.transport.write(_last_answer(status, detail))
        self.transport.close()

    @property
    def _answering(self) -> bool:
        """Whether the application has a request in hand."""
        return self.cycle is not None and not self.cycle.response_complete


def _time_of_body(limits: ConnectionLimits, received: int) -> float:
    return limits.body.total_seconds() + received / limits.slowest


def _network(host: str) -> str:
    """An address as it is counted: of IPv6 the network, of which one client has all addresses."""
    if ":" not in host:
        return host
    address = ip_address(host.partition("%")[0])
    assert isinstance(address, IPv6Address)
    return str(address.ipv4_mapped or address.packed[:8].hex(":", 2))


def _last_answer(status: int, detail: str) -> bytes:
    title = STATUS_LINE[status].split(b" ", 2)[2].strip().decode()
    body = f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","error":"{detail}"}}'
    retry = b"retry-after: 5\r\n" if status == 503 else b""
    return (
        b"%bcontent-type: application/problem+json\r\n%b%bcontent-length: %d\r\nconnection: close\r\n\r\n"
        % (STATUS_LINE[status], _SECURITY, retry, len(body))
    ) + body.encode()
