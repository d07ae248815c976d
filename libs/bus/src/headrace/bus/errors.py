"""Verdicts of a handler on a message, and what else can stop delivery."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

# what a cluster answers while its nodes have not found each other, or a stream or durable has no leader
LEADERLESS = frozenset({10004, 10005, 10006, 10007, 10008, 10009, 10118, 10119})


class Refused(Exception):
    """The message can never be handled; it is set aside at once, and a request is answered with `request.refused`."""

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


def error_of(answer: Mapping[str, Any]) -> BrokerAway | PublishRefused:
    """What the error in an answer of the broker means: nobody is there who could decide, or this was the decision."""
    code, description = int(answer.get("err_code", 0)), str(answer.get("description", ""))
    return BrokerAway(f"{description} (code {code})") if code in LEADERLESS else PublishRefused(code, description)
