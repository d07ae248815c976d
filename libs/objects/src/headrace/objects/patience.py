"""How long the store is waited for: one policy for every operation.

- A connection is made within `connect_timeout_s`.
- A server that neither takes nor sends a byte for `read_timeout_s` is away. It is not asked again: whoever hangs for
  that long does so the next time as well.
- What a server refuses, or breaks off, is tried again, and no attempt begins later than `give_up_after_s` after the
  first one failed.

An operation that makes progress, however large it is, has no limit.
"""

import time
from typing import Any, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.util import Retry, Timeout

from headrace.objects.settings import ObjectSettings

BLOCK = 1 << 20
PASSING = (500, 502, 503, 504)


class RetryPolicy(Retry):
    """Retries that end with a silence, and with the time that they may take."""

    give_up_after = 0.0
    failed_at: float | None = None

    @classmethod
    def of(cls, settings: ObjectSettings) -> Self:
        """The retries that the settings ask for."""
        retries = cls(
            total=settings.retries,
            backoff_factor=0.2,
            status_forcelist=PASSING,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        retries.give_up_after = settings.give_up_after_s
        return retries

    def new(self, **changed: Any) -> Self:
        """The same with some values changed."""
        made = super().new(**changed)
        made.give_up_after, made.failed_at = self.give_up_after, self.failed_at
        return made

    def increment(
        self, method: Any = None, url: Any = None, response: Any = None, error: Any = None, _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:  # fmt: skip
        """One failure more; raises MaxRetryError where it was the last."""
        now = time.monotonic()
        failed_at = self.failed_at if self.failed_at is not None else now
        if now - failed_at > self.give_up_after or (error is not None and _is_silence(error)):
            raise MaxRetryError(_pool, url, error) from error
        more = super().increment(method, url, response, error, _pool, _stacktrace)
        more.failed_at = failed_at
        return more


def _is_silence(error: Exception) -> bool:
    """Whether the server fell silent, while it was listened to or while it was sent something."""
    return isinstance(error, ReadTimeoutError) or (
        isinstance(error, ProtocolError) and any(isinstance(each, TimeoutError) for each in error.args)
    )


class _Connection(HTTPConnection):
    """Once connected, what is sent may wait as long as what is read: urllib3 would go on with the time to connect."""

    silence: float | None = None

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.silence)


class _TlsConnection(HTTPSConnection):
    silence: float | None = None

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.silence)


def http_pool(settings: ObjectSettings) -> urllib3.PoolManager:
    """Connections to the store that wait for it as the policy says."""
    pool = urllib3.PoolManager(
        timeout=Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
        retries=RetryPolicy.of(settings),
        maxsize=32,
        blocksize=BLOCK,  # of a file that is sent; with the usual 16 KiB Python is busy with slices
        ca_certs=str(settings.tls_ca) if settings.tls_ca else None,
    )
    silence = {"silence": settings.read_timeout_s}
    plain = type("Connection", (_Connection,), silence)
    over_tls = type("TlsConnection", (_TlsConnection,), silence)
    pool.pool_classes_by_scheme = {
        "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": over_tls}),
    }
    return pool
