"""The Open Inference Protocol V2 over REST: requests in, answers out, both as JSON or with the binary extension."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from headrace.contracts.times import rfc3339
from headrace.inference import row_keys
from headrace.inference.interface import Interface, Rows
from headrace.inference.tensors import DATATYPES, BadInput, Given, from_json, from_raw, kind, shown, to_raw

MOST_DIMENSIONS = 8  # what comes in more would be refused by its size anyway, after a walk through all of it
EXTENSIONS = ["binary_tensor_data"]
_NAN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|NaN', re.DOTALL)  # strings are matched so that NaN in one is left alone
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Ask:
    """A request, checked against the interface of the version that answers it."""

    rows: Rows
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] | None = None
    """The outputs wanted; None for all."""
    raw: frozenset[str] = frozenset()
    """The outputs wanted in raw form."""
    time: datetime | None = None
    """When what is asked about happened; None for now."""


def document_of(body: bytes, header_length: int | None = None) -> dict[str, Any]:
    """The JSON part of a request."""
    document = json_of(body if header_length is None else body[:header_length])
    if type(document) is not dict:
        raise BadInput(f"the body must be a JSON object with 'inputs', not {kind(document)}")
    return document


def json_of(body: bytes) -> Any:
    """JSON as clients really send it: with NaN, which is no JSON, for a missing number."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in body:
            raise BadInput(f"the body is not JSON: {error}; numbers are finite, a missing one is null") from None
    try:
        return orjson.loads(_NAN.sub(_null, body))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is not JSON: {error}; numbers are finite, a missing one is null or NaN") from None


def _null(found: re.Match[bytes]) -> bytes:
    return b"null" if found[0] == b"NaN" else found[0]


def parameters_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request's parameters, checked where we know them."""
    parameters = document.get("parameters")
    if parameters is None:
        return _NOTHING
    if type(parameters) is not dict:
        raise BadInput(f"parameters must be an object, not {kind(parameters)}")
    if type(parameters.get("routing_key", "")) not in (str, int):
        raise BadInput(f"parameters.routing_key must be a string, not {kind(parameters['routing_key'])}")
    return parameters


def parse(
    document: Mapping[str, Any], interface: Interface, raw: memoryview | None = None, *, latest: float = math.inf
) -> Ask:
    """Check a request against the interface; `raw` is what follows the JSON part, if anything.

    An event time behind `latest`, in seconds since 1970, is refused.
    """
    given = document.get("inputs")
    parameters = parameters_of(document)
    if len(document) == 1 and type(given) is list and len(given) == 1 and (rows := _simplest(given[0], interface)):
        return Ask(rows)
    moment = moment_of(parameters, latest)
    tensors, keys = row_keys.parted(_tensors(given, raw))
    rows = row_keys.keyed(interface.rows(tensors), keys, parameters.get(row_keys.PARAMETER))
    ask = Ask(rows, _id(document), parameters, time=moment)
    _want(ask, document.get("outputs"), interface)
    return ask


