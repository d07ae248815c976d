"""A short cut through uvicorn for the commonest request: a small prediction is answered where its last byte arrives.

uvicorn makes a scope, a task and two writes for each request; for a prediction of ten microseconds that is most of
the work. Its protocol stays in charge of everything else: connections, limits, time-outs, pipelining, shutdown, and
all requests that are not small POSTs to a model's infer path.
"""

from collections.abc import Callable
from typing import Any

from headrace.chassis.protocol import BoundedProtocol

INLINE_BYTES = 32 * 1024  # a body above this goes the long way, and may be answered in a thread

_DIGITS = 9  # of a length that is worth reading
_LONG_WAY = frozenset({b"content-encoding", b"origin"})  # headers of what is compressed, or asked by a page

Answer = Callable[[str, list[tuple[bytes, bytes]], bytes], tuple[bytes, Callable[[], None] | None]]
"""(model, headers, body) -> the whole response, and what is left to do once it is sent."""


class FastProtocol(BoundedProtocol):
    """uvicorn's HTTP protocol with the short cut; the application has `infer_paths`, `knows` and `answer_now`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._paths: dict[bytes, str] = self.app.infer_paths
        self._answer: Answer = self.app.answer_now
        self._knows: Callable[[bytes | None], bool] = self.app.knows
        self._model: str | None = None
        self._body = b""

    def on_message_begin(self) -> None:
        """A request begins; its scope is made only once it is known to go the long way."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._model = None

    def on_headers_complete(self) -> None:
        """Decide which way the request goes."""
        model = self._paths.get(self.url)
        if model is None or not self._is_short():
            self._begin_anew()
            super().on_headers_complete()
            return
        self._head, self._since, self._received = None, None, 0
        self._model, self._body = model, b""

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        if self._model is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """The request is there: answer it, in one write."""
        if self._model is None:
            super().on_message_complete()
            return
        self._head, self._since = 0, None
        response, afterwards = self._answer(self._model, self.headers, self._body)
        self.transport.write(response)
        if not self.parser.should_keep_alive():
            self.transport.close()
        self.on_response_complete()
        if afterwards is not None:
            afterwards()

    def _begin_anew(self) -> None:
        """Let uvicorn begin the request as it always does, and give it what was read of it."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)  # the list lies in the scope already

    def _is_short(self) -> bool:
        """Whether the request is a small POST of a known caller, alone on its connection."""
        if self.parser.get_method() != b"POST" or self.expect_100_continue or self.parser.should_upgrade():
            return False
        if self.parser.get_http_version() != "1.1" or (self.cycle is not None and not self.cycle.response_complete):
            return False
        length, authorization, keys = b"", None, 0
        for name, value in self.headers:
            if name == b"content-length":
                length = value
            elif name == b"authorization":
                authorization, keys = value, keys + 1
            elif name in _LONG_WAY:
                return False
        if keys > 1 or not length.isdigit() or len(length) > _DIGITS or int(length) > INLINE_BYTES:
            return False
        return self._knows(authorization)
