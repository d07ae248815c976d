"""Checkpoints of a run of own code in the object store: written as they are made, found again by the next attempt.

Each is a folder of objects, and beside it a manifest with the digest of every file, which is written last: what has
no manifest, or is not what its manifest says, is no checkpoint. Only the newest few are kept.
"""

import hashlib
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from headrace.contracts import Artifact, CheckpointRef, ObjectRef
from headrace.frameworks import Resumed, Said
from headrace.objects import Corrupt, Denied, Missing, ObjectError, StoreAway, SyncObjectStore
from headrace.trainer.worker.jobs import Checkpointed, TrainJob

BUCKET = "checkpoints"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0  # between tries while the store is away
_LAST_WORDS_S = 10.0  # for what still waits to be stored when the program has ended
_SUFFIX = ".json"


class Manifest(BaseModel):
    """What a checkpoint is: its files with their digests, and what its code said of it."""

    model_config = ConfigDict(frozen=True)

    step: int
    metrics: dict[str, float]
    files: Artifact


@dataclass(frozen=True)
class Found:
    """What an attempt goes on from, and what of later checkpoints could not be used, in words."""

    checkpoint: CheckpointRef | None = None
    resumed: Resumed | None = None
    damaged: Sequence[str] = ()
    earlier: Sequence[CheckpointRef] = ()
    """What else is kept, oldest first."""


@dataclass(frozen=True)
class Place:
    """Where the checkpoints of a run lie."""

    store: SyncObjectStore
    prefix: str
    """Of all keys of the run."""

    @classmethod
    def of(cls, job: TrainJob, store: SyncObjectStore) -> Self:
        """That of a job's run."""
        return cls(store, prefix_of(job.model, job.run))

    def names(self) -> tuple[list[str], list[str]]:
        """The checkpoints that have a manifest, oldest first, and what was begun and has none."""
        keys = [each.key.removeprefix(self.prefix) for each in self.store.list(BUCKET, self.prefix)]
        whole = {key.removesuffix(_SUFFIX) for key in keys if "/" not in key}
        return sorted(whole), sorted({key.partition("/")[0] for key in keys if "/" in key} - whole)

    def write(self, name: str, folder: Path, said: Said) -> CheckpointRef:
        """Store a folder; its manifest comes last."""
        files = self.store.put_directory(BUCKET, folder, prefix=f"{self.prefix}{name}")
        manifest = Manifest(step=said.step, metrics=dict(said.metrics), files=files)
        data = manifest.model_dump_json(exclude_none=True).encode()
        self.store.put(BUCKET, data, key=self._key(name), content_type="application/json")
        return self._described(name, manifest, data)

    def read(self, name: str, to: Path) -> CheckpointRef:
        """Fetch a checkpoint, every file verified; raises Corrupt, Missing."""
        manifest, data = self._manifest(name)
        to.mkdir(parents=True, exist_ok=True)
        self.store.get_directory(manifest.files, to)
        return self._described(name, manifest, data)

    def described(self, name: str) -> CheckpointRef:
        """A checkpoint as its manifest has it, its files unseen; raises Corrupt, Missing."""
        return self._described(name, *self._manifest(name))

    def _manifest(self, name: str) -> tuple[Manifest, bytes]:
        data = b"".join(self.store.read(BUCKET, self._key(name)))
        try:
            return Manifest.model_validate_json(data), data
        except ValidationError as error:
            raise Corrupt(f"its manifest cannot be read: {error.errors()[0]['msg']}") from error

    def remove(self, name: str) -> None:
        """Remove a checkpoint with all that it has."""
        files = [each.key for each in self.store.list(BUCKET, f"{self.prefix}{name}/")]
        for key in in_order_of_removal([*files, self._key(name)], self.prefix):
            self.store.remove(BUCKET, key)

    def _key(self, name: str) -> str:
        return f"{self.prefix}{name}{_SUFFIX}"

    def _described(self, name: str, manifest: Manifest, data: bytes) -> CheckpointRef:
        digest = hashlib.sha256(data).hexdigest()
        place = ObjectRef(bucket=self.store.bucket(BUCKET), key=self._key(name), size=len(data), sha256=digest)
        return CheckpointRef(
            name=name,
            step=manifest.step,
            digest=manifest.files.digest,
            size=manifest.files.size,
            metrics=manifest.metrics or None,
            manifest=place,
        )


def prefix_of(model: str, run: str) -> str:
    """How the keys of all checkpoints of a run begin."""
    return f"{model}/{run}/"


def in_order_of_removal(keys: Sequence[str], prefix: str) -> list[str]:
    """Manifests first, so that half of a checkpoint is never taken for a whole one."""
    return sorted(keys, key=lambda key: ("/" in key.removeprefix(prefix), key))