def answer(
    ask: Ask, outputs: Mapping[str, np.ndarray], interface: Interface, head: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[bytes, int | None]:
    """The answer's body, and the length of its JSON part where raw tensors follow it."""
    document: dict[str, Any] = dict(head)
    if ask.id is not None:
        document["id"] = ask.id
    document["parameters"] = about
    wanted = interface.outputs if ask.outputs is None else ask.outputs
    if ask.raw:
        return _with_raw(ask, outputs, interface, document, wanted)
    heads = interface.heads
    document["outputs"] = [
        {**heads[name], "shape": list(outputs[name].shape), "data": outputs[name].ravel().tolist()} for name in wanted
    ]
    return orjson.dumps(document), None


def described(model: str, versions: Sequence[int], interface: Interface, platform: str) -> dict[str, Any]:
    """The metadata of a model."""
    signature = interface.signature
    context = [{"name": each.name, "datatype": each.datatype} for each in interface.context.values()]
    return {
        "name": model,
        "versions": [str(version) for version in versions],
        "platform": platform,
        "inputs": [_described(tensor) for tensor in signature.inputs],
        "outputs": [_described(tensor, interface.about[tensor.name]) for tensor in signature.outputs],
        **({"parameters": {"context": context}} if context else {}),
    }


def _described(tensor: Any, about: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    own = {"nullable": tensor.nullable, "format": tensor.format}
    told = {**{name: value for name, value in own.items() if value is not None}, **about}
    described = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    return {**described, "parameters": told} if told else described


def _simplest(tensor: Any, interface: Interface) -> Rows | None:
    """One row as a flat matrix of plain numbers, where the request says nothing else."""
    try:
        if (
            len(tensor) != 4
            or tensor["shape"] != [1, len(interface.names)]
            or tensor["datatype"] not in ("FP64", "FP32")
        ):
            return None
        return interface.one_row(tensor["data"]) if type(tensor["data"]) is list and tensor["name"] else None
    except (KeyError, TypeError):
        return None


def _tensors(given: Any, raw: memoryview | None) -> list[Given]:
    if type(given) is not list or not given:
        raise BadInput("'inputs' must be an array of at least one {name, shape, datatype, data}")
    tensors, at = [], 0
    for number, tensor in enumerate(given):
        found, size = _tensor(number, tensor, raw, at)
        tensors.append(found)
        at += size
    if raw is not None and at != len(raw):
        raise BadInput(f"{len(raw)} bytes follow the JSON part, but the inputs' binary_data_size add up to {at}")
    return tensors


def _tensor(number: int, tensor: Any, raw: memoryview | None, at: int) -> tuple[Given, int]:
    if type(tensor) is not dict:
        raise BadInput(f"inputs[{number}] must be an object, not {kind(tensor)}")
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if type(name) is not str:
        raise BadInput(f"inputs[{number}].name must be a string, not {kind(name)}")
    if datatype not in DATATYPES:
        raise BadInput(f"input {name!r}: datatype {datatype!r} is unknown; it is one of {', '.join(DATATYPES)}")
    if type(shape) is not list or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise BadInput(f"input {name!r}: shape must be an array of sizes, such as [1], not {shown(shape)}")
    if len(shape) > MOST_DIMENSIONS:
        raise BadInput(f"input {name!r}: shape has {len(shape)} dimensions; a tensor has at most {MOST_DIMENSIONS}")
    size = _raw_size(name, tensor)
    if size is None:
        return from_json(name, datatype, shape, tensor.get("data")), 0
    if raw is None or at + size > len(raw):
        raise BadInput(
            f"input {name!r}: binary_data_size is {size}, but {0 if raw is None else len(raw) - at} bytes are left; "
            "is the header Inference-Header-Content-Length right?"
        )
    return from_raw(name, datatype, shape, raw[at : at + size]), size


def _raw_size(name: str, tensor: Mapping[str, Any]) -> int | None:
    parameters = tensor.get("parameters")
    if parameters is None:
        return None
    if type(parameters) is not dict:
        raise BadInput(f"input {name!r}: parameters must be an object, not {kind(parameters)}")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise BadInput(f"input {name!r}: binary_data_size must be a number of bytes, not {shown(size)}")
    return size


def _id(document: Mapping[str, Any]) -> str | None:
    told = document.get("id")
    if told is not None and type(told) is not str:
        raise BadInput(f"id must be a string, not {kind(told)}")
    return told


def _want(ask: Ask, wanted: Any, interface: Interface) -> None:
    everything = _flag(ask.parameters, "binary_data_output", False, "parameters")
    if not wanted and (wanted is None or type(wanted) is list):  # "outputs": [] asks for nothing in particular
        ask.raw = frozenset(interface.outputs) if everything else frozenset()
        return
    if type(wanted) is not list or not all(type(w) is dict for w in wanted):
        raise BadInput("'outputs' must be an array of {name}")
    names = [output.get("name") for output in wanted]
    if unknown := [name for name in names if type(name) is not str or name not in interface.outputs]:
        raise BadInput(f"output {shown(unknown[0])} is unknown; the model gives {', '.join(interface.outputs)}")
    ask.outputs = names
    ask.raw = frozenset(output["name"] for output in wanted if _is_raw(output, everything))


def _is_raw(output: Mapping[str, Any], everything: bool) -> bool:
    place = f"output {output['name']!r}: parameters"
    parameters = output.get("parameters")
    if parameters is None:
        return everything
    if type(parameters) is not dict:
        raise BadInput(f"{place} must be an object, not {kind(parameters)}")
    return _flag(parameters, "binary_data", everything, place)


def _flag(parameters: Mapping[str, Any], name: str, default: bool, place: str) -> bool:
    value = parameters.get(name)
    if value is not None and type(value) is not bool:
        raise BadInput(f"{place}.{name} must be true or false, not {kind(value)}")
    return default if value is None else value


def _with_raw(
    ask: Ask, outputs: Mapping[str, np.ndarray], interface: Interface, document: dict[str, Any], wanted: Any
) -> tuple[bytes, int]:
    tensors, tail = [], []
    for name in wanted:
        tensor = {**interface.heads[name], "shape": list(outputs[name].shape)}
        if name in ask.raw:
            tail.append(to_raw(interface.outputs[name], outputs[name]))
            tensor["parameters"] = {**interface.named.get(name, _NOTHING), "binary_data_size": len(tail[-1])}
        else:
            tensor["data"] = outputs[name].ravel().tolist()
        tensors.append(tensor)
    document["outputs"] = tensors
    head = orjson.dumps(document)
    return b"".join((head, *tail)), len(head)


def moment_of(parameters: Mapping[str, Any], latest: float) -> datetime | None:
    """The event time that a request names, if any; it may not lie behind `latest`, in seconds since 1970."""
    if "time" not in parameters:
        return None
    told = parameters["time"]
    try:
        moment = rfc3339(told)
    except ValueError as error:
        raise BadInput(f"parameters.time {shown(told)} {error}") from None
    if moment.timestamp() > latest:
        raise BadInput(
            f"parameters.time {told} lies ahead of this replica's clock by more than it allows; "
            "send when the event happened, or nothing for now"
        )
    return moment
