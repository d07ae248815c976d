"""Verifying the audit log from outside: everything is downloaded and computed again, the server is not trusted."""

import asyncio
from dataclasses import asdict

from headrace.client.errors import HeadraceError
from headrace.client.http import Http
from headrace.client.sdk import Document
from headrace.tlog import NoteError, TileId, Verdict, VerifyingKey, check_log
from headrace.tlog.tiles import bundle_path, tile_path


class HttpLog:
    """The audit service's log, read by the paths of C2SP tlog-tiles."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return (await self._read("/checkpoint")).decode()

    async def tile(self, tile: TileId, width: int) -> bytes:
        """The first `width` hashes of a tile."""
        return await self._read(f"/{tile_path(tile, width)}")

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of `width` entries."""
        return await self._read(f"/{bundle_path(number, width)}")

    async def _read(self, path: str) -> bytes:
        answer = await asyncio.to_thread(self._http.request, "GET", "audit", path)
        return answer.content


def verify(http: Http, key: str | None = None) -> Document:
    """Check the whole log against `key` (its verifying key's one-line form; default: what the service shows).

    Answers {whole, entries, root, size, tiles, checkpoints, key, findings}; `whole` is false where anything does
    not fit, and `findings` says where.
    """
    text = key or http.request("GET", "audit", "/key").text
    try:
        trusted = VerifyingKey.parse(text)
    except NoteError as error:
        raise HeadraceError(f"the log's key is not usable: {error}") from error
    verdict = asyncio.run(check_log(HttpLog(http), trusted))
    return _document(verdict, trusted)


def _document(verdict: Verdict, key: VerifyingKey) -> Document:
    return {
        "whole": verdict.ok,
        "entries": verdict.entries,
        "size": verdict.size,
        "root": verdict.root,
        "tiles": verdict.tiles,
        "checkpoints": verdict.checkpoints,
        "key": str(key),
        "findings": [asdict(finding) for finding in verdict.findings],
    }
