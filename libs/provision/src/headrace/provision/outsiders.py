"""Programs outside that have a name of their own at the broker: added, listed, removed in one file."""

import base64
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import nkeys

from headrace.contracts.broker import Outsider
from headrace.contracts.topology import load_topology
from headrace.provision.secrets import new_seed, public_key, write_private

RELOAD_S = 10.0
_RELOADED, _NOT_RELOADED = "Reloaded server configuration", "Failed to reload"
FILE, SEEDS = "outsiders.json", "outsiders"


class NoOutsider(Exception):
    """A name, key or request that is none; the message says what would be right."""


class NotReloaded(Exception):
    """The broker goes on with what it knew before; the message says why."""


class Outsiders:
    """The outsiders of an installation, in the folder of its nkey seeds. The broker learns of a change on reloading."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> dict[str, Outsider]:
        """Every outsider by name."""
        file = self._folder / FILE
        kept: Mapping[str, Mapping[str, str | list[str]]] = json.loads(file.read_text()) if file.is_file() else {}
        return {name: Outsider(str(each["key"]), tuple(each["may"])) for name, each in kept.items()}

    def add(self, name: str, may: Iterable[str] = (), public: str | None = None) -> Outsider:
        """A new outsider, who may make these requests (`training`, ...; by default all).

        Without its public nkey a seed is made, which `seed` then finds. Raises NoOutsider for a name that is taken.
        """
        known = self.all()
        if name in known:
            raise NoOutsider(f"there is an outsider {name!r} already; remove it first to give it another key")
        if name in load_topology().identities or not load_topology().is_outsider(name):
            raise NoOutsider(f"{name!r} is no name for an outsider: up to 32 of a-z, 0-9, _ and -, and no service's")
        kinds = _kinds(may)
        if public is None:
            write_private(self.seed(name), new_seed())
        known[name] = Outsider(_checked(public) if public else public_key(self.seed(name)), kinds)
        self._write(known)
        return known[name]

    def remove(self, name: str) -> None:
        """Take an outsider away, with its seed; raises NoOutsider where there is none."""
        known = self.all()
        if known.pop(name, None) is None:
            raise NoOutsider(f"there is no outsider {name!r}; there are {', '.join(self.all()) or 'none'}")
        self._write(known)
        self.seed(name).unlink(missing_ok=True)

    def seed(self, name: str) -> Path:
        """Where the seed of an outsider lies, unless it brought a key of its own."""
        return self._folder / SEEDS / f"{name}.nk"

    def _write(self, known: Mapping[str, Outsider]) -> None:
        document = {name: {"key": each.key, "may": list(each.may)} for name, each in sorted(known.items())}
        write_private(self._folder / FILE, json.dumps(document, indent=2))


def reload_broker(pid: int, log: Path) -> None:
    """Let a running broker take its changed configuration; returns when it has, as its log tells.

    It is told twice: the imports of an account that is new find nobody before (nats-server 2.15.1). Raises
    NotReloaded where it does not take the configuration.
    """
    for _ in range(2):
        before = log.stat().st_size
        os.kill(pid, signal.SIGHUP)
        end = time.monotonic() + RELOAD_S
        while not (said := _said_of_reloading(log, before)):
            if time.monotonic() > end:
                raise NotReloaded(f"the broker did not reload within {RELOAD_S:.0f} s; restart it")
            time.sleep(0.02)
        if "Failed" in said:
            raise NotReloaded(f"the broker does not take its configuration: {said}")


def _said_of_reloading(log: Path, since: int) -> str:
    with log.open(errors="replace") as file:
        file.seek(since)
        return next((line.strip() for line in file if _RELOADED in line or _NOT_RELOADED in line), "")


def requests() -> dict[str, str]:
    """What an outsider may be allowed to ask for, and the type of that request."""
    return {kind.split(".")[2]: kind for kind in load_topology().outsiders_may()}


def _kinds(may: Iterable[str]) -> tuple[str, ...]:
    known = requests()
    wanted = list(may) or list(known)
    if unknown := [each for each in wanted if each not in known]:
        raise NoOutsider(f"no outsider may ask for {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[each] for each in dict.fromkeys(wanted))


def _checked(public: str) -> str:
    """A public nkey of a user: its prefix, 32 bytes and their checksum; the broker would not start with another."""
    try:
        raw = base64.b32decode(public)
    except ValueError:
        raw = b""
    whole = len(raw) == 35 and nkeys.crc16(raw[:-2]) == int.from_bytes(raw[-2:], "little")
    if not whole or raw[0] != nkeys.PREFIX_BYTE_USER:
        raise NoOutsider(f"{public!r} is no public nkey of a user; `nk -gen user -pubout` makes one with its seed")
    return public
