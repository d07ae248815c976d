"""Which pages of other origins may ask: none, unless a setting names them. Keys travel in headers, never in cookies."""

from collections.abc import Collection, Iterable, Mapping

_ANYBODY = "*"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = "authorization, content-type, content-encoding, traceparent, inference-header-content-length, last-event-id"
_EXPOSED = "traceparent, retry-after, location, link, inference-header-content-length, x-headrace-prediction-id"
_REMEMBERED = "600"  # seconds that a browser need not ask again


class Cors:
    """The rule for one server."""

    def __init__(self, origins: Collection[str]) -> None:
        """Allow these origins, such as `https://console.example`; `*` allows all of them."""
        self._origins = frozenset(origins)

    def headers(self, request: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
        """What the answer to a request carries, so that the page that asked may read it."""
        origin = _find(request, b"origin")
        if not self._origins or origin is None:
            return {}
        if not self._origins & {origin, _ANYBODY}:
            return {"vary": "origin"}
        return {"access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED, "vary": "origin"}

    def preflight(self, method: str, request: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str] | None:
        """The answer's headers where a browser asks in advance for a page that may ask; None for other requests."""
        told = list(request)
        if method != "OPTIONS" or _find(told, b"access-control-request-method") is None:
            return None
        allowed = self.headers(told)
        if "access-control-allow-origin" not in allowed:
            return None
        rest = {"allow-methods": _METHODS, "allow-headers": _HEADERS, "max-age": _REMEMBERED}
        return {**allowed, **{f"access-control-{name}": value for name, value in rest.items()}}


def _find(request: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in request if name == wanted), None)
