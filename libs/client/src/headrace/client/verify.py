"""Verifying the audit log from outside: everything is downloaded and computed again, the server is not trusted.

What is trusted is a key that the caller was given, the checkpoints that this machine has verified before, and those
that were published as events, where the broker can be asked.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from headrace.bus import BrokerAway, Follower, PublishRefused
from headrace.client.addresses import Stack
from headrace.client.errors import HeadraceError, Unreachable
from headrace.client.http import Http
from headrace.client.live import connected
from headrace.client.sdk import Document
from headrace.contracts import CheckpointSigned, ContractError, decode, subject_of
from headrace.tlog import (
    Checkpoint,
    Entry,
    Finding,
    Kept,
    NoteError,
    Past,
    TileId,
    Verdict,
    VerifyingKey,
    check_log,
    decode_messages,
    described,
    unlike,
)
from headrace.tlog.tiles import bundle_path, tile_path

KEY_VARIABLE = "HEADRACE_LOG_KEY"
NO_KEY = (
    "no key to verify with: the one that the service shows proves nothing about the service. Give the log's verifying "
    f"key with --key-file or {KEY_VARIABLE} (one line, name+id+base64). Who runs the log has it beside its signing "
    "key, as audit.pub; GET /key of the audit service shows it, to be compared with what they published."
)


class HttpLog:
    """The audit service's log, read by the paths of C2SP tlog-tiles, and the messages behind it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return (await self._read("/checkpoint")).decode(errors="replace")

    async def tile(self, tile: TileId, width: int) -> bytes:
        """The first `width` hashes of a tile."""
        return await self._present(f"/{tile_path(tile, width)}")

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of `width` entries."""
        return await self._present(f"/{bundle_path(number, width)}")

    async def messages(self, start: int, entries: Sequence[bytes]) -> list[Finding]:
        """Compare the stored messages with the entries that stand for them, from the index `start` on."""
        found: list[Finding] = []
        end = start + len(entries)
        while start < end:
            try:
                kept = decode_messages(await self._present(f"/messages?from={start}&to={end}"))
            except ValueError as error:
                return [*found, Finding("event", str(start), f"{end - start} messages", str(error))]
            found += _unlike(start, entries[len(entries) - (end - start) :], kept)
            start += len(kept)
        return found

    async def _present(self, path: str) -> bytes:
        """What the log must hold; ValueError with the service's words where it does not."""
        try:
            return await self._read(path)
        except HeadraceError as error:
            raise ValueError(str(error)) from error

    async def _read(self, path: str) -> bytes:
        answer = await asyncio.to_thread(self._http.request, "GET", "audit", path)
        return answer.content


def _unlike(start: int, entries: Sequence[bytes], kept: Sequence[Kept]) -> list[Finding]:
    if not kept:
        raise ValueError("the service sent no message")
    found = []
    for index, (raw, message) in enumerate(zip(entries, kept, strict=False), start):
        try:
            entry = Entry.decode(raw)
        except (ValueError, TypeError):
            continue  # named as an entry that is none
        for name, recorded, sent in unlike(entry, message):
            found.append(Finding("event", f"{described(index, entry)}, its {name}", recorded, sent))
    return found


def verify(http: Http, key: str | None = None) -> Document:
    """Check the whole log, against a key that was given and against every checkpoint that is known from elsewhere.

    `key` is the log's verifying key in its one-line form; default: HEADRACE_LOG_KEY, else the one beside the stack's
    own files on this machine. Never the one that the service shows. Raises HeadraceError without a key.

    Answers {whole, entries, root, size, tiles, checkpoints, late, key, compared, findings}; `whole` is false where
    anything does not fit, here or by the service's own check, and `findings` says where; `compared` says with which
    checkpoints the log was compared.
    A verified head is remembered: a later log must continue it.
    """
    stack = http.stack
    trusted = _trusted(key or os.environ.get(KEY_VARIABLE) or stack.log_key)
    memory = Memory(trusted)
    verdict, compared = asyncio.run(_check(HttpLog(http), stack, trusted, memory))
    verdict.findings += _found_by_the_service(http, verdict)
    if verdict.ok:
        memory.keep(verdict.head)
    return _document(verdict, trusted, compared)


