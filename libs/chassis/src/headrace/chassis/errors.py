"""What a route may raise beside the bus's verdicts; headrace.chassis.http turns each into problem details.

A handler may raise NotFound and Conflict as well: they are refusals.
"""

from headrace.bus import Refused


class NotFound(Refused):
    """There is no such thing; the text says what there is, or how to make it."""


class Conflict(Refused):
    """The thing is in a state that does not allow this; the text says which."""


class Forbidden(Exception):
    """The caller is known, and may not do this."""


class Unauthorised(Exception):
    """The caller is not known."""


class Unavailable(Exception):
    """Something that the request needs is away, such as what tells who the caller is; the text says what."""


class TooMany(Exception):
    """The caller asks more often than allowed; `wait` is in seconds."""

    def __init__(self, reason: str, wait: float) -> None:
        super().__init__(reason)
        self.wait = wait


class Ambiguous(Exception):
    """The request says twice what it may say once."""
