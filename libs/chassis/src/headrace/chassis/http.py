"""HTTP as every service speaks it: callers, traces, transactions, problem details (RFC 9457), pages."""

import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.trace import SpanKind
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.bus import NotYet, Refused, Work
from headrace.bus.store import is_outage
from headrace.bus.trace import span, trace_id
from headrace.chassis import metrics
from headrace.chassis.auth import Caller, Gate
from headrace.chassis.errors import Conflict, Forbidden, NotFound, Unauthorised
from headrace.chassis.service import Runtime, Service
from headrace.contracts import ContractError
from headrace.contracts.errors import path as place

log = structlog.get_logger()
T = TypeVar("T")

PROBLEM = "application/problem+json"
QUIET = frozenset({"/live", "/ready", "/metrics"})
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Page(BaseModel, Generic[T]):
    """Part of a collection; `next_cursor` asks for the part that follows, and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


async def runtime_of(request: Request) -> Runtime:
    """The running service behind a request."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def caller_of(request: Request) -> Caller:
    """Who asks; raises Unauthorised."""
    gate: Gate = request.app.state.gate
    caller = gate.caller(request.headers.get("authorization"))
    structlog.contextvars.bind_contextvars(caller=caller.authid)
    return caller


def requires(scope: str) -> Any:
    """A dependency of a route or router: the caller must have `scope`."""

    async def check(caller: "CallerDep") -> None:
        caller.must(scope)

    return Depends(check)


async def _work(request: Request, caller: "CallerDep") -> AsyncIterator[Work]:
    """A transaction for the request; it commits before the answer is sent, so that the answer is true."""
    runtime = await runtime_of(request)
    async with runtime.work(caller.authid, traceparent=request.state.traceparent) as work:
        yield work


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with (await runtime_of(request)).session() as session:
        yield session


CallerDep = Annotated[Caller, Depends(caller_of)]
RuntimeDep = Annotated[Runtime, Depends(runtime_of)]
WorkDep = Annotated[Work, Depends(_work, scope="function")]
SessionDep = Annotated[AsyncSession, Depends(_session)]


def make_app(service: Service, routers: list[APIRouter]) -> FastAPI:
    """The service's application: its own routes and those that every service has."""
    about = f"Headrace {service.name}. Events are described in schemas/README.md."
    app = FastAPI(title=f"headrace-{service.name}", version="0.1.0", description=about)
    app.state.gate = Gate(service.settings.api_keys_file, open_to_all=service.settings.on_loopback)
    for name, value in service.state.items():
        setattr(app.state, name, value)
    for router in (*service.routes, *routers):
        app.include_router(router)
    app.add_middleware(Edge, limit=service.settings.max_request_mb << 20)
    _handle_errors(app)
    return app


class Edge:
    """The outermost layer of a request: its trace, its size, its one log line; nothing of the inside gets out."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        given = Headers(scope=scope).get("traceparent")
        with span(f"{scope['method']} {scope['path']}", given, SpanKind.SERVER, attributes) as traceparent:
            scope.setdefault("state", {})["traceparent"] = traceparent
            answer = _Answer(send, traceparent)
            with structlog.contextvars.bound_contextvars(trace_id=trace_id(traceparent)):
                await self._answered(scope, self._bounded(scope, receive), answer)
                _finish(scope, answer.status, time.perf_counter() - started)

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if not is_outage(error):
                log.exception("request_failed", path=scope["path"])
            if answer.status:  # too late for another one: the connection is cut, so that nobody takes half for whole
                raise
            await _failed(error)(scope, receive, answer)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Refuse a body over the limit, declared or not; routes that stream to the object store end in /files."""
        if scope["path"].endswith("/files"):
            return receive
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, f"at most {self._limit:,} bytes are taken; upload larger things as files")
            return message

        return bounded


class _Answer:
    """Sends the answer, with the headers that every answer has, and remembers its status."""

    def __init__(self, send: Send, traceparent: str) -> None:
        self._send = send
        self._headers = {"traceparent": traceparent, **SECURITY_HEADERS}
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _failed(error: Exception) -> Response:
    if is_outage(error):
        return problem(503, "the database is not available; try again", {"retry-after": "2"})
    return problem(500, "something went wrong here; the log holds the trace id of this answer")


def _finish(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unknown")
    metrics.REQUESTS.labels(route, str(status)).inc()
    if scope["path"] not in QUIET:
        log.info("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1e3, 2))


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """Problem details: what is wrong, and what would be right."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type=PROBLEM)


def _handle_errors(app: FastAPI) -> None:
    statuses: dict[type[Exception], int] = {
        Refused: 422,
        ContractError: 422,
        NotFound: 404,
        Conflict: 409,
        Forbidden: 403,
        Unauthorised: 401,
    }
    for kind, status in statuses.items():
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(NotYet, _not_yet)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)


def _handler(status: int) -> Callable[[Request, Exception], Response]:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None

    def handle(_request: Request, error: Exception) -> Response:
        return problem(status, str(error), headers, **getattr(error, "details", {}))

    return handle


def _not_yet(_request: Request, error: Exception) -> Response:
    assert isinstance(error, NotYet)
    seconds = max(1, round(error.delay.total_seconds()))
    return problem(503, error.reason, {"retry-after": str(seconds)})


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [f"{place(each['loc'])}: {each['msg']}" for each in error.errors()]
    return problem(422, "; ".join(places))


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, (HTTPException, StarletteHTTPException))
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))
