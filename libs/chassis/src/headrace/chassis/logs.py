"""Logs: one wide line per message and per request; JSON where no person reads along."""

import logging
import sys
from typing import Any

import structlog

from headrace.chassis.settings import ServiceSettings


def configure_logs(service: str, settings: ServiceSettings) -> None:
    """Send structlog and the standard library's logging through one pipe to standard output."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stdout.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(service),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    ending: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    people: list[Any] = [structlog.dev.ConsoleRenderer()]
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[strip, *(ending if as_json else people)]
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.access", "alembic", "asyncio", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _naming(service: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("service", service)
        return event

    return add
