"""The compose file as an engine would read it when nothing is set."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.contracts import services

ROOT = Path(__file__).parents[3]
SERVICES = sorted(services.SERVICES)
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
Compose = dict[str, Any]


def interpolated(text: str) -> str:
    """Every ${NAME:-default} as its default."""
    return VARIABLE.sub(lambda found: found[2] or "", text)


def load() -> Compose:
    """The whole file."""
    document: Compose = yaml.safe_load(interpolated((ROOT / "docker-compose.yml").read_text()))
    return document


COMPOSE = load()
CONTAINERS: dict[str, Compose] = COMPOSE["services"]
JOBS = sorted(name for name, each in CONTAINERS.items() if each["restart"] == "no")
LASTING = sorted(CONTAINERS.keys() - set(JOBS))
REPLICAS = sorted(name for name in CONTAINERS if name.startswith("inference-"))


def mounts(name: str) -> dict[str, tuple[str, bool]]:
    """What a container mounts: by volume or path, where, and whether it may write there."""
    parts = [each.split(":") for each in CONTAINERS[name].get("volumes", ())]
    return {source: (target, "ro" not in rest) for source, target, *rest in parts}


def ports(name: str) -> list[tuple[str, int]]:
    """What a container publishes: on which address and port of the machine."""
    parts = [each.split(":") for each in CONTAINERS[name].get("ports", ())]
    return [(address, int(port)) for address, port, _ in parts]


@pytest.fixture
def compose() -> Compose:
    """The whole file."""
    return COMPOSE
