"""What one version did on this replica: counters for Prometheus, and the last second for the deployer."""

from bisect import bisect_left
from dataclasses import dataclass, field

from headrace.inference.comparing import Compared, Outputs

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_KEPT = 20_000  # latencies remembered between two reports; a replica answers about as many in a second


@dataclass(slots=True)
class Span:
    """One moment: what was answered, what failed, how fast."""

    requests: int = 0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)
    compared: Compared = field(default_factory=Compared)

    def quantile_ms(self, share: float) -> float:
        """A quantile of the answering times in milliseconds; 0 without any."""
        if not self.latencies:
            return 0.0
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Stats:
    """Counts for ever, and since the last report."""

    __slots__ = ("buckets", "errors", "requests", "rows", "seconds", "span", "watched")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.rows = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.span = Span()
        self.watched = False
        """Whether latencies are kept one by one, for reports during a rollout."""

    def answered(self, seconds: float, rows: int) -> None:
        """One request was answered."""
        self.requests += 1
        self.rows += rows
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        if self.watched:
            span = self.span
            span.requests += 1
            if len(span.latencies) < _KEPT:
                span.latencies.append(seconds)

    def failed(self) -> None:
        """One request could not be answered, and it was not the caller's fault."""
        self.requests += 1
        self.errors += 1
        self.span.requests += 1
        self.span.errors += 1

    def compared(self, champion: Outputs, mine: Outputs) -> None:
        """The champion's answer to the same request is known."""
        self.span.compared.add(champion, mine)

    def take(self) -> Span:
        """What happened since the last call."""
        span, self.span = self.span, Span()
        return span
