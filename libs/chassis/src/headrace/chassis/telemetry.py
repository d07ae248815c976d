"""Traces: OpenTelemetry's SDK is set up only where an OTLP endpoint is given; trace ids travel without it too."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def configure_traces(service: str, endpoint: str | None) -> None:
    """Export spans to `endpoint` (OTLP over HTTP), as `headrace-<service>`."""
    if endpoint is None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": f"headrace-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
