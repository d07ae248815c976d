"""The children of one model, and the thread that starts them, anew where one has ended."""

import shutil
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from headrace.contracts import Tensor
from headrace.runtimes.errors import BadAnswer, BadModel, Unavailable
from headrace.runtimes.process.answers import Outputs, checked, part_of
from headrace.runtimes.process.child import Child, Lost, Nonsense, Plan, Reported, deadline_in
from headrace.runtimes.process.columns import BATCH_ROWS, Batch, merged

MOST_DEATHS = 5  # in a row, before callers are refused at once instead of waiting
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 30.0  # seconds before the second start after a death, and at most


@dataclass(frozen=True)
class Terms:
    """How many children there are, what they give, and how long they may take."""

    count: int
    outputs: Sequence[Tensor]
    start: float
    """seconds"""
    answer: float
    """seconds"""
    merge: bool
    """Whether rows of several callers may be asked together."""


@dataclass(eq=False)
class _Waiting:
    """A request that waits: for a child of its own, or for its answer among those of another one's batch."""

    batch: Batch
    alone: bool
    told: "Future[Child | Outputs | None]" = field(default_factory=Future)
    """A child to ask; or the outputs; or None, where it was asked with others, and is to be asked again alone."""


class Workers:
    """A number of children. Any thread may ask; who finds none free waits for as long as an answer may take.

    Those that wait are asked together once a child is free, since most of a batch's cost does not depend on its rows.
    Where that fails each is asked again alone, so that nobody's rows can spoil another one's answer.
    """

    def __init__(self, plan: Plan, scratch: Path, hello: Mapping[str, Any], terms: Terms) -> None:
        """Start them, and wait for the first; raises BadModel where that does not say hello."""
        self._plan, self._scratch, self._hello, self._terms = plan, scratch, hello, terms
        self._changed = threading.Condition()
        self._free: list[Child] = []
        self._line: deque[_Waiting] = deque()  # first come, first served
        self._children: dict[Child, Path] = {}
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

    def ask(self, batch: Batch) -> Outputs:
        """The outputs for a batch; raises Unavailable where no process answers, BadAnswer for what is none."""
        told = self._turn(_Waiting(batch, alone=not self._terms.merge))
        if isinstance(told, Child):
            told = self._asked_with_others(told, batch) if self._terms.merge else self._asked(told, batch)
        if told is None:
            told = self._turn(_Waiting(batch, alone=True))
        return self._asked(told, batch) if isinstance(told, Child) else cast("Outputs", told)

    def _asked_with_others(self, child: Child, batch: Batch) -> Outputs | None:
        """Ask for whoever waits as well; None where that fails, and each is to be asked alone."""
        others = self._fellows(batch.rows)
        if not others:
            return self._asked(child, batch)
        try:
            whole = self._asked(child, merged([batch, *(other.batch for other in others)]))
        except BaseException as error:
            for other in others:
                other.told.set_result(None)
            if isinstance(error, BadAnswer | Unavailable):
                return None
            raise
        start = batch.rows
        for other in others:
            other.told.set_result(part_of(whole, start, other.batch.rows))
            start += other.batch.rows
        return part_of(whole, 0, batch.rows)

    def _fellows(self, rows: int) -> list[_Waiting]:
        """Take those out of the line that fit into one batch."""
        found = []
        with self._changed:
            while self._line and not self._line[0].alone and rows + self._line[0].batch.rows <= BATCH_ROWS:
                rows += self._line[0].batch.rows
                found.append(self._line.popleft())
        return found

    def _asked(self, child: Child, batch: Batch) -> Outputs:
        try:
            outputs = child.ask({"rows": batch.rows, "columns": batch.columns}, deadline_in(self._terms.answer))
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
        return checked(outputs, self._terms.outputs, batch.rows)

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
        return self._terms.count - len(self._children)

    def _turn(self, waiting: _Waiting) -> "Child | Outputs | None":
        """What the line has for a request: see `_Waiting`. A child that ended while nobody asked it is replaced."""
        told = self._next(waiting)
        while isinstance(told, Child) and not told.alive:
            self._bury(told, "it ended while it had nothing to do")
            waiting = _Waiting(waiting.batch, waiting.alone)
            told = self._next(waiting)
        return told

    def _next(self, waiting: _Waiting) -> "Child | Outputs | None":
        with self._changed:
            if self._free:
                return self._free.pop()
            if refusal := "it was unloaded" if self._closed else self.problem:
                raise Unavailable(refusal)
            self._line.append(waiting)
        try:
            return waiting.told.result(self._terms.answer)
        except TimeoutError:
            self._leave(waiting)
            return waiting.told.result()

    def _leave(self, waiting: _Waiting) -> None:
        """Leave the line; who is no longer in it is being asked, and will be told."""
        with self._changed:
            if waiting in self._line:
                self._line.remove(waiting)
                raise Unavailable(self._waiting())

    def _waiting(self) -> str:
        if self._missing or not all(child.greeted for child in self._children):
            return f"its process is being started anew: {self._last}"
        return f"all of its processes ({self._terms.count}) are busy; it can be declared with more `workers`"

    def _give_back(self, child: Child) -> None:
        with self._changed:
            self._deaths = 0
            self._offer(child)

    def _offer(self, child: Child) -> None:
        """To whoever waits longest; to be said with the lock held."""
        if self._line:
            self._line.popleft().told.set_result(child)
        else:
            self._free.append(child)
            self._changed.notify_all()

    def _dismiss(self, why: str) -> None:
        """Refuse everybody who waits; to be said with the lock held."""
        while self._line:
            self._line.popleft().told.set_exception(Unavailable(why))

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
            child.greet(self._hello, deadline_in(self._terms.start))
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
