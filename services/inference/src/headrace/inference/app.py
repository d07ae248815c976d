"""The HTTP face of a replica: V2, MLflow scoring, health and metrics, as one plain ASGI application.

No framework lies between the server and the answer of a prediction: routing is one dictionary look-up, and what is
rare goes through `_others`. Errors are V2's `{"error": ...}` everywhere.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, MutableMapping
from concurrent.futures import Executor
from functools import partial
from math import ceil
from time import perf_counter
from typing import Any, TypeVar

import orjson
import structlog

from headrace.bus.trace import follow, trace_id
from headrace.chassis import Forbidden, Unauthorised
from headrace.chassis.auth import authorization_of
from headrace.chassis.cors import Cors
from headrace.chassis.errors import Ambiguous, TooMany, Unavailable
from headrace.contracts.names import whole_number
from headrace.inference import mlflow, protocol
from headrace.inference.auth_cache import AuthCache
from headrace.inference.errors import Busy, Failed, Gone, NotLoaded, Unknown, Unloggable, WrongMethod
from headrace.inference.fast import INLINE_BYTES
from headrace.inference.http import (
    JSON,
    OCTETS,
    STRICT,
    Compressed,
    Headers,
    Receive,
    Scope,
    Send,
    TooLarge,
    encoding_of,
    header,
    inflated,
    query_of,
    read_body,
    response,
    send_bytes,
    send_json,
)
from headrace.inference.inference_service import Answer, InferenceService, Request
from headrace.inference.model_repository import ModelRepository
from headrace.inference.pages import Handler, Pages, State
from headrace.inference.route_table import RouteTable
from headrace.inference.tensors import BadInput, shown

log = structlog.get_logger()

T = TypeVar("T")

STATUS: Mapping[type[Exception], int] = {
    Ambiguous: 400,
    BadInput: 400,
    Unauthorised: 401,
    Forbidden: 403,
    Unknown: 404,
    WrongMethod: 405,
    TooLarge: 413,
    Compressed: 415,
    TooMany: 429,
    Failed: 500,
    Busy: 503,
    NotLoaded: 503,
    Unavailable: 503,
    Unloggable: 503,
}
_EXPECTED = tuple(STATUS)
_BUG = b'{"error":"something went wrong here; the log has it"}'
_RETRY = (b"retry-after", b"1")
_CHALLENGE = (b"www-authenticate", b"Bearer")


class App:
    """ASGI application of one replica."""

    def __init__(
        self,
        inference: InferenceService,
        repository: ModelRepository,
        auth_cache: AuthCache,
        state: State,
        pool: Executor,
        *,
        largest_body: int,
        secure: bool = False,
        cors: Collection[str] = (),
    ) -> None:
        self._inference = inference
        self._repository = repository
        self._auth_cache = auth_cache
        self._state = state
        self._pages = Pages(repository, auth_cache, state)
        self._cors = Cors(cors)
        self._pool = pool
        self._largest_body = largest_body
        self._transport: Headers = [STRICT] if secure else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        if extra := [*self._transport, *_as_bytes(self._cors.headers(scope["headers"]))]:
            send = _adding(extra, send)
        try:
            await self._others(scope, receive, send)
        except _EXPECTED as error:
            await self._refuse(send, error)
        except Gone:
            return
        except Exception:
            log.exception("request_failed", path=scope["path"])
            self._state.refused(500)
            await send_bytes(send, 500, _BUG, [JSON])

    # predictions

    def knows(self, authorization: bytes | None) -> bool:
        """Whether a caller is remembered, and may be answered without asking anybody."""
        return self._auth_cache.knows(authorization)

    @property
    def infer_paths(self) -> Mapping[bytes, str]:
        """Raw paths that ask a model for predictions; what `FastProtocol` looks requests up in."""
        return self._repository.infer_paths

    def answer_now(self, model: str, headers: Headers, body: bytes) -> tuple[bytes, Callable[[], None] | None]:
        """The whole HTTP response to a small prediction request, and what to do once it is sent."""
        try:
            request = self._asking(model, None, headers, body, perf_counter())()
            if request.table.pool is not None:  # since the head of the request came
                raise NotLoaded(f"model {model!r} is being changed; try again")
            answer = self._answered(request)
            self._inference.keep(request, answer)
        except _EXPECTED as error:
            status, extra = self._refusal(error)
            return response(status, orjson.dumps({"error": str(error)}), [JSON, *extra, *self._transport]), None
        except Exception:
            log.exception("prediction_failed", model=model)
            self._state.refused(500)
            return response(500, _BUG, [JSON, *self._transport]), None
        headers = [*_headers(answer, request.traceparent), *self._transport]
        return response(200, answer.body, headers), self._remainder(request, answer)

    async def _infer(self, model: str, version: int | None, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        caller = await self._auth_cache.meet(authorization_of(scope["headers"]))
        body = await self._body(scope, receive)
        read = self._asking(model, version, scope["headers"], body, started, caller)
        request, answer = await self._asked(read, self._repository.table(model), body)
        self._inference.keep(request, answer)
        await send_bytes(send, 200, answer.body, _headers(answer, request.traceparent))
        if (afterwards := self._remainder(request, answer)) is not None:
            afterwards()

    def _asking(
        self,
        model: str,
        version: int | None,
        headers: Headers,
        body: bytes,
        started: float,
        caller: str | None = None,
    ) -> Callable[[], Request]:
        """What makes the request, once the caller is let in: work for this thread or another."""
        authorization = traceparent = length = None
        for key, value in headers:
            if key == b"authorization":
                authorization = value
            elif key == b"traceparent":
                traceparent = value
            elif key == b"inference-header-content-length":
                length = value
        known = caller or self._auth_cache.admit(authorization)
        table = self._repository.table(model)
        self._check_open()
        trace = None if traceparent is None else follow(traceparent.decode("latin-1"))

        def read() -> Request:
            raw, json_length = _split(body, length)
            document = protocol.document_of(body, json_length)
            return Request(table, document, known, started, version, trace, raw)

        return read

    async def _invocations(self, model: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """MLflow's scoring protocol, for the model that ?model= names, or the only one."""
        started = perf_counter()
        caller = await self._auth_cache.meet(authorization_of(scope["headers"]))
        table = self._repository.table(self._repository.only(model or query_of(scope).get("model")))
        self._check_open()
        body = await self._body(scope, receive)
        traceparent = header(scope, b"traceparent")
        trace = follow(traceparent.decode("latin-1")) if traceparent else None

        def read() -> Request:
            interface = table.any().loaded.interface
            document = mlflow.document_of(body, header(scope, b"content-type") or b"", interface)
            return Request(table, document, caller, started, None, trace)

        request, answer = await self._asked(read, table, body)
        self._inference.keep(request, answer)
        told = (b"x-headrace-prediction-id", answer.prediction_id.encode())
        await send_json(
            send, 200, mlflow.answer(answer.outputs, answer.routed.loaded.interface), [told, *_trace_header(trace)]
        )
        if (afterwards := self._remainder(request, answer)) is not None:
            afterwards()

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body, inflated where it came compressed; in a thread, because little may become much."""
        encoding = encoding_of(scope["headers"])
        body = await read_body(scope, receive, self._largest_body)
        if encoding is None:
            return body
        inflate = partial(inflated, body, encoding, self._largest_body)
        return await asyncio.get_running_loop().run_in_executor(self._pool, inflate)

    def _answered(self, request: Request) -> Answer:
        try:
            return self._inference.answer(request)
        except RecursionError:
            raise BadInput("the JSON nests too deep") from None

    def _remainder(self, request: Request, answer: Answer) -> Callable[[], None] | None:
        """What can wait until the answer is sent: usually nothing."""
        if request.traceparent is None and not request.table.shadows:
            return None
        return partial(self._afterwards, request, answer)

    def _afterwards(self, request: Request, answer: Answer) -> None:
        if request.table.shadows:
            self._inference.shadow(request, answer)
        if request.traceparent is not None and request.traceparent.endswith("01"):
            log.info(
                "prediction_answered",
                model=request.table.model,
                version=answer.routed.loaded.version,
                route=answer.routed.role,
                prediction_id=answer.prediction_id,
                rows=answer.ask.rows.count,
                caller=request.caller,
                ms=round(answer.seconds * 1000, 3),
                trace_id=trace_id(request.traceparent),
            )

    def _check_open(self) -> None:
        if not self._inference.open:
            raise Unloggable("predictions cannot be recorded while the broker is away and the write-ahead log is full")

    async def _asked(self, read: Callable[[], Request], table: RouteTable, body: bytes) -> tuple[Request, Answer]:
        """Small requests are answered at once; large ones in a thread, so that they cannot hold up small ones.

        Who answers in processes is chosen first, and asked in threads of its own.
        """
        if table.pool is not None:
            request = await self._small(read, body)
            return request, await (request.choose().loaded.pool or table.pool).run(partial(self._answered, request))

        def ask() -> tuple[Request, Answer]:
            request = read()
            return request, self._answered(request)

        return await self._small(ask, body)

    async def _small(self, work: Callable[[], T], body: bytes) -> T:
        if len(body) <= INLINE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    # everything else

    async def _others(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._cors.preflight(scope["method"], scope["headers"])
        if allowed is not None:
            await send_bytes(send, 204, b"", _as_bytes(allowed))
            return
        methods = self._methods(scope["path"].strip("/").split("/"))
        if not methods:
            raise Unknown(f"no path {shown(scope['path'])} here; GET /docs lists what there is")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            raise WrongMethod(scope["method"], [*methods, *(["HEAD"] if "GET" in methods else [])])
        await methods[method](scope, receive, send)

    def _methods(self, parts: list[str]) -> Mapping[str, Handler]:
        match parts:
            case ["invocations"]:
                return {"POST": partial(self._invocations, None)}
            case ["endpoints" | "gateway", model, "invocations"]:  # as MLflow's deployments client asks
                return {"POST": partial(self._invocations, model)}
            case ["v2", "models", model, "versions", version, *rest]:
                return self._of_model(model, _number(version), rest)
            case ["v2", "models", model, *rest]:
                return self._of_model(model, None, rest)
            case _:
                return self._pages.methods(parts)

    def _of_model(self, model: str, version: int | None, rest: list[str]) -> Mapping[str, Handler]:
        if rest == ["infer"]:
            return {"POST": partial(self._infer, model, version)}
        return self._pages.of_model(model, version, rest)

    async def _refuse(self, send: Send, error: Exception) -> None:
        status, extra = self._refusal(error)
        await send_json(send, status, {"error": str(error)}, extra)

    def _refusal(self, error: Exception) -> tuple[int, Headers]:
        status = STATUS[type(error)]
        self._state.refused(status)
        if isinstance(error, WrongMethod):
            return status, [(b"allow", ", ".join(error.allowed).encode())]
        if isinstance(error, TooMany):
            return status, [(b"retry-after", b"%d" % ceil(error.wait))]
        return status, [_RETRY] if status == 503 else [_CHALLENGE] if status == 401 else []


def _adding(extra: Headers, send: Send) -> Send:
    """Every answer says some more."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told = {name for name, _ in message["headers"]}
            message = {**message, "headers": [*message["headers"], *(pair for pair in extra if pair[0] not in told)]}
        await send(message)

    return sending


def _as_bytes(headers: Mapping[str, str]) -> Headers:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _split(body: bytes, length: bytes | None) -> tuple[memoryview | None, int | None]:
    """What follows the JSON part, and how long that is, where the request uses the binary extension."""
    if length is None:
        return None, None
    size = whole_number(length.decode("latin-1"))
    if size is None or size > len(body):
        told = shown(length.decode("latin-1"))
        raise BadInput(f"Inference-Header-Content-Length is {told}, but the body has {len(body)} bytes")
    return memoryview(body)[size:], size


def _headers(answer: Answer, trace: str | None) -> Headers:
    if answer.json_length is None:
        return [JSON, *_trace_header(trace)] if trace else [JSON]
    return [OCTETS, (b"inference-header-content-length", b"%d" % answer.json_length), *_trace_header(trace)]


def _trace_header(trace: str | None) -> Headers:
    return [(b"traceparent", trace.encode())] if trace else []


def _number(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise Unknown(f"versions are numbers from 1 on, {shown(text)} is none")
    return number