def _found_by_the_service(http: Http, verdict: Verdict) -> list[Finding]:
    """What only the service sees of its log: the columns that it searches by, the copies in its bucket.

    A service that lies can make a whole log look bad by this, never a bad one whole.
    """
    told = [Finding(**each) for each in http.json("GET", "audit", "/verify")["findings"]]
    known = {(each.what, each.where) for each in verdict.findings}
    return [each for each in told if (each.what, each.where) not in known]


def _trusted(text: str | None) -> VerifyingKey:
    if text is None:
        raise HeadraceError(NO_KEY)
    try:
        return VerifyingKey.parse(text)
    except NoteError as error:
        raise HeadraceError(f"the log's key is not usable: {error}") from error


async def _check(
    log: HttpLog, stack: Stack, key: VerifyingKey, memory: "Memory"
) -> tuple[Verdict, dict[str, int | str]]:
    remembered = memory.known()
    published: list[Past] = []
    compared: dict[str, int | str] = {"remembered": len(remembered)}
    try:
        published = [past async for past in in_events(stack, key.name)]
        compared["EVENTS"] = len(published)
    except (BrokerAway, PublishRefused, Unreachable) as error:
        compared["EVENTS"] = f"not compared: {error}"
    history = [*remembered, *published]
    return await check_log(log, key, history=history, check_entries=log.messages), compared


async def in_events(stack: Stack, origin: str) -> AsyncIterator[Past]:
    """Every checkpoint that was said as an event; raises BrokerAway where no broker is known or answers."""
    if stack.nats_url is None:
        raise BrokerAway("no broker is known here")
    async with AsyncExitStack() as open_:
        connection = await open_.enter_async_context(connected(stack))
        follower = Follower(connection, "EVENTS", subject_of(CheckpointSigned, origin), start="all")
        await open_.enter_async_context(follower)
        async for message in follower.until_caught_up():
            if (checkpoint := _checkpoint(message.data)) is not None:
                yield Past(checkpoint, f"EVENTS {message.seq}")


def _checkpoint(body: bytes) -> Checkpoint | None:
    try:
        event = decode(body).data
        return Checkpoint.parse(event.checkpoint) if isinstance(event, CheckpointSigned) else None
    except (ContractError, NoteError):
        return None


class Memory:
    """The newest head that this user has verified, by key; in HEADRACE_STATE, or the user's state folder."""

    def __init__(self, key: VerifyingKey) -> None:
        base = os.environ.get("HEADRACE_STATE") or os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        name = hashlib.sha256(str(key).encode()).hexdigest()[:16]
        self._file = Path(base) / "headrace" / "logs" / f"{name}.json"
        self._key = key

    def known(self) -> list[Past]:
        """What is remembered; nothing at the first time, or where the file was damaged."""
        try:
            note = json.loads(self._file.read_text())["checkpoint"]
            return [Past(Checkpoint.open(note, self._key), "verified here before")]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return []

    def keep(self, note: str) -> None:
        """Remember a verified head; a machine that cannot write only forgets."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps({"key": str(self._key), "checkpoint": note}) + "\n")
            draft.replace(self._file)
        except OSError:
            return


def _document(verdict: Verdict, key: VerifyingKey, compared: dict[str, int | str]) -> Document:
    return {
        "whole": verdict.ok,
        "entries": verdict.entries,
        "size": verdict.size,
        "root": verdict.root,
        "tiles": verdict.tiles,
        "checkpoints": verdict.checkpoints,
        "late": verdict.late,
        "key": str(key),
        "compared": compared,
        "findings": [asdict(finding) for finding in verdict.findings],
    }
