"""The outermost layer of a request: who asks, its trace, its size, its one log line; nothing of the inside gets out.

Plain ASGI: it bounds bodies that do not say their length, refuses strangers before it reads a byte of theirs, and costs
no task a request.
"""

import time
from collections.abc import Mapping

import structlog
from fastapi import HTTPException
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.bus.store import is_outage
from headrace.bus.trace import span, trace_id
from headrace.chassis import docs, metrics
from headrace.chassis.auth import Gate, authorization_of, text_of
from headrace.chassis.cors import Cors
from headrace.chassis.errors import TooMany
from headrace.chassis.headers import SECURITY_HEADERS
from headrace.chassis.limits import Limiter, too_deep
from headrace.chassis.problems import failure, problem, refusal

log = structlog.get_logger()

QUIET = frozenset({"/live", "/ready", "/metrics"})
PUBLIC = QUIET | docs.PATHS | {"/", "/openapi.json"}
UPLOADS = "/files"  # what such paths take is streamed to the disk, and may be of any size, and gzip
STRICT_TRANSPORT = "max-age=31536000"


class Edge:
    """One service's outermost layer."""

    def __init__(self, app: ASGIApp, gate: Gate, limiter: Limiter, largest: int, cors: Cors) -> None:
        self._app = app
        self._cors = cors
        self._gate = gate
        self._limiter = limiter
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # there are no web sockets here: the application closes them
            return
        started = time.perf_counter()
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        headers = Headers(scope=scope)
        with span(
            f"{scope['method']} {scope['path']}", headers.get("traceparent"), SpanKind.SERVER, attributes
        ) as traceparent:
            scope.setdefault("state", {})["traceparent"] = traceparent
            answer = _Answer(send, {**answer_headers(scope, traceparent), **self._cors.headers(scope["headers"])})
            with structlog.contextvars.bound_contextvars(trace_id=trace_id(traceparent)):
                await self._answered(scope, headers, receive, answer)
                _finish(scope, answer.status, time.perf_counter() - started)

    async def _answered(self, scope: Scope, headers: Headers, receive: Receive, answer: "_Answer") -> None:
        try:
            allowed = self._cors.preflight(scope["method"], scope["headers"])
            if allowed is not None:
                await Response(status_code=204, headers=dict(allowed))(scope, receive, answer)
                return
            if scope["path"] not in PUBLIC:
                await self._identify(scope)
            await self._app(scope, await self._checked(scope, headers, receive), answer)
        except HTTPException as error:
            await problem(error.status_code, str(error.detail))(scope, receive, answer)
        except Exception as error:
            await self._failed(error, scope, receive, answer)

    async def _identify(self, scope: Scope) -> None:
        """Know the caller, or refuse the request, before anything of it is read."""
        caller = await self._gate.admitted(text_of(authorization_of(scope["headers"])))
        structlog.contextvars.bind_contextvars(caller=caller.authid)
        if wait := self._limiter.wait(caller.authid):
            raise TooMany(f"{caller.authid} asks too often; the next request is taken in {wait:.1f} s", wait)
        scope["state"]["caller"] = caller

    async def _checked(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """The body within its bounds: not compressed, not too long, not too deep."""
        encoding = headers.get("content-encoding", "identity").lower()
        if scope["path"].endswith(UPLOADS):
            if encoding not in ("identity", "gzip"):
                raise HTTPException(415, "send the file as it is, or with Content-Encoding: gzip")
            return receive
        if encoding != "identity":
            raise HTTPException(415, "send the body as it is: compressed bodies are taken for files alone")
        bounded = self._bounded(receive)
        return await _shallow(bounded) if "json" in headers.get("content-type", "json") else bounded

    def _bounded(self, receive: Receive) -> Receive:
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._largest:
                raise HTTPException(413, f"at most {self._largest:,} bytes are taken; upload larger things as files")
            return message

        return bounded

    async def _failed(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        told = refusal(error)
        if told is None and not is_outage(error):
            log.exception("request_failed", path=scope["path"])
        if answer.status:  # too late for another one: the connection is cut, so that nobody takes half for whole
            raise error
        await (told or failure(error))(scope, receive, answer)


async def _shallow(receive: Receive) -> Receive:
    """Read a JSON body, which the application reads whole anyway, and hand it on if it does not nest too deep."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the caller has gone
            return receive
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    if too_deep(body):
        raise HTTPException(422, "the JSON nests too deep")
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


class _Answer:
    """Sends the answer, with the headers that every answer has, and remembers its status."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def answer_headers(scope: Scope, traceparent: str) -> dict[str, str]:
    """What every answer to a request carries beside its own headers."""
    headers = {"traceparent": traceparent, **SECURITY_HEADERS}
    if scope.get("scheme") == "https":
        headers["strict-transport-security"] = STRICT_TRANSPORT
    return headers


def _finish(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unknown")
    metrics.REQUESTS.labels(route, str(status)).inc()
    if scope["path"] not in QUIET:
        log.info("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1e3, 2))
