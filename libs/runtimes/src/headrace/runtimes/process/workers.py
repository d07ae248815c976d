"""The children of one model, and the thread that starts them, anew where one has ended."""

import shutil
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.runtimes.errors import BadAnswer, BadModel, Unavailable
from headrace.runtimes.process.child import Child, Lost, Nonsense, Plan, Reported, deadline_in

MOST_DEATHS = 5  # in a row, before callers are refused at once instead of waiting
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 30.0  # seconds before the second start after a death, and at most


@dataclass(frozen=True)
class Times:
    """Seconds."""

    start: float
    answer: float


class Workers:
    """A number of children. Any thread may ask; who finds none free waits for as long as an answer may take."""

    def __init__(self, plan: Plan, scratch: Path, hello: Mapping[str, Any], count: int, times: Times) -> None:
        """Start them, and wait for the first; raises BadModel where that does not say hello."""
        self._plan, self._scratch, self._hello, self._times = plan, scratch, hello, times
        self._changed = threading.Condition()
        self._free: list[Child] = []
        self._line: deque[Future[Child]] = deque()  # who waits; first come, first served
        self._children: dict[Child, Path] = {}
        self._count = count
        self._deaths = self._started = 0
        self._last = ""
        self._closed = False
        threading.Thread(target=self._supervise, name="process-starter", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._deaths)
            failed = not self._free
        if failed:
            self.close()
            raise BadModel(f"its process does not start: {self._last}")

    def ask(self, batch: Mapping[str, Any]) -> Any:
        """The outputs for a batch; raises Unavailable where no process answers, BadAnswer for what is none."""
        child = self._take()
        try:
            outputs = child.ask(batch, deadline_in(self._times.answer))
        except Reported as error:
            self._give_back(child)
            raise BadAnswer(f"its code failed: {error}") from None
        except Nonsense as error:
            self._bury(child, str(error))
            raise BadAnswer(str(error)) from None
        except Lost as error:
            self._bury(child, str(error))
            raise Unavailable(f"its process was lost, and is started anew: {error}") from None
        except BaseException:
            self._bury(child, "whoever asked it was interrupted")
            raise
        self._give_back(child)
        return outputs

    @property
    def problem(self) -> str | None:
        """Why nothing answers now; None where something does, or soon will."""
        if self._deaths < MOST_DEATHS or any(child.greeted for child in list(self._children)):
            return None
        return f"its process ended {self._deaths} times in a row, and is tried again later: {self._last}"

    @property
    def memory_bytes(self) -> int:
        """What all of them hold in memory."""
        return sum(child.memory_bytes for child in list(self._children))

    def close(self) -> None:
        """End all of them; who waits for an answer gets Unavailable."""
        with self._changed:
            self._closed = True
            children = dict(self._children)
            self._changed.notify_all()
            self._dismiss("it was unloaded")
        for child, scratch in children.items():
            child.kill()
            shutil.rmtree(scratch, ignore_errors=True)

    @property
    def _missing(self) -> int:
        return self._count - len(self._children)

    def _take(self) -> Child:
        """A child that is free; one that ended while nobody asked it is replaced, and nobody the worse for it."""
        until = deadline_in(self._times.answer)
        while True:
            child = self._free_one(max(0.0, until - deadline_in(0)))
            if child.alive:
                return child
            self._bury(child, "it ended while it had nothing to do")

    def _free_one(self, seconds: float) -> Child:
        with self._changed:
            if self._free:
                return self._free.pop()
            if refusal := "it was unloaded" if self._closed else self.problem:
                raise Unavailable(refusal)
            place: Future[Child] = Future()
            self._line.append(place)
        try:
            return place.result(seconds)
        except TimeoutError:
            return self._too_late(place)

    def _too_late(self, place: Future[Child]) -> Child:
        """Leave the line, unless the turn came at this very moment."""
        with self._changed:
            if place.done():
                return place.result()
            self._line.remove(place)
            raise Unavailable(self._waiting())

    def _waiting(self) -> str:
        if self._missing or not all(child.greeted for child in self._children):
            return f"its process is being started anew: {self._last}"
        return f"all of its processes ({self._count}) are busy; it can be declared with more `workers`"

    def _give_back(self, child: Child) -> None:
        with self._changed:
            self._deaths = 0
            self._offer(child)

    def _offer(self, child: Child) -> None:
        """To whoever waits longest; to be said with the lock held."""
        if self._line:
            self._line.popleft().set_result(child)
        else:
            self._free.append(child)
            self._changed.notify_all()

    def _dismiss(self, why: str) -> None:
        """Refuse everybody who waits; to be said with the lock held."""
        while self._line:
            self._line.popleft().set_exception(Unavailable(why))

    def _bury(self, child: Child, why: str) -> None:
        child.kill()
        with self._changed:
            scratch = self._children.pop(child, None)
            self._died(why)
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)

    def _died(self, why: str) -> None:
        """To be said with the lock held."""
        self._deaths += 1
        self._last = why
        self._changed.notify_all()
        if problem := self.problem:
            self._dismiss(problem)

    # the thread that starts them

    def _supervise(self) -> None:
        """Replace what is missing, with growing patience, until closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._missing or self._closed)
                self._changed.wait_for(lambda: self._closed, self._patience())
                if self._closed:
                    return
            self._start()

    def _patience(self) -> float:
        """Nothing after the first death, which may have been a chance; then twice as long each time."""
        return 0.0 if self._deaths < 2 else float(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self._deaths - 2)))

    def _start(self) -> None:
        try:
            child = self._new()
        except OSError as error:
            with self._changed:
                self._died(f"it cannot be started here: {error}")
            return
        try:
            child.greet(self._hello, deadline_in(self._times.start))
        except Lost as error:
            self._bury(child, str(error))
            return
        with self._changed:
            self._offer(child)

    def _new(self) -> Child:
        self._started += 1
        scratch = self._scratch / f"child-{self._started}"
        scratch.mkdir(mode=0o700)
        if self._plan.user is not None:
            shutil.chown(scratch, self._plan.user, self._plan.user)
        child = Child(self._plan, scratch)
        with self._changed:
            self._children[child] = scratch
            closed = self._closed
        if closed:
            child.kill()
        return child
