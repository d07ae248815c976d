"""What a caller was told is what its next request sees, whichever service that goes to.

A write is answered when what it said is published, and it first waits for what other services had said before it. A
read that would answer 404 waits for that too, and looks again. All of it for a few seconds at most: where the broker
is away, requests are answered as well as they can be. Who may not make a request waits for nothing.
"""

from starlette.datastructures import State
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.chassis.service import Runtime

PUBLISHED_S = 2.0  # longest wait for the broker to store what a write has said
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSALS = frozenset({401, 403, 429})


async def caught_up(request: Request) -> None:
    """Let a write come after the facts that were said before it; to be called when its caller may make it."""
    runtime: Runtime | None = getattr(request.app.state, "runtime", None)
    if runtime is not None and request.method not in SAFE:
        await runtime.catch_up()


class Consistency:
    """Plain ASGI, around a service's routes."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an application without a service has nothing to wait for."""
        if scope["type"] != "http" or getattr(self._state, "runtime", None) is None:
            await self._app(scope, receive, send)
        elif scope["method"] in SAFE:
            await self._read(scope, receive, send)
        else:
            await self._write(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A refusal has said nothing, so that it is sent at once."""
        runtime: Runtime = self._state.runtime

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] not in REFUSALS:
                await runtime.relay.settled(PUBLISHED_S)
            await send(message)

        await self._app(scope, receive, send_later)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A 404 is kept back; the second answer is given, whatever it is."""
        unknown: list[Message] = []

        async def send_unless_unknown(message: Message) -> None:
            if unknown or (message["type"] == "http.response.start" and message["status"] == 404):
                unknown.append(message)
            else:
                await send(message)

        await self._app(dict(scope), receive, send_unless_unknown)
        if not unknown:
            return
        if await self._state.runtime.catch_up():
            await self._app(scope, receive, send)
            return
        for message in unknown:
            await send(message)
