"""HTTP as every service speaks it: callers, traces, transactions, problem details (RFC 9457), pages."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.trace import SpanKind
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException as StarletteHTTPException

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
Next = Callable[[Request], Awaitable[Response]]

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


def runtime_of(request: Request) -> Runtime:
    """The running service behind a request."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def caller_of(request: Request) -> Caller:
    """Who asks; raises Unauthorised."""
    gate: Gate = request.app.state.gate
    caller = gate.caller(request.headers.get("authorization"))
    structlog.contextvars.bind_contextvars(caller=caller.authid)
    return caller


def requires(scope: str) -> Any:
    """A dependency of a route or router: the caller must have `scope`."""

    def check(caller: "CallerDep") -> None:
        caller.must(scope)

    return Depends(check)


async def _work(request: Request, caller: "CallerDep") -> AsyncIterator[Work]:
    """A transaction for the request; it commits before the answer is sent, so that the answer is true."""
    async with runtime_of(request).work(caller.authid, traceparent=request.state.traceparent) as work:
        yield work


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with runtime_of(request).session() as session:
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
    limit = service.settings.max_request_mb << 20

    @app.middleware("http")
    async def around(request: Request, call_next: Next) -> Response:
        return await _around(request, call_next, limit)

    _handle_errors(app)
    return app


async def _around(request: Request, call_next: Next, limit: int) -> Response:
    """One trace, one wide log line, one size limit for every request."""
    started = time.perf_counter()
    attributes = {"http.request.method": request.method, "url.path": request.url.path}
    given = request.headers.get("traceparent")
    with span(f"{request.method} {request.url.path}", given, SpanKind.SERVER, attributes) as traceparent:
        request.state.traceparent = traceparent
        with structlog.contextvars.bound_contextvars(trace_id=trace_id(traceparent)):
            answer = _too_large(request, limit) or await _answered(request, call_next)
            _finish(request, answer, traceparent, time.perf_counter() - started)
    return answer


async def _answered(request: Request, call_next: Next) -> Response:
    try:
        return await call_next(request)
    except Exception as error:  # nothing of the inside reaches the caller
        if is_outage(error):
            return problem(503, "the database is not available; try again", {"retry-after": "2"})
        log.exception("request_failed", path=request.url.path)
        return problem(500, "something went wrong here; the log holds the trace id of this answer")


def _finish(request: Request, answer: Response, traceparent: str, seconds: float) -> None:
    answer.headers["traceparent"] = traceparent
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    route = getattr(request.scope.get("route"), "path", "unknown")
    metrics.REQUESTS.labels(route, str(answer.status_code)).inc()
    if request.url.path not in QUIET:
        ms = round(seconds * 1e3, 2)
        log.info("request", method=request.method, path=request.url.path, status=answer.status_code, ms=ms)


def _too_large(request: Request, limit: int) -> Response | None:
    """Refuse a body over the limit; routes that stream say so by their own bound (`x-streamed` in OpenAPI)."""
    length = request.headers.get("content-length", "0")
    streamed = request.url.path.endswith("/files")
    if streamed or not length.isdigit() or int(length) <= limit:
        return None
    return problem(413, f"the body has {int(length):,} bytes; at most {limit:,} are taken")


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
