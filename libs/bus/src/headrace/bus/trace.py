"""One trace through every service: W3C trace context in the envelope, spans where OpenTelemetry is set up."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from headrace.contracts import Envelope

_TRACEPARENT = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("headrace")


@contextmanager
def span(name: str, traceparent: str | None, kind: SpanKind, attributes: Mapping[str, str]) -> Iterator[str]:
    """A span that continues `traceparent`; yields the traceparent for what follows from it.

    Without OpenTelemetry's SDK nothing is recorded, but the trace id travels on all the same.
    """
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # no SDK: nothing would be recorded
        yield follow(traceparent)
        return
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else context.Context()
    with _TRACER.start_as_current_span(name, parent, kind, attributes) as current:
        carried = current.get_span_context()
        recorded = carried.is_valid and carried.span_id != _parent_span(traceparent)
        if recorded:
            yield f"00-{carried.trace_id:032x}-{carried.span_id:016x}-{carried.trace_flags:02x}"
        else:
            yield follow(traceparent)


def follow(traceparent: str | None) -> str:
    """A traceparent of the same trace with a span of its own; a new trace where there is none, or none that is one."""
    told = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    trace_id, flags = (told[1], told[3]) if told else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def trace_id(traceparent: str | None) -> str | None:
    """The trace that a traceparent belongs to."""
    told = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return told[1] if told else None


def _parent_span(traceparent: str | None) -> int:
    told = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return int(told[2], 16) if told else 0


def log_context(envelope: Envelope) -> dict[str, object]:
    """What every log line about an event carries."""
    return {
        "event_type": envelope.type,
        "event_id": envelope.id,
        "key": envelope.subject,
        "correlation_id": envelope.correlationid,
        "trace_id": trace_id(envelope.traceparent),
    }
