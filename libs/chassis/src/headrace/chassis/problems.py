"""Problem details (RFC 9457): what is wrong, and what would be right; never the inside."""

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as StarletteHTTPException

from headrace.bus import NotYet, Refused
from headrace.bus.store import is_outage
from headrace.chassis.errors import Ambiguous, Conflict, Forbidden, NotFound, TooMany, Unauthorised, Unavailable
from headrace.chassis.service import Dependency
from headrace.contracts import ContractError
from headrace.contracts.envelope import LONG_NUMBER
from headrace.contracts.errors import path as place
from headrace.contracts.explain import explain, merged

log = structlog.get_logger()

PROBLEM = "application/problem+json"
STATUSES: Mapping[type[Exception], int] = {
    Refused: 422,
    ContractError: 422,
    NotFound: 404,
    Conflict: 409,
    Forbidden: 403,
    Unauthorised: 401,
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """Problem details as an answer."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type=PROBLEM)


def refusal(error: Exception) -> Response | None:
    """What a caller who is not let in is told; None for other errors."""
    if isinstance(error, Unauthorised):
        return problem(401, str(error), {"www-authenticate": "Bearer"})
    if isinstance(error, Ambiguous):
        return problem(400, str(error))
    if isinstance(error, Unavailable):
        return problem(503, str(error), {"retry-after": "5"})
    if isinstance(error, TooMany):
        return problem(429, str(error), {"retry-after": str(math.ceil(error.wait))})
    return None


def failure(error: Exception) -> Response:
    """What a caller is told of an error that nobody expected."""
    if is_outage(error):
        return problem(503, "the database is not available; try again", {"retry-after": "2"})
    if isinstance(error, ValidationError) and _infinite(error):
        return problem(422, explain(error))
    if _of_the_data(error):
        return problem(422, "a value in the request is outside what can be stored")
    return problem(500, "something went wrong here; the log holds the trace id of this answer")


def _infinite(error: ValidationError) -> bool:
    """Whether a number of the caller's is one that no schema takes: 1e400, NaN."""
    return any(each["type"] == "finite_number" for each in error.errors(include_url=False))


def _of_the_data(error: Exception) -> bool:
    """Numbers beyond the database's, characters that it cannot hold: it says so in its own classes."""
    if isinstance(error, DBAPIError):
        kinds = {each.__name__ for each in type(error.orig).__mro__}
        return bool(kinds & {"DataError", "OverflowError", "UnicodeEncodeError"})
    return isinstance(error, (OverflowError, UnicodeEncodeError))


def handle_errors(app: FastAPI) -> None:
    """Let an application answer errors with problem details."""
    for kind, status in STATUSES.items():
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(NotYet, _not_yet)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)


def _handler(status: int) -> Callable[[Request, Exception], Response]:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None

    def handle(_request: Request, error: Exception) -> Response:
        return problem(status, str(error), headers, **getattr(error, "details", {}))

    return handle


def handle_outages(app: FastAPI, dependencies: Sequence[Dependency]) -> None:
    """Let an application answer 503 where something is away that it depends on; the log has the address."""
    for dependency in dependencies:
        for kind in dependency.errors:
            app.add_exception_handler(kind, _away(dependency.name))


def _away(name: str) -> Callable[[Request, Exception], Response]:
    def handle(_request: Request, error: Exception) -> Response:
        log.warning("dependency_failed", dependency=name, reason=str(error))
        told = f"{name}: it does not answer; nothing was changed, try again when GET /ready says that it is back"
        return problem(503, told, {"retry-after": "5"})

    return handle


def _not_yet(_request: Request, error: Exception) -> Response:
    assert isinstance(error, NotYet)
    seconds = max(1, round(error.delay.total_seconds()))
    return problem(503, error.reason, {"retry-after": str(seconds)})


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [f"{place(each['loc'])}: {each['msg']}" for each in merged(error.errors())]
    return problem(422, "; ".join(places))


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, (HTTPException, StarletteHTTPException))
    said = _unreadable(error.__cause__) or str(error.detail)
    return problem(error.status_code, said, dict(error.headers or {}))


def _unreadable(cause: BaseException | None) -> str | None:
    """Why a body was not read, where FastAPI says no more than that it was not."""
    if isinstance(cause, UnicodeDecodeError):
        return f"the body is not UTF-8: byte {cause.start} is {cause.object[cause.start]:#04x}"
    if isinstance(cause, RecursionError):
        return "the body is nested too deeply"
    return LONG_NUMBER if isinstance(cause, ValueError) and "digits" in str(cause) else None
