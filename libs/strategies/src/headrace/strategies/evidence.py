"""What replicas saw of a new version, and what a declaration allows of it.

Pure: the standard library and contracts only.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import sqrt

from headrace.contracts import AnswersCompared, Evidence, VersionTraffic

FEWEST_REQUESTS = 20  # below this a p99 is one slow request, and an error rate is judged only when the bake is over
NO_SPREAD = 1e-12  # of a variance beside the square of the mean: below, rounding is all that there is


@dataclass(frozen=True)
class Compared:
    """A shadow's answers beside the champion's, as sums over rows and over the numbers in them."""

    rows: int = 0
    same: int = 0
    numbers: int = 0
    gap: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, more: AnswersCompared) -> "Compared":
        """With those of one more report."""
        return Compared(
            self.rows + more.rows,
            self.same + more.same,
            self.numbers + more.numbers,
            self.gap + more.gap,
            self.total + more.total,
            self.squares + more.squares,
        )

    @property
    def agreement(self) -> float:
        """Share of rows with equal labels, on which the same numbers are there; 1 without any."""
        return self.same / self.rows if self.rows else 1.0

    @property
    def distance(self) -> float | None:
        """Mean difference of the numbers, in standard deviations of the champion's; None where it has no spread."""
        if not self.numbers:
            return None
        mean = self.total / self.numbers
        variance = self.squares / self.numbers - mean * mean
        if variance <= NO_SPREAD * mean * mean:
            return None
        return self.gap / self.numbers / sqrt(variance)


@dataclass(frozen=True)
class Seen:
    """What replicas reported of the new version during the present step."""

    requests: int = 0
    errors: int = 0
    weighted_p99: float = 0.0
    """Sum of each report's p99 times its requests: one slow second among many quiet ones does not decide."""

    compared: Compared = Compared()

    def plus(self, part: VersionTraffic) -> "Seen":
        """With one more report."""
        return Seen(
            self.requests + part.requests,
            self.errors + part.errors,
            self.weighted_p99 + part.requests * part.p99_ms,
            self.compared.plus(part.compared) if part.compared else self.compared,
        )

    @property
    def error_rate(self) -> float:
        """Failed requests as a share of all; 0 without traffic."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def p99_ms(self) -> float | None:
        """The mean of the reported 99th percentiles, weighted by requests; None without traffic."""
        return self.weighted_p99 / self.requests if self.requests else None

    def evidence(self) -> Evidence:
        """As the wire has it."""
        told = {"requests": self.requests, "errors": self.errors, "p99_ms": self.p99_ms}
        if self.compared.rows:
            told |= {"compared": self.compared.rows, "agreement": self.compared.agreement}
            told |= {"distance": self.compared.distance}
        return Evidence.model_validate(told)


@dataclass(frozen=True)
class Policy:
    """How a rollout goes, from the declaration's `serving`."""

    strategy: str
    steps: tuple[int, ...] = (100,)
    bake: timedelta = timedelta(seconds=30)
    max_error_rate: float = 0.01
    max_p99_ms: float = 250.0
    agreement: float = 0.8
    distance: float = 1.0

    def unlike(self, compared: Compared) -> str | None:
        """How a shadow differs from the champion by more than is declared, or None."""
        if compared.agreement < self.agreement:
            return (
                f"its answers equal the champion's on {compared.agreement:.1%} of {compared.rows} rows; at least "
                f"{self.agreement:.1%} must (serving.shadow.agreement)"
            )
        if compared.distance is not None and compared.distance > self.distance:
            return (
                f"its numbers differ from the champion's by {compared.distance:.2f} standard deviations in the mean of "
                f"{compared.rows} rows; at most {self.distance:g} may (serving.shadow.distance)"
            )
        return None

    def fault(self, seen: Seen, *, at_end: bool) -> str | None:
        """What is wrong with the new version, or None. No traffic is no fault: then the bake time alone decides."""
        enough = seen.requests >= FEWEST_REQUESTS
        if (enough or at_end) and seen.error_rate > self.max_error_rate:
            return f"{seen.errors} of {seen.requests} requests failed; at most {self.max_error_rate:.2%} may"
        if enough and seen.p99_ms is not None and seen.p99_ms > self.max_p99_ms:
            return (
                f"p99 of {seen.p99_ms:.1f} ms over {seen.requests} requests; at most {self.max_p99_ms:g} ms is allowed"
            )
        return None
