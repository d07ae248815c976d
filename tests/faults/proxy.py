"""A TCP proxy that is a bad network on demand: slow, cut, silent, or answering errors in the server's place."""

import asyncio
import contextlib
import socket
import struct

from beside import Beside

BLOCK = 1 << 16


class Proxy:
    """Stands before one port. Every change takes effect for the connections there are, and for those to come."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._beside = Beside()
        self._writers: set[asyncio.StreamWriter] = set()
        self.latency = 0.0  # seconds, each way
        self.silent = False  # half-open: what is sent goes nowhere, and nobody is told
        self.answer: bytes | None = None  # said to every new connection instead of asking the server
        self.cut_after: int | None = None  # bytes of one connection after which it is reset
        self.port = self._beside.run(self._listen())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def admits(self, writer: asyncio.StreamWriter) -> bool:
        """Whether whoever dials is let in."""
        return True

    def reset(self) -> None:
        """Reset every connection."""
        self._beside.call(self._reset)

    def heal(self) -> None:
        """A good network again; connections that were broken are reset."""
        self.latency, self.silent, self.answer, self.cut_after = 0.0, False, None, None
        self.reset()

    def close(self) -> None:
        """End."""
        self.reset()
        self._beside.close()

    def _reset(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.admits(writer):
            _abort(writer)
            return
        if self.answer is not None:
            await self._say(reader, writer, self.answer)
            return
        try:
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _abort(writer)
            return
        pair = {writer, ours}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, ours), self._pump(theirs, writer))
        finally:
            self._writers -= pair
            for each in pair:
                with contextlib.suppress(Exception):
                    each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        with contextlib.suppress(ConnectionError, OSError):
            while block := await reader.read(BLOCK):
                if self.latency:
                    await asyncio.sleep(self.latency)
                if self.silent:
                    continue
                passed += len(block)
                if self.cut_after is not None and passed > self.cut_after:
                    self._reset()
                    return
                writer.write(block)
                await writer.drain()
            writer.write_eof()

    @staticmethod
    async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
        with contextlib.suppress(Exception):
            await reader.read(BLOCK)
            writer.write(answer)
            await writer.drain()
            writer.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    """RST, not FIN."""
    with contextlib.suppress(Exception):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(Exception):
        writer.transport.abort()
