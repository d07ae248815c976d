"""Traces: OpenTelemetry's SDK is set up only where an OTLP endpoint is given; trace ids travel without it too."""


def configure_traces(service: str, endpoint: str | None) -> None:
    """Export spans to `endpoint` (OTLP over HTTP), as `headrace-<service>`."""
    if endpoint is not None:
        _export(service, f"{endpoint.rstrip('/')}/v1/traces")


def _export(service: str, endpoint: str) -> None:
    # imported here: the exporter takes 0.2 s of every start, and few use it
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"headrace-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
