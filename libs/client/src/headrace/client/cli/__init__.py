"""The `headrace` command line."""

from headrace.client.cli.app import main

__all__ = ["main"]
