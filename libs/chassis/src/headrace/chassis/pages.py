"""What a service shows to somebody who only has its address: what it is, and where to look."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Response

from headrace.chassis import docs

_SEE = {
    "/docs": "every operation, to read and to try",
    "/openapi.json": "the same for programs",
    "/live": "whether the process runs",
    "/ready": "whether it works, and what keeps it from that",
    "/metrics": "figures for Prometheus",
}


def about(name: str, what: str) -> dict[str, Any]:
    """The answer at `/`."""
    return {"name": name, "about": what, "see": _SEE}


@cache
def pages(title: str, service: str) -> APIRouter:
    """`/` and the pages under `/docs`, open to everybody."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def root() -> dict[str, Any]:
        return about(service, f"The service {service!r} of Headrace; its operations need a key, these pages do not.")

    @router.get(docs.PAGE)
    async def page() -> Response:
        policy = {"content-security-policy": docs.policy(title)}
        return Response(docs.page(title), headers=policy, media_type="text/html")

    for name, kind in docs.TYPES.items():
        router.add_api_route(f"{docs.PAGE}/{name}", _file(name, kind), methods=["GET"])
    return router


def _file(name: str, kind: str) -> Any:
    async def file() -> Response:
        return Response(docs.file(name), headers={"cache-control": docs.CACHED}, media_type=kind)

    return file