class Checkpoints:
    """The checkpoints of one attempt: stored one after the other while its program goes on.

    While the store is away the newest ones wait here, as many as would be kept; older ones go, as they would there.
    """

    def __init__(
        self,
        place: Place,
        attempt: int,
        most: int,
        tell: Callable[[Checkpointed], None],
        warn: Callable[[str], None],
    ) -> None:
        self._place, self._attempt, self._most = place, attempt, most
        self._tell, self._warn = tell, warn
        self._number = 0
        self._kept: list[str] = []
        self._useless: list[str] = []
        self._waiting: deque[tuple[Path, Said]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = self._over = self._away = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what waits, for a while; nothing is told afterwards, since the worker may have another job then."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS_S)
        with self._changed:
            for _, said in self._waiting:
                self._warn(f"the checkpoint of step {said.step} is not kept: the run has ended before it was stored")
            self._over = True

    def resume(self, to: Path) -> Found:
        """Fetch the newest checkpoint of earlier attempts that is whole; what is damaged is passed over, and told.

        Raises StoreAway: to begin anew because the store is away would lose what is there.
        """
        try:
            self._kept, self._useless = self._place.names()
        except (Missing, Denied) as error:
            return Found(damaged=[f"checkpoints cannot be kept: {error}"])
        self._number = self._next_number()
        damaged = []
        while self._kept:
            name = self._kept[-1]
            try:
                found = self._place.read(name, to)
            except (Corrupt, Missing) as error:
                shutil.rmtree(to, ignore_errors=True)
                self._useless.append(self._kept.pop())
                damaged.append(f"checkpoint {name} is damaged and was passed over: {error}")
            else:
                return Found(found, Resumed(to, found.step, found.metrics or {}), damaged, [*self._earlier()])
        return Found(damaged=damaged)

    def _earlier(self) -> Iterator[CheckpointRef]:
        for name in self._kept[:-1]:
            with suppress(Corrupt, Missing):
                yield self._place.described(name)

    def keep(self, folder: Path, said: Said) -> None:
        """Take over a folder with a copy of a checkpoint, to be stored next."""
        with self._changed:
            self._waiting.append((folder, said))
            while len(self._waiting) > self._most:
                _discard(self._waiting.popleft()[0])
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._store_all, name="checkpoints", daemon=True)
            self._thread.start()

    def _store_all(self) -> None:
        pause = _FIRST_PAUSE_S
        while (taken := self._next()) is not None:
            try:
                self._store(*taken)
            except StoreAway as error:
                self._put_back(taken, error)
                if self._has_ended(pause):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except (ObjectError, OSError, ValidationError) as error:
                self._say(f"the checkpoint of step {taken[1].step} is not kept: {error}")
                _discard(taken[0])
            else:
                self._away, pause = False, _FIRST_PAUSE_S

    def _next(self) -> tuple[Path, Said] | None:
        """What is to be stored now; None where the run has ended and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return self._waiting.popleft() if self._waiting and not self._over else None

    def _put_back(self, taken: tuple[Path, Said], error: StoreAway) -> None:
        with self._changed:
            if len(self._waiting) < self._most:
                self._waiting.appendleft(taken)
            else:
                _discard(taken[0])
        if not self._away:
            self._away = True
            self._say(f"the checkpoint of step {taken[1].step} waits for the object store: {error}")

    def _has_ended(self, within: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._ending, within)

    def _store(self, folder: Path, said: Said) -> None:
        name = f"{self._attempt:04}-{self._number:06}"
        self._number += 1
        self._useless.append(name)  # what is written in part keeps its name to itself, and goes with the next
        stored = self._place.write(name, folder, said)
        self._kept.append(self._useless.pop())
        _discard(folder)
        told = Checkpointed(checkpoint=stored, removed=self._removed())
        with self._changed:
            if not self._over:
                self._tell(told)

    def _removed(self) -> list[str]:
        """Remove what is not kept any more; what cannot be removed now is left for the next time."""
        gone = []
        with suppress(ObjectError):
            while old := next(self._dispensable(), None):
                self._place.remove(old)
                gone.append(old)
                for names in (self._useless, self._kept):
                    if old in names:
                        names.remove(old)
        return gone

    def _dispensable(self) -> Iterator[str]:
        yield from self._useless
        yield from self._kept[: -self._most]

    def _next_number(self) -> int:
        own = f"{self._attempt:04}-"
        numbers = [int(each.removeprefix(own)) for each in (*self._kept, *self._useless) if each.startswith(own)]
        return max(numbers, default=-1) + 1

    def _say(self, text: str) -> None:
        with self._changed:
            if not self._over:
                self._warn(text)


def _discard(folder: Path) -> None:
    """Remove a copy, with the folder that was made for it."""
    shutil.rmtree(folder.parent, ignore_errors=True)
