"""Verdicts of a handler on a message, and what else can stop delivery."""

from datetime import timedelta


class Refused(Exception):
    """The message can never be handled; it is parked at once, and a request is answered with `request.refused`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotYet(Exception):
    """The message came too early; it comes back after about `delay`."""

    def __init__(self, reason: str, delay: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class BrokerAway(Exception):
    """The broker did not take or answer something; whoever asked tries again."""


class PublishRefused(Exception):
    """The broker answered a publish with an error, such as a full stream."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} (code {code})")
        self.code = code
        self.description = description
