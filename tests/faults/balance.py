"""Two inference replicas behind one port, as a load balancer has them: who is not ready gets no new connection."""

import asyncio
import contextlib
import threading
import time

import httpx
from beside import Beside
from rig import Rig
from story import Story

from headrace.testkit.ports import free_ports

SECOND = "inference-2"


class Balancer:
    """A TCP balancer that looks at readiness every tenth of a second, and a caller that asks all the time."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._ready: list[int] = []
        self._turn = 0
        self._stop = threading.Event()
        self.asked, self.failed = 0, list[str]()

    def __enter__(self) -> "Balancer":
        first = self._rig.programs["inference"]
        port = free_ports(1)[0]
        told = {**first.environment, "HEADRACE_HTTP_PORT": str(port), "HEADRACE_REPLICA": SECOND}
        told["HEADRACE_CACHE_DIR"] = f"{first.environment['HEADRACE_CACHE_DIR']}-2"
        url = f"http://127.0.0.1:{port}/v2/health/ready"
        self._rig.programs[SECOND] = type(first)(SECOND, first.command, told, ready_url=url)
        self._ports = {"inference": self._rig.layout.port("inference"), SECOND: port}
        self._rig.start(SECOND)
        self._rig.ready(SECOND)
        self._beside = Beside()
        self.port = self._beside.run(self._listen())
        self._rig.until(lambda: len(self._ready) == 2, "both replicas are ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.close()
        if SECOND in self._rig.processes:
            self._rig.stop(SECOND)

    def asking(self, story: Story) -> None:
        """Ask one row again and again through the balancer, a new connection each time."""
        row = {name: [story.frame[name].iloc[0].item()] for name in ("mean_radius", "mean_texture")}
        row |= {name: [story.frame[name].iloc[0].item()] for name in ("mean_smoothness", "mean_concavity")}
        inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": v} for n, v in row.items()]
        url = f"http://127.0.0.1:{self.port}/v2/models/{story.name}/infer"

        def ask() -> None:
            client = httpx.Client(headers={**self._rig.headers, "Connection": "close"}, timeout=10, verify=False)
            while not self._stop.is_set():
                self.asked += 1
                try:
                    answer = client.post(url, json={"inputs": inputs})
                    if answer.status_code != 200:
                        self.failed.append(f"{answer.status_code}: {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                time.sleep(0.01)

        self._asking = threading.Thread(target=ask, daemon=True)
        self._asking.start()

    def roll(self) -> None:
        """Restart one replica after the other, as a deployment does: the next when the first is ready again."""
        for name in self._ports:
            self._rig.stop(name)
            self._rig.start(name)
            self._rig.ready(name)
            self._rig.until(lambda: len(self._ready) == 2, "both replicas are ready")

    def stop(self) -> tuple[int, list[str]]:
        """Ask no more; returns how often was asked, and what failed."""
        self._stop.set()
        self._asking.join(15)
        return self.asked, self.failed

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._looking = asyncio.create_task(self._look())
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _look(self) -> None:
        async with httpx.AsyncClient(timeout=1, verify=False) as client:
            while True:
                ready = []
                for port in self._ports.values():
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(f"http://127.0.0.1:{port}/v2/health/ready")).is_success:
                            ready.append(port)
                self._ready = ready
                await asyncio.sleep(0.1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect()
        if upstream is None:
            writer.close()
            return
        theirs, ours = upstream
        await asyncio.gather(self._pump(reader, ours), self._pump(theirs, writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """To the next replica that takes connections; a refused one is no failed request."""
        for _ in range(20):
            for _ in self._ready:
                self._turn += 1
                port = self._ready[self._turn % len(self._ready)] if self._ready else 0
                with contextlib.suppress(OSError):
                    return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
        return None

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        with contextlib.suppress(Exception):
            writer.close()
