"""What must hold where an event has several versions: writers say the newest alone, and every older one is upcast."""

from collections.abc import Iterator

from headrace.contracts.event_versions import named
from headrace.contracts.generate.sources import Sources
from headrace.contracts.upcasters import UPCASTERS


def version_problems(sources: Sources) -> Iterator[str]:
    """What is wrong with the schemas' versions and with who says them; empty where all is well."""
    events, newest = sources.events(), sources.newest()
    listed = {f"headrace.{name}" for name in sources.topology()["events"]}
    for kind in sorted(newest.keys() - listed):
        yield f"{kind}: topology.yaml does not say who says and hears it"
    for kind in sorted(listed - newest.keys()):
        yield f"{kind}: topology.yaml lists it, but it is no newest version of an event"
    for kind in _older(sources):
        following = _following(kind)
        if following not in events:
            yield f"{kind}: there is no {following}; versions follow each other"
        elif events[following]["x-key"] != events[kind]["x-key"]:
            yield f"{following}: its key is {events[following]['x-key']}; the subject's key stays that of {kind}"


def upcaster_problems(sources: Sources) -> Iterator[str]:
    """Which functions in upcasters.py are missing, or upcast nothing; they need the generated classes."""
    older = _older(sources)
    for kind in older:
        if kind not in UPCASTERS:
            yield f"{kind}: upcasters.py has no function that makes {_following(kind)} of it"
    for kind in sorted(UPCASTERS.keys() - set(older)):
        yield f"{kind}: upcasters.py upcasts it, but it is no older version of an event"


def _older(sources: Sources) -> list[str]:
    return sorted(sources.events().keys() - sources.newest().keys())


def _following(kind: str) -> str:
    name, version = named(kind)
    return f"{name}.v{(version or 0) + 1}"
