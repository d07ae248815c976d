"""Prometheus figures that every service shows; labels are bounded."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

MESSAGES = Counter("headrace_messages_total", "Messages handled, by event type and outcome.", ["type", "outcome"])
HANDLING = Histogram(
    "headrace_message_seconds",
    "Time to handle a message, seconds.",
    ["type"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REQUESTS = Counter("headrace_http_requests_total", "HTTP requests, by route and status.", ["route", "status"])
UNSENT = Gauge("headrace_outbox_unsent", "Events that wait in the outbox.")
PARKED = Counter("headrace_dead_letters_total", "Messages that were set aside.")


def observe(kind: str, outcome: str, seconds: float) -> None:
    """Count one handled message."""
    MESSAGES.labels(kind, outcome).inc()
    HANDLING.labels(kind).observe(seconds)
    if outcome == "dead_letter":
        PARKED.inc()


def exposition() -> tuple[bytes, str]:
    """The page that Prometheus reads, and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
