"""Fitted networks as one safetensors file: the tensors, and the designs as its metadata."""

import json
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from headrace.frameworks.layers import Design
from headrace.frameworks.torch.network import Network
from headrace.runtimes import BadModel

FILE = "model.safetensors"
_DESIGNS = "headrace"  # one entry alone, since the order of several is not kept


def write(networks: Sequence[Network], folder: Path) -> None:
    """Write some networks, one behind the other; equal ones give equal bytes."""
    tensors = {f"{at}.{name}": each for at, one in enumerate(networks) for name, each in one.state_dict().items()}
    designs = json.dumps([each.design.dumps() for each in networks])
    data = safetensors.torch.save({name: each.contiguous() for name, each in tensors.items()}, {_DESIGNS: designs})
    (folder / FILE).write_bytes(data)


def read(folder: Path) -> list[Network]:
    """Read them back; raises BadModel."""
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            designs = [Design.loads(each) for each in json.loads((file.metadata() or {})[_DESIGNS])]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        return [_network(design, at, tensors) for at, design in enumerate(designs)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise BadModel(f"{folder.name}/{FILE} cannot be loaded: {error}") from error


def _network(design: Design, at: int, tensors: dict[str, torch.Tensor]) -> Network:
    network = Network(design)
    begin = f"{at}."
    network.load_state_dict(
        {name.removeprefix(begin): each for name, each in tensors.items() if name.startswith(begin)}
    )
    network.eval()
    return network
