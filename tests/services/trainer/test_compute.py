"""The trainer's way to Ray: a driver that is launched, lost, launched again, and asked."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from headrace.testkit import eventually
from headrace.testkit.ports import free_ports
from headrace.trainer.compute import ComputeAway, RayCompute
from headrace.trainer.driver_process import DriverProcess
from headrace.trainer.settings import TrainerSettings

NODE = {"cpus": 4.0, "gpus": 1.0}


class Scripted:
    """A driver without Ray, on a real socket: it has one node and no jobs, and says first what `before` holds."""

    def __init__(self, before: bytes = b"") -> None:
        self.alive = True
        self.hung_up = False
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self._before = before
        self._serving: asyncio.Task[None]

    async def launch(self, config: str, environment: Mapping[str, str]) -> "Scripted":
        """Open both ends."""
        ours, theirs = socket.socketpair()
        self.reader, self.writer = await asyncio.open_connection(sock=ours)
        self._serving = asyncio.create_task(self._serve(*await asyncio.open_connection(sock=theirs)))
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._before)
        while line := await reader.readline():
            asked = json.loads(line)
            result = {"nodes": [NODE], "jobs": {}}.get(asked["call"])
            writer.write(json.dumps({"id": asked["id"], "result": result}).encode() + b"\n")
        writer.close()

    def kill(self) -> None:
        """Be gone."""
        self.alive = False
        self.writer.close()

    async def ended(self) -> None:
        """At once."""

    async def hang_up(self) -> None:
        """In order."""
        self.hung_up = True
        self.writer.close()


async def unreachable(config: str, environment: Mapping[str, str]) -> Any:
    """No Ray there."""
    raise ConnectionRefusedError("nobody listens")


def compute(launch: Any) -> RayCompute:
    """As the trainer has it, with another way to a driver."""
    return RayCompute(TrainerSettings(ray_address="127.0.0.1:9").ray, "{}", launch)


async def test_what_waits_is_woken_when_ray_can_be_reached() -> None:
    """A run that was queued before is given to a worker at once, not at the next look."""
    ray, runtime = compute(Scripted().launch), SimpleNamespace(degraded={})
    with pytest.raises(ComputeAway, match="not connected"):
        await ray.nodes()
    assert not ray.wake.is_set()

    await ray.keep(runtime)

    assert ray.wake.is_set()
    assert [(node.cpus, node.gpus) for node in await ray.nodes()] == [(4.0, 1.0)]
    assert await ray.jobs() == {}


async def test_an_answer_to_an_earlier_call_is_passed_over() -> None:
    """Its caller was cancelled while it waited."""
    ray = compute(Scripted(before=b'{"id": 99, "result": [{"cpus": 64, "gpus": 0}]}\n').launch)
    await ray.keep(SimpleNamespace(degraded={}))

    assert [node.cpus for node in await ray.nodes()] == [4.0]


async def test_a_driver_that_ended_is_followed_by_another() -> None:
    """Found by a call that gets no answer; calls fail at once until the next one is there."""
    drivers = [Scripted(), Scripted()]
    ready, runtime = iter(drivers), SimpleNamespace(degraded={})

    async def launch(config: str, environment: Mapping[str, str]) -> Scripted:
        return await next(ready).launch(config, environment)

    async with compute(launch) as ray:
        await ray.keep(runtime)
        drivers[0].kill()
        with pytest.raises(ComputeAway, match="did not answer 'nodes'"):
            await ray.nodes()
        with pytest.raises(ComputeAway, match="not connected"):
            await ray.nodes()
        await ray.keep(runtime)
        assert len(await ray.nodes()) == 1
        assert runtime.degraded == {}

    assert (drivers[0].hung_up, drivers[1].hung_up) == (False, True)


async def test_ray_that_is_away_again_and_again_is_named() -> None:
    """Once or twice it may be somebody who restarts it."""
    ray, runtime = compute(unreachable), SimpleNamespace(degraded={})

    for _ in range(4):
        assert "ray" not in runtime.degraded
        with pytest.raises(ComputeAway, match="cannot be reached: nobody listens"):
            await ray.keep(runtime)

    assert "ended 3 times" in runtime.degraded["ray"]


def children() -> set[psutil.Process]:
    """The processes that this one has started."""
    return set(psutil.Process(os.getpid()).children())


async def test_a_launch_that_is_given_up_leaves_no_process() -> None:
    """The trainer is stopped while its driver still looks for Ray."""
    away = TrainerSettings(ray_address=f"127.0.0.1:{free_ports(1)[0]}").ray
    before = children()
    launching = asyncio.create_task(DriverProcess.launch(away.gateway_config("{}"), away.environment()))
    started = await eventually(lambda: children() - before)

    launching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await launching
    assert [process for process in started if process.is_running()] == []
