"""The list of services as a module, for programs that should start without reading YAML."""

from collections.abc import Mapping
from typing import Any

from headrace.contracts.generate.sources import Sources

_ABOUT = '''"""Generated from schemas/topology.yaml by `make schemas`; changes here are lost."""

from collections.abc import Mapping
from typing import Literal

Right = Literal["r", "rw", "rwd"]
'''


def render_services(sources: Sources) -> str:
    """The module: names by kind, ports, and who may touch which bucket."""
    identities: Mapping[str, Mapping[str, Any]] = sources.topology()["identities"]
    ports = {name: spec["port"] for name, spec in identities.items() if "port" in spec}
    access = {name: spec["buckets"] for name, spec in identities.items() if "buckets" in spec}
    buckets = tuple(dict.fromkeys(bucket for rights in access.values() for bucket in rights))
    return "\n".join(
        [
            _ABOUT,
            f"SERVICES = {_names(_of_kind(identities, 'service'))}",
            f"REPLICAS = {_names(_of_kind(identities, 'replica'))}",
            f"BUCKETS = {_names(buckets)}",
            f"PASSING = {_names(_passing(access))}",
            _mapping("PORTS: Mapping[str, int]", ports),
            _mapping("ACCESS: Mapping[str, Mapping[str, Right]]", access),
            "",
        ]
    )


def _passing(access: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The buckets that somebody may remove from: what lies there is kept for a while, and proves nothing."""
    return tuple(dict.fromkeys(each for rights in access.values() for each, right in rights.items() if "d" in right))


def _of_kind(identities: Mapping[str, Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    return tuple(name for name, spec in identities.items() if spec["kind"] == kind)


def _names(names: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def _mapping(name: str, values: Mapping[str, Any]) -> str:
    lines = [f'    "{key}": {_value(value)},' for key, value in values.items()]
    return "\n".join([f"{name} = {{", *lines, "}"])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{key}": "{each}"' for key, each in value.items()) + "}"
    return str(value)
