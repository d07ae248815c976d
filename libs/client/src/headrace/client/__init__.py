"""The typed SDK: what programs outside use to reach a stack."""

from headrace.client.addresses import Stack, find_stack
from headrace.client.errors import HeadraceError, NoStack, Rejected, TimedOut, Unreachable
from headrace.client.sdk import Client
from headrace.client.uris import ModelUri

__all__ = [
    "Client",
    "HeadraceError",
    "ModelUri",
    "NoStack",
    "Rejected",
    "Stack",
    "TimedOut",
    "Unreachable",
    "find_stack",
]
