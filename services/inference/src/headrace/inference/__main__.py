"""`python -m headrace.inference`."""

import os

import structlog
import uvloop

from headrace.chassis.logs import configure_logs
from headrace.chassis.process import allow_many_files
from headrace.inference.server import IDENTITY, serve
from headrace.inference.settings import InferenceSettings

FATAL = 70  # the connection was closed for good: whoever watches the process starts it anew


def main() -> None:
    """Run one replica."""
    settings = InferenceSettings()
    allow_many_files()
    configure_logs(IDENTITY, settings)
    uvloop.run(serve(settings, _die))


def _die(why: str) -> None:
    structlog.get_logger().error("fatal", why=why)
    os._exit(FATAL)


if __name__ == "__main__":
    main()
