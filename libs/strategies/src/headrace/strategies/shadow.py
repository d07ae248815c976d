"""Beside the champion, without answering, until it answers like it."""

from headrace.strategies.base import Placement, Strategy
from headrace.strategies.evidence import FEWEST_REQUESTS, Policy, Seen


class Shadow(Strategy):
    """No caller meets the version: it must have answered enough, beside the champion, and like it, to take over."""

    name = "shadow"
    about = "beside the champion, without answering"
    protects = True

    def placement(self, share: int) -> Placement:
        """Both are asked; the champion answers."""
        return Placement(100, "shadow", 100)

    def shown(self, share: int) -> int:
        """It answers nobody."""
        return 0

    def held(self, policy: Policy, seen: Seen) -> str | None:
        """Too few requests, or answers that differ by more than is declared."""
        tried = min(seen.requests, seen.compared.rows)
        if tried < FEWEST_REQUESTS:
            return (
                f"the shadow has answered {tried} of the {FEWEST_REQUESTS} requests that it is judged by; "
                "it waits for traffic, unless somebody promotes it or rolls it back"
            )
        unlike = policy.unlike(seen.compared)
        return f"{unlike}; it waits until somebody promotes it or rolls it back" if unlike else None
