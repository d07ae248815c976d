"""When each API key was last used here: kept in a small file, because a replica has no database."""

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from headrace.chassis.auth import Gate
from headrace.chassis.every import Every, chore
from headrace.chassis.key_use import EVERY
from headrace.chassis.paging import Asked
from headrace.chassis.routes import key_page

SCOPE = "keys:read"


class KeyUses:
    """The last use of every key by this replica."""

    def __init__(self, gate: Gate, file: Path) -> None:
        self._gate = gate
        self._file = file
        gate.used = _read(file)
        self._saved = dict(gate.used)

    async def shown(self, authorization: str | None, asked: Asked) -> dict[str, Any]:
        """A page of the keys with their last use here, for a caller who may see them."""
        (await self._gate.admitted(authorization)).must(SCOPE)
        return key_page(self._gate, self._gate.used, asked.cursor, asked.limit).model_dump(mode="json")

    def loop(self) -> Every[Any, None]:
        """The loop that writes down what was noted; a disk that is full is named at `/ready` and stops nothing."""
        return chore(EVERY, lambda _: asyncio.to_thread(self.save), name="key_use", wait_first=True)

    def close(self) -> None:
        """Write down the last uses, where the disk takes them."""
        with suppress(OSError):
            self.save()

    def save(self) -> None:
        """Write down what was noted since the last time; raises OSError where the disk does not take it."""
        noted = dict(self._gate.used)
        if noted == self._saved:
            return
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({key_id: at.isoformat() for key_id, at in noted.items()}))
        draft.replace(self._file)
        self._saved = noted


def _read(file: Path) -> dict[str, datetime]:
    """What was kept; nothing where that cannot be read, for it is no more than a hint to people."""
    try:
        return {str(key_id): datetime.fromisoformat(at) for key_id, at in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
