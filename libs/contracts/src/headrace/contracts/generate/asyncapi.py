"""AsyncAPI 3.0 of the whole bus, for tools."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from headrace.contracts.generate.sources import Schema, Sources
from headrace.contracts.subjects import pattern, stream_of

NOTE = "# Generated from schemas/ by `make schemas`; changes here are lost.\n"


def render_asyncapi(sources: Sources) -> str:
    """The text of schemas/asyncapi.yaml."""
    events, classes, spec = sources.newest(), sources.classes(), sources.topology()["events"]
    messages = {classes[kind]: _message(kind, schema) for kind, schema in sources.events().items()}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Headrace", "version": "1.0.0", "description": "Every event of the suite."},
        "channels": {schema["title"]: _channel(kind, schema, _all(kind, classes)) for kind, schema in events.items()},
        "operations": dict(_operations(events, spec)),
        "components": {"messages": messages},
    }
    return NOTE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _all(kind: str, classes: Mapping[str, str]) -> list[str]:
    """The classes of every version of an event: its stream holds older ones, too."""
    return [name for each, name in classes.items() if each.rpartition(".")[0] == kind.rpartition(".")[0]]


def _channel(kind: str, schema: Schema, messages: Sequence[str]) -> dict[str, Any]:
    address = pattern(kind, "{speaker}").replace("*", "{key}")
    speaker = {"speaker": {"description": "Who says it. In an outsider's account the subject lacks this and `from`."}}
    return {
        "address": address,
        "description": f"{schema['description']} Stream {stream_of(kind)}.",
        "parameters": {
            **(speaker if "{speaker}" in address else {}),
            "key": {"description": f"The event's {schema['x-key']}."},
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _message(kind: str, schema: Schema) -> dict[str, Any]:
    _, aggregate, fact, version = kind.split(".")
    payload = {
        "allOf": [
            {"$ref": "envelope/cloudevent.v1.json"},
            {"properties": {"type": {"const": kind}, "data": {"$ref": f"events/{aggregate}/{fact}.{version}.json"}}},
        ]
    }
    return {
        "name": kind,
        "summary": schema["description"],
        "contentType": "application/cloudevents+json",
        "payload": payload,
    }


def _operations(events: dict[str, Schema], spec: Schema) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for kind, schema in events.items():
        flow = spec[kind.removeprefix("headrace.")]
        for action, who in [*(("send", each) for each in flow["says"]), *(("receive", each) for each in flow["hears"])]:
            channel = {"$ref": f"#/channels/{schema['title']}"}
            found.append((f"{who}_{action}_{schema['title']}", {"action": action, "channel": channel}))
    return found
