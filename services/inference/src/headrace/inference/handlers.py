"""What a replica hears: `route.changed`, the table of one model that says which versions answer whom."""

from collections.abc import MutableMapping

import structlog

from headrace.bus import RawMessage
from headrace.bus.processor import reason_of
from headrace.inference.model_repository import ModelRepository

log = structlog.get_logger(__name__)


def on_route_changed(message: RawMessage, repository: ModelRepository, degraded: MutableMapping[str, str]) -> None:
    """Take up one table; one that cannot be taken up is named in `degraded`, and stops none of the others."""
    name = f"routes/{message.subject}"
    try:
        repository.apply(message.envelope())
    except Exception as error:
        degraded[name] = f"message {message.seq}: {reason_of(error)}"
        log.error("route_not_understood", subject=message.subject, seq=message.seq, exc_info=error)
    else:
        degraded.pop(name, None)
