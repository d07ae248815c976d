"""The `headrace` command line."""

from headrace.cli.app import main

__all__ = ["main"]
