"""A small load generator: as many connections as asked for, each with one request in flight, in a process of its own.

`python load.py HOST PORT PATH BODY_FILE CONNECTIONS SECONDS` prints one JSON line: requests, seconds, errors, and
percentiles of the latency in milliseconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_LENGTH = b"content-length:"


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, request: bytes, latencies: list[float], errors: list[int]) -> None:
        self._request = request
        self._latencies = latencies
        self._errors = errors
        self._buffer = b""
        self.going = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its ancestry
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Part of an answer; HTTP/1.1 with a length, which is all that the servers compared here send."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        low = head.lower()
        at = low.index(_LENGTH) + len(_LENGTH)
        if len(body) < int(low[at:].split(b"\r\n", 1)[0]):
            return
        self._latencies.append(time.perf_counter() - self._asked)
        if not head.startswith(b"HTTP/1.1 200"):
            self._errors.append(1)
        self._buffer = b""
        if self.going:
            self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)


async def load(host: str, port: int, path: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Ask for `seconds`; what was answered, and how fast."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    latencies: list[float] = []
    errors: list[int] = []
    loop = asyncio.get_running_loop()
    callers = []
    started = time.perf_counter()
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(head.encode() + body, latencies, errors), host, port)
        callers.append(caller)
    await asyncio.sleep(seconds)
    for caller in callers:
        caller.going = False
    took = time.perf_counter() - started
    ordered = sorted(latencies) or [0.0]
    quantiles = {f"p{q}_ms": 1000 * ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 99)}
    return {"requests": len(latencies), "seconds": took, "errors": len(errors), **quantiles}


if __name__ == "__main__":
    host_, port_, path_, file_, connections_, seconds_ = sys.argv[1:]
    told = load(host_, int(port_), path_, Path(file_).read_bytes(), int(connections_), float(seconds_))
    print(json.dumps(uvloop.run(told)))
