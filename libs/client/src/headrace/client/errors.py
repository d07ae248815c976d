"""What can go wrong for a caller; every message says what to do next."""

from collections.abc import Sequence
from typing import Any


class HeadraceError(Exception):
    """Base of everything that the SDK raises."""


class NoStack(HeadraceError):
    """No running stack could be found."""


class Unreachable(HeadraceError):
    """A service did not answer."""


class TimedOut(HeadraceError):
    """What was waited for did not happen in time; it may still happen."""


class Rejected(HeadraceError):
    """A service understood and said no.

    `status` is the HTTP status, `detail` what the service said, `violations` the places in the data, where there
    are any. `retry_after` is how many seconds it asks to be left alone, where it says so.
    """

    def __init__(
        self, status: int, detail: str, violations: Sequence[dict[str, Any]] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.violations = list(violations)
        self.retry_after = retry_after
