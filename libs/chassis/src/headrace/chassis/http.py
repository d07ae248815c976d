"""HTTP as every service speaks it: callers, transactions; see edge.py for what surrounds every request."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import UnitOfWork
from headrace.chassis.auth import Gate
from headrace.chassis.consistency import Consistency, caught_up
from headrace.chassis.cors import Cors
from headrace.chassis.edge import Edge
from headrace.chassis.limits import Limiter
from headrace.chassis.openapi import describe, guard
from headrace.chassis.pages import pages
from headrace.chassis.problems import handle_errors, handle_outages
from headrace.chassis.scopes import Caller, known_scope
from headrace.chassis.service import Runtime, Service


async def runtime_of(request: Request) -> Runtime:
    """The running service behind a request."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def gate_of(request: Request) -> Gate:
    """The gate that the request came through."""
    gate: Gate = request.app.state.gate
    return gate


async def caller_of(request: Request) -> Caller:
    """Who asks, as the edge found out."""
    caller: Caller = request.state.caller
    return caller


def provided(kind: type) -> Any:
    """A dependency of a route: the object that the service provides to its routes under this type.

    Its composition root names it: `Service(provides={SigningKey: key})`.
    """

    async def find(request: Request) -> Any:
        return (await runtime_of(request)).service.provides[kind]

    return Depends(find)


def requires(scope: str) -> Any:
    """A dependency of a route or router: the caller must have `scope`; a write then waits for the facts before it."""

    async def check(request: Request, caller: "CallerDep") -> None:
        caller.must(scope)
        await caught_up(request)

    check.scope = known_scope(scope)  # type: ignore[attr-defined]  # for the OpenAPI page and for `guard`
    return Depends(check)


async def _work(request: Request, caller: "CallerDep") -> AsyncIterator[UnitOfWork]:
    """A transaction for the request; it commits before the answer is sent, so that the answer is true."""
    runtime = await runtime_of(request)
    async with runtime.work(caller.authid, traceparent=request.state.traceparent) as work:
        yield work


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with (await runtime_of(request)).session() as session:
        yield session


CallerDep = Annotated[Caller, Depends(caller_of)]
GateDep = Annotated[Gate, Depends(gate_of)]
RuntimeDep = Annotated[Runtime, Depends(runtime_of)]
UnitOfWorkDep = Annotated[UnitOfWork, Depends(_work, scope="function")]
SessionDep = Annotated[AsyncSession, Depends(_session)]


def make_app(service: Service, routers: list[APIRouter]) -> FastAPI:
    """The service's application: its own routes and those that every service has.

    Raises Unguarded where a route asks for no scope.
    """
    settings = service.settings
    about = f"Headrace {service.name}. Events are described in schemas/README.md."
    app = FastAPI(
        title=f"headrace-{service.name}",
        version=version("headrace-chassis"),
        description=about,
        docs_url=None,
        redoc_url=None,
    )
    gate = app.state.gate = Gate.of(settings)
    for router in (*service.routes, *routers, pages(app.title, service.name)):
        app.router.routes.extend(router.routes)  # as they are: include_router would build each of them once more
    guard(app)
    describe(app)
    limiter = Limiter(settings.rate_limit, settings.rate_burst)
    app.add_middleware(Consistency, state=app.state)
    app.add_middleware(
        Edge, gate=gate, limiter=limiter, largest=settings.max_request_mb << 20, cors=Cors(settings.http_cors_origins)
    )
    handle_errors(app)
    handle_outages(app, service.dependencies)
    return app
