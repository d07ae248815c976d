"""One child process: started, watched, started again later each time it ends, and stopped whole."""

import asyncio
import contextlib
import os
import re
import signal
import time
from pathlib import Path

import httpx
import psutil

from headrace.local.programs import MARK, Program

FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 10.0
ASK_EVERY_S = 0.1
LAST, LONGEST = 200, 300  # lines of a log that are looked at, characters of one that are shown
TELLING = re.compile(r"fatal|error|denied|refused|in use|no space|cannot|failed", re.IGNORECASE)
STEADY_S = 20.0  # a child that ran this long starts again at once when it ends


class Child:
    """A program's process over its restarts."""

    def __init__(self, program: Program, log: Path, folder: Path, temp: Path) -> None:
        self.program = program
        self.restarts = 0
        self._log = log
        self._folder = folder
        self._temp = temp
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the process; its output goes to its log file."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        own = {MARK: str(self._folder.resolve()), "TMPDIR": str(self._temp)}
        environment = {**os.environ, **self.program.environment, **own}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdout=log,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                cwd=self._folder,
                start_new_session=True,
            )

    async def ready(self, wait: float) -> None:
        """Wait until the program answers; raises RuntimeError with the cause in one sentence when it does not."""
        # no certificates: reading them takes longer than the question, and everything is on loopback
        async with httpx.AsyncClient(timeout=2, trust_env=False, verify=False) as client:
            await self._until_it_answers(client, time.monotonic() + wait, wait)

    async def _until_it_answers(self, client: httpx.AsyncClient, deadline: float, wait: float) -> None:
        while not await self._answers(client):
            if self._process is not None and self._process.returncode is not None and self.restarts >= 3:
                raise RuntimeError(f"{self.program.name} ended again and again: {self.cause()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.program.name} was not ready in {wait:.0f} s: {self.cause()}")
            await asyncio.sleep(ASK_EVERY_S)

    async def watch(self, changed: asyncio.Event) -> None:
        """Start the process again whenever it ends by itself."""
        delay = FIRST_DELAY_S
        while not self._stopping:
            started = time.monotonic()
            assert self._process is not None
            await self._process.wait()
            if self._stopping:
                return
            self.restarts += 1
            delay = FIRST_DELAY_S if time.monotonic() - started > STEADY_S else min(LONGEST_DELAY_S, delay * 2)
            await asyncio.sleep(delay)
            await self.start()
            changed.set()

    async def stop(self) -> None:
        """Ask politely, then kill what is left of the process and its children."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        family = _family(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), self.program.stop_s)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        await process.wait()

    def cause(self) -> str:
        """The last line of the log that speaks of an error, else its last; the rest is in the file."""
        try:
            said = self._log.read_text(errors="replace").splitlines()[-LAST:]
        except OSError:
            said = []
        lines = [line.strip() for line in said if line.strip()]
        telling = [line for line in lines if TELLING.search(line)] or lines
        return f"{telling[-1][:LONGEST] if telling else 'it logged nothing'} ({self._log})"

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        program = self.program
        if program.ready_port is not None:
            return await _accepts(program.ready_port)
        try:
            answer = await client.get(program.ready_url or "")
        except httpx.HTTPError:
            return False
        return program.any_answer or answer.is_success


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []
