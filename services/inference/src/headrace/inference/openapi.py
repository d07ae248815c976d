"""The interface in words for programs and people: OpenAPI of what a replica answers."""

from typing import Any

from headrace.chassis.openapi import BEARER

_ERROR = {
    "description": "What is wrong, and what would be right.",
    "content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}},
}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "description": "The column; any name for one matrix of all columns."},
        "shape": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "[rows], [rows, 1] or [rows, columns].",
        },
        "datatype": {"type": "string", "description": "BOOL, UINT8-64, INT8-64, FP16-64 or BYTES."},
        "parameters": {"type": "object", "description": "binary_data_size where the data follow the JSON part."},
        "data": {"type": "array", "items": {}, "description": "Flat or nested, row-major; null for a missing value."},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "description": "Echoed."},
        "parameters": {
            "type": "object",
            "properties": {
                "time": {"type": "string", "format": "date-time", "description": "Event time; default: arrival."},
                "key": {
                    "type": ["string", "integer"],
                    "description": "The caller's own key of a single row, to report truth by; of several rows they are "
                    "the input `headrace:key`.",
                },
                "routing_key": {"type": "string", "description": "The same key meets the same version."},
                "binary_data_output": {"type": "boolean", "description": "Answer with raw tensors."},
            },
        },
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}
_ANSWER = {
    "type": "object",
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {
                "prediction_id": {"type": "string", "description": "Row i is `id:i` when the truth is reported."},
                "model_digest": {"type": "string"},
                "route": {"type": "string", "enum": ["champion", "canary", "shadow"]},
            },
        },
        "outputs": {"type": "array", "items": _TENSOR},
    },
}


def _operation(
    summary: str,
    *,
    body: Any = None,
    required: bool = True,
    answer: Any = None,
    parameters: tuple[str, ...] = (),
    scope: str | None = None,
) -> dict[str, Any]:
    """One operation; without a scope it is for everybody."""
    operation: dict[str, Any] = {
        "summary": summary,
        "security": [{"bearer": [scope]}] if scope else [],
        "responses": {
            "200": {
                "description": "As asked.",
                "content": {"application/json": {"schema": answer or {"type": "object"}}},
            },
            "4XX": _ERROR,
            "5XX": _ERROR,
        },
    }
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    if body:
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": body}}}
    return operation


TITLE = "Headrace inference"
_MODEL, _VERSION = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
_OF_A_MODEL: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("", "get", "What the model takes and gives.", {}),
    ("/ready", "get", "Whether the model answers.", {}),
    ("/infer", "post", "Ask for predictions.", {"body": _REQUEST, "answer": _ANSWER}),
)
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": TITLE,
        "version": "2",
        "description": "Open Inference Protocol V2, MLflow scoring.",
    },
    "components": {"securitySchemes": {"bearer": BEARER}},
    "paths": {
        "/v2": {"get": _operation("The server: name, version, extensions.")},
        "/v2/health/live": {"get": _operation("Whether the process runs.")},
        "/v2/health/ready": {"get": _operation("Whether it answers; details of broker, write-ahead log and models.")},
        **{
            path + suffix: {method: _operation(summary, parameters=names, scope="predict", **more)}
            for path, names in ((_MODEL, ("model",)), (_VERSION, ("model", "version")))
            for suffix, method, summary, more in _OF_A_MODEL
        },
        "/invocations": {
            "post": _operation(
                "MLflow scoring: dataframe_split, dataframe_records, instances or inputs, or CSV; ?model=NAME.",
                body={"type": "object"},
                scope="predict",
            )
        },
        "/endpoints/{model}/invocations": {
            "post": _operation(
                "The same, as MLflow's deployments client asks.",
                body={"type": "object"},
                parameters=("model",),
                scope="predict",
            )
        },
        "/v2/repository/index": {
            "post": _operation(
                "Every model and version, with its state.", body={"type": "object"}, required=False, scope="predict"
            )
        },
        "/keys": {"get": _operation("A page of the API keys, and when each was last used here.", scope="keys:read")},
        "/ping": {"get": _operation("MLflow's word for live.")},
        "/health": {"get": _operation("Another of MLflow's words for live.")},
        "/version": {"get": _operation("The version of the server.")},
        "/metrics": {"get": _operation("Figures for Prometheus.")},
    },
}
