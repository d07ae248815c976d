"""Own code: how a folder becomes a package. Light: importing this imports the standard library alone."""

from headrace.code.errors import BadPackage

__all__ = ["BadPackage"]
