"""Everything that a replica answers but predictions: what it is, its health, its models, its figures, its page."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from pydantic import ValidationError

from headrace.chassis import docs
from headrace.chassis.auth import authorization_of, text_of
from headrace.chassis.pages import about
from headrace.chassis.paging import MOST, Asked
from headrace.inference import openapi, protocol
from headrace.inference.auth_cache import AuthCache
from headrace.inference.http import TEXT, Headers, Receive, Scope, Send, query_of, read_body, send_bytes, send_json
from headrace.inference.model_repository import ModelRepository
from headrace.inference.tensors import BadInput, kind

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
_LARGEST = 64 * 1024  # bytes of a body that asks for a page
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_ABOUT = (
    "Predictions: Open Inference Protocol V2 at /v2, MLflow scoring at /invocations. "
    "A key with the scope predict is needed, but not for these pages."
)


@dataclass(frozen=True)
class State:
    """What health and metrics tell of the process."""

    name: str
    version: str
    ready: Callable[[], bool]
    details: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes]
    refused: Callable[[int], None]
    keys: Callable[[str | None, Asked], Awaitable[Any]]


class Pages:
    """The handlers by path and method."""

    def __init__(self, repository: ModelRepository, auth_cache: AuthCache, state: State) -> None:
        self._repository = repository
        self._auth_cache = auth_cache
        self._state = state

    def methods(self, parts: list[str]) -> Mapping[str, Handler]:
        """What a path answers, by method; nothing where there is no such path."""
        match parts:
            case ["live"] | ["ping"] | ["health"] | ["v2", "health", "live"]:
                return {"GET": self._live}
            case ["ready"] | ["v2", "health", "ready"]:
                return {"GET": self._ready}
            case ["v2", "repository", "index"]:
                return {"POST": self._index}
            case ["docs", name] if name in docs.TYPES:
                return {"GET": partial(self._file, name)}
            case [name] if name in self._plain:
                return {"GET": self._plain[name]}
            case _:
                return {}

    def of_model(self, model: str, version: int | None, rest: list[str]) -> Mapping[str, Handler]:
        """The same below /v2/models/{model}."""
        match rest:
            case []:
                return {"GET": partial(self._metadata, model, version)}
            case ["ready"]:
                return {"GET": partial(self._model_ready, model, version)}
            case _:
                return {}

    @property
    def _plain(self) -> Mapping[str, Handler]:
        return {
            "": self._root,
            "metrics": self._metrics,
            "openapi.json": self._openapi,
            "docs": self._docs,
            "v2": self._server,
            "version": self._version,
            "keys": self._keys,
        }

    async def _root(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, 200, about("headrace-inference", _ABOUT))

    async def _live(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, 200, {"live": True})

    async def _ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        ready = self._state.ready()
        await send_json(send, 200 if ready else 503, {"ready": ready, **self._state.details()})

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_bytes(send, 200, self._state.metrics(), [TEXT])

    async def _openapi(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, 200, openapi.DOCUMENT)

    async def _docs(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        policy = docs.policy(openapi.TITLE).encode()
        headers: Headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]
        await send_bytes(send, 200, docs.page(openapi.TITLE), headers)

    async def _file(self, name: str, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers: Headers = [(b"content-type", docs.TYPES[name].encode()), (b"cache-control", docs.CACHED.encode())]
        await send_bytes(send, 200, docs.file(name), headers)

    async def _server(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        told = {"name": self._state.name, "version": self._state.version, "extensions": protocol.EXTENSIONS}
        await send_json(send, 200, told)

    async def _version(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_bytes(send, 200, self._state.version.encode(), [_PLAIN])

    async def _keys(self, scope: Scope, _receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        await send_json(send, 200, await self._state.keys(text_of(authorization_of(scope["headers"])), asked))

    async def _index(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._auth_cache.meet(authorization_of(scope["headers"]))
        only_ready = _only_ready(await read_body(scope, receive, _LARGEST))
        index = [each for each in self._repository.index() if each["state"] == "READY" or not only_ready]
        await send_json(send, 200, index)

    async def _metadata(self, model: str, version: int | None, scope: Scope, _receive: Receive, send: Send) -> None:
        await self._auth_cache.meet(authorization_of(scope["headers"]))
        await send_json(send, 200, self._repository.described(model, version))

    async def _model_ready(self, model: str, version: int | None, scope: Scope, _receive: Receive, send: Send) -> None:
        await self._auth_cache.meet(authorization_of(scope["headers"]))
        ready = self._repository.ready(model, version)
        await send_json(send, 200 if ready else 503, {"name": model, "ready": ready})


def _asked(scope: Scope) -> Asked:
    """Which page of a listing is asked for."""
    try:
        return Asked.model_validate(query_of(scope))
    except ValidationError:
        raise BadInput(f"`limit` is a number from 1 to {MOST}, `cursor` the `next_cursor` of the page before") from None


def _only_ready(body: bytes) -> bool:
    """Whether a request for the index asks for what is ready alone; an empty body asks for everything."""
    if not body.strip():
        return False
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is not JSON: {error}") from None
    if type(asked) is not dict or type(asked.get("ready", False)) is not bool:
        raise BadInput(f'the body is {{"ready": true}}, or empty, not {kind(asked)}')
    return bool(asked.get("ready"))
