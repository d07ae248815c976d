"""Ray's driver as the trainer holds it: a child process at the other end of a socket."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, Self

_LINE = 64 << 20  # bytes of one answer; a report of the longest run is far below
_END_WITHIN = 10.0  # seconds to hang up; a Ray of its own takes two

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Driver(Protocol):
    """A connected Ray driver that takes calls on `reader` and `writer`; see `ray_driver`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def alive(self) -> bool:
        """Whether its process runs."""

    def kill(self) -> None:
        """End it at once. Workers stay."""

    async def ended(self) -> None:
        """Wait until its process has ended."""

    async def hang_up(self) -> None:
        """Let it end in order. A Ray of its own ends with it; any other keeps the workers at work."""


Launch = Callable[[str, Mapping[str, str]], Awaitable[Driver]]  # with its configuration, a line, and its environment


class DriverProcess:
    """`python -m headrace.trainer.ray_driver`."""

    def __init__(self, process: asyncio.subprocess.Process, streams: Streams) -> None:
        self._process = process
        self.reader, self.writer = streams

    @classmethod
    async def launch(cls, config: str, environment: Mapping[str, str]) -> Self:
        """Start the process and wait until it is connected with Ray; the caller limits the time."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "headrace.trainer.ray_driver", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is the trainer's, which then hangs up
            )
        try:
            return cls(process, await _connected(ours, config))
        except BaseException:  # a trainer that is stopped meanwhile, too
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    def kill(self) -> None:
        """End the process at once."""
        if self.alive:
            self._process.kill()
        self.writer.close()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    async def hang_up(self) -> None:
        """Give it a moment to end in order."""
        self.writer.close()
        try:
            async with asyncio.timeout(_END_WITHIN):
                await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()


async def _connected(ours: socket.socket, config: str) -> Streams:
    """The streams to a driver that says that it is connected with Ray."""
    reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE)
    writer.write(config.encode() + b"\n")
    json.loads(await reader.readuntil(b"\n"))
    return reader, writer
