"""One way of asking a service over HTTP: the key, the trace, the timeouts and the errors."""

import secrets
import ssl
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

from headrace.client.addresses import Stack
from headrace.client.errors import HeadraceError, Rejected, Unreachable

TIMEOUT = httpx.Timeout(10.0, read=120.0, write=120.0)  # an upload of gigabytes is checked before it is answered


@cache
def public_authorities() -> ssl.SSLContext:
    """Whom httpx believes by itself: read once in a process, since it takes longer than most requests."""
    return httpx.create_ssl_context()


class Http:
    """HTTP to the services of one stack, under one trace; services log each request of a sampled one."""

    def __init__(self, stack: Stack, *, trace_id: str | None = None, sampled: bool = True) -> None:
        self.stack = stack
        self._flags = "01" if sampled else "00"
        self.trace_id = trace_id or secrets.token_hex(16)
        verify = ssl.create_default_context(cafile=str(stack.tls_ca)) if stack.tls_ca else public_authorities()
        self._client = httpx.Client(timeout=TIMEOUT, verify=verify)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def request(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        """Ask `service` and return its answer; raises Rejected where it is no 2xx, Unreachable where there is none."""
        headers = {**self._headers(), **options.pop("headers", {})}
        try:
            answer = self._client.request(method, f"{self.stack.url(service)}{path}", headers=headers, **options)
        except httpx.TransportError as error:
            raise Unreachable(_unreachable(service, self.stack.url(service), error)) from error
        if not answer.is_success:
            raise rejected(answer)
        return answer

    def texts(self, method: str, service: str, path: str, **options: Any) -> Iterator[str]:
        """Ask, and give the text of the answer as it comes, however long that takes."""
        url = f"{self.stack.url(service)}{path}"
        patient = httpx.Timeout(10.0, read=None)  # what follows a run is silent for as long as the run is
        try:
            with self._client.stream(method, url, headers=self._headers(), timeout=patient, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    raise rejected(answer)
                yield from answer.iter_text()
        except httpx.TransportError as error:
            raise Unreachable(_unreachable(service, self.stack.url(service), error)) from error

    def json(self, method: str, service: str, path: str, **options: Any) -> Any:
        """Ask and return the parsed JSON answer; raises HeadraceError where it is none."""
        answer = self.request(method, service, path, **options)
        try:
            return answer.json() if answer.content else None
        except (ValueError, RecursionError) as error:
            raise HeadraceError(
                f"what answers at {answer.url} is not {service}: no JSON, but {answer.text[:80]!r}"
            ) from error

    def pages(self, service: str, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Every item of a paged collection, fetched page by page as it is consumed."""
        query = {**(params or {})}
        while True:
            page = self.json("GET", service, path, params=query)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def _headers(self) -> dict[str, str]:
        trace = f"00-{self.trace_id}-{secrets.token_hex(8)}-{self._flags}"
        key = {"authorization": f"Bearer {self.stack.key}"} if self.stack.key else {}
        return {"traceparent": trace, **key}


def path_of(*parts: object) -> str:
    """A path of these parts, each quoted: a name cannot lead elsewhere."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def rejected(answer: httpx.Response) -> Rejected:
    """The error that an answer carries: problem details (RFC 9457), or the V2 protocol's `error`."""
    status, wait = answer.status_code, _seconds(answer.headers.get("retry-after", ""))
    body = _problem(answer)
    if body is None:
        return Rejected(status, f"{status} {answer.reason_phrase}: {answer.text[:300]}", retry_after=wait)
    detail = body.get("detail") or body.get("error") or body.get("title") or body
    violations = body.get("violations")
    return Rejected(status, str(detail), violations if isinstance(violations, list) else (), wait)


def _problem(answer: httpx.Response) -> Mapping[str, Any] | None:
    """The object that a refusal is; None where it is something else, as of a proxy in between."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _seconds(text: str) -> float | None:
    """Retry-After in seconds; its other form, a date, is none of ours."""
    return float(text) if text.isdecimal() else None


def _unreachable(service: str, url: str, error: Exception) -> str:
    return f"{service} does not answer at {url} ({type(error).__name__}); `headrace status` shows what runs"
