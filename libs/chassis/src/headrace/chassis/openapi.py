"""The OpenAPI page says the truth: the scope that each operation needs, and errors as they are answered."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from headrace.chassis.edge import PUBLIC
from headrace.chassis.problems import PROBLEM
from headrace.chassis.scopes import ALL, SCOPES

PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what would be right."},
    },
}
_PROBLEM = {
    "description": "What is wrong, and what would be right.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
BEARER = {"type": "http", "scheme": "bearer", "description": "An API key (hr_...), or an OIDC token of the issuer."}


class Unguarded(Exception):
    """A route asks for no scope; deny by default means that the service does not start with it."""


def scopes_of(route: RouteContext) -> frozenset[str]:
    """The scopes that a route asks for."""
    return frozenset(_scopes(route.dependant))


def guard(app: FastAPI) -> None:
    """Refuse to start with a route that asks for no scope; raises Unguarded, naming it."""
    open_ = [str(each.path) for each in routes(app) if not scopes_of(each) and each.path not in PUBLIC]
    if open_:
        raise Unguarded(f"give these routes a scope with requires(...): {', '.join(open_)}")


def routes(app: FastAPI) -> Iterator[RouteContext]:
    """The application's own routes as they are reached, those of included routers too; not those of its pages."""
    return (each for each in iter_route_contexts(app.routes) if isinstance(each.original_route, APIRoute))


def describe(app: FastAPI) -> None:
    """Let the page say which scope each operation needs, and what errors look like."""

    def page() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _page(app)
        return app.openapi_schema

    app.openapi = page  # type: ignore[method-assign]  # FastAPI's own way to extend the page


def _page(app: FastAPI) -> dict[str, Any]:
    page = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = page.setdefault("components", {})
    parts["securitySchemes"] = {"bearer": BEARER}
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for route in routes(app):
        for method in route.methods or ():
            if operation := page["paths"].get(route.path_format, {}).get(method.lower()):
                _complete(operation, scopes_of(route))
    return page


def _complete(operation: dict[str, Any], scopes: frozenset[str]) -> None:
    operation["responses"].pop("422", None)
    operation["responses"] |= {"4XX": _PROBLEM, "5XX": _PROBLEM}
    operation["security"] = [{"bearer": [scope]} for scope in sorted(scopes)]
    if scopes:
        needs = "; ".join(f"`{scope}`: {SCOPES[scope]}" for scope in sorted(scopes))
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope {needs}, or `{ALL}`.".strip()


def _scopes(dependant: Dependant) -> Iterator[str]:
    if scope := getattr(dependant.call, "scope", None):
        yield scope
    for each in dependant.dependencies:
        yield from _scopes(each)
