"""Ray, seen from the trainer: jobs that are begun, asked after and let go, whatever happens to Ray meanwhile."""

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from headrace.bus import RetryPolicy
from headrace.chassis import Every, Runtime, chore
from headrace.trainer.driver_process import Driver, DriverProcess, Launch
from headrace.trainer.resources import Size
from headrace.trainer.settings import RaySettings
from headrace.trainer.worker.jobs import AnyJob, Report, Step

log = structlog.get_logger(__name__)

_START_WITHIN = 120.0  # seconds for Ray to start or answer; 5 s on an idle machine
_ANSWER_WITHIN = 30.0  # seconds for one call; they take milliseconds while Ray is well
_AGAIN_AFTER = timedelta(seconds=1)  # between two looks whether the Ray driver lives
_LONGEST_WAIT = timedelta(seconds=5)  # between two tries to reach Ray
_LATELY, _OFTEN = 600.0, 3  # within so many seconds Ray may end once or twice, when somebody restarts it


class ComputeAway(Exception):
    """Ray cannot be reached now; runs go on, and are asked after again."""


class Lost(BaseModel):
    """A job whose worker is gone, with all that it had told."""

    model_config = ConfigDict(frozen=True)

    job: str
    reason: str
    memory: bool
    steps: tuple[Step, ...] = ()
    first: int = 0


class RayCompute(AbstractAsyncContextManager["RayCompute"]):
    """Ray by a driver in a process of its own, which is launched again whenever it ends."""

    def __init__(self, settings: RaySettings, objects: str, launch: Launch = DriverProcess.launch) -> None:
        self._settings = settings
        self._config = settings.gateway_config(objects)
        self._launch = launch
        self._driver: Driver | None = None
        self._numbers = itertools.count(1)
        self._one_call = asyncio.Lock()
        self._ends: deque[float] = deque(maxlen=100)
        self.ready = asyncio.Event()
        self.wake = asyncio.Event()  # set when Ray can be reached: runs may wait for it

    async def __aexit__(self, *_: object) -> None:
        """Hang up. A local Ray ends with its Ray driver; any other keeps the workers at work."""
        self.ready.clear()
        if self._driver is not None:
            await self._driver.hang_up()

    def loop(self) -> Every[Runtime, None]:
        """Keep the Ray driver alive while the trainer lives. Workers outlive both."""
        retry_policy = RetryPolicy(longest_delay=_LONGEST_WAIT, longest=timedelta(seconds=2 * _START_WITHIN))
        return chore(_AGAIN_AFTER, self.keep, name="ray", retry_policy=retry_policy)

    async def keep(self, runtime: Runtime) -> None:
        """Start the Ray driver where it is not there; raises ComputeAway where it cannot be started."""
        if self._driver is not None and self._driver.alive and self.ready.is_set():
            self._note_ends(runtime)
            return
        if self._driver is not None:
            self._kill()
            await self._driver.ended()
            self._driver = None
            self._ends.append(time.monotonic())
        self._note_ends(runtime)
        await self._connect()

    def _note_ends(self, runtime: Runtime) -> None:
        """Say so where Ray ends again and again, though it can be started each time."""
        lately = [at for at in self._ends if time.monotonic() - at < _LATELY]
        runtime.degraded.pop("ray", None)
        if len(lately) >= _OFTEN:
            runtime.degraded["ray"] = f"it has ended {len(lately)} times within {_LATELY / 60:.0f} minutes; see its log"

    async def jobs(self) -> Mapping[str, Report | Lost]:
        """What every worker with a job says."""
        found = await self._call("jobs")
        return {job: _heard(job, said) for job, said in found.items()}

    async def nodes(self) -> list[Size]:
        """What every node of the cluster has."""
        return [Size.of(**node) for node in await self._call("nodes")]

    async def begin(
        self,
        name: str,
        job: AnyJob,
        size: Size = Size(),  # noqa: B008  it is frozen
    ) -> None:
        """Start a job. To begin it again changes nothing while a worker has it."""
        asked = {"cpus": size.cpus, "gpus": size.gpus, "custom": dict(size.custom)}
        await self._call("begin", job=name, spec=job.model_dump_json(), **asked)

    async def ask(self, name: str, *, checkpoint: bool) -> None:
        """Ask what runs for a job to make a checkpoint soon, or no longer."""
        await self._call("ask", job=name, checkpoint=checkpoint)

    async def release(self, name: str) -> None:
        """Forget a finished job, or kill one that runs."""
        await self._call("release", job=name)

    async def stop_workers(self) -> None:
        """Kill all workers, also those that would outlive the trainer."""
        await self._call("stop")

    async def _call(self, call: str, **arguments: Any) -> Any:
        if not self.ready.is_set():
            raise ComputeAway("Ray is not connected")
        async with self._one_call:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN):
                    return await self._ask(call, arguments)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, json.JSONDecodeError) as error:
                self._kill()
                raise ComputeAway(f"Ray did not answer {call!r}: {error or type(error).__name__}") from error

    async def _ask(self, call: str, arguments: Mapping[str, Any]) -> Any:
        if self._driver is None:
            raise ConnectionError("the Ray driver is gone")
        number = next(self._numbers)
        self._driver.writer.write(json.dumps({"id": number, "call": call, "with": arguments}).encode() + b"\n")
        await self._driver.writer.drain()
        return await _answer(self._driver, number)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_START_WITHIN):
                self._driver = await self._launch(self._config, self._settings.environment())
        except (OSError, TimeoutError, asyncio.IncompleteReadError, json.JSONDecodeError) as error:
            self._ends.append(time.monotonic())
            raise ComputeAway(f"Ray cannot be reached: {error or type(error).__name__}") from error
        self.ready.set()
        self.wake.set()
        log.info("compute_ready", address=self._settings.address or "local")

    def _kill(self) -> None:
        self.ready.clear()
        if self._driver is not None:
            self._driver.kill()


async def _answer(driver: Driver, number: int) -> Any:
    """The answer to a call; one to an earlier call, whose caller was cancelled, is passed over."""
    async for line in driver.reader:
        answer = json.loads(line)
        if answer["id"] == number:
            return answer["result"]
    raise ConnectionError("the Ray driver is gone")


def _heard(job: str, said: Mapping[str, Any]) -> Report | Lost:
    """One job's report; one that cannot be read is a job that is lost, and no hindrance to the others."""
    try:
        if "lost" in said:
            return Lost(job=job, reason=said["lost"], memory=said["memory"])
        return Report.model_validate(said)
    except (ValidationError, KeyError, TypeError) as error:
        return Lost(job=job, reason=f"its report cannot be read: {type(error).__name__}: {error}"[:500], memory=False)
