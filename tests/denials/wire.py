"""A NATS client of few lines: it asks, and hears every refusal with its subject, in order."""

import json
import re
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nkeys

TIMEOUT_S = 10.0
_DENIED = re.compile(rb"Permissions Violation for (Publish|Subscription) to \"([^\"]+)\"")


class Wire:
    """One connection, greeted and signed."""

    def __init__(self, port: int, seed: bytes | None, **claims: Any) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._lines = self._socket.makefile("rb")
        info = json.loads(self._lines.readline().removeprefix(b"INFO "))
        told = {"verbose": False, "pedantic": False, "protocol": 1, "lang": "test", "version": "0", **claims}
        self._say(b"CONNECT " + json.dumps({**told, **_signed(seed, info.get("nonce", ""))}).encode())

    def denied(self, *commands: bytes) -> set[str]:
        """Which subjects of these commands were refused; the rest was taken."""
        self._say(*commands, b"PING")
        return {match[2].decode() for line in self._until_pong() for match in _DENIED.finditer(line)}

    def answer(self) -> bytes:
        """What the server says to a greeting: PONG, or why not."""
        self._say(b"PING")
        return next((line for line in self._until_pong() if line.startswith(b"-ERR")), b"PONG").strip()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def _say(self, *lines: bytes) -> None:
        self._socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def _until_pong(self) -> Iterator[bytes]:
        while (line := self._lines.readline()) and not line.startswith(b"PONG"):
            yield line


@contextmanager
def wire(port: int, seed_file: Path) -> Iterator[Wire]:
    """A connection as the bearer of a seed."""
    opened = Wire(port, seed_file.read_bytes())
    yield opened
    opened.close()


def publishing(subjects: Iterable[str]) -> list[bytes]:
    """Publish nothing much to each."""
    return [f"PUB {subject} 2\r\n{{}}".encode() for subject in subjects]


def subscribing(subjects: Iterable[str]) -> list[bytes]:
    """Listen to each."""
    return [f"SUB {subject} {number}".encode() for number, subject in enumerate(subjects, start=1)]


def _signed(seed: bytes | None, nonce: str) -> dict[str, str]:
    if seed is None:
        return {}
    pair = nkeys.from_seed(bytearray(seed.strip()))
    signature = urlsafe_b64encode(pair.sign(nonce.encode())).rstrip(b"=").decode()
    return {"nkey": bytes(pair.public_key).decode(), "sig": signature}
