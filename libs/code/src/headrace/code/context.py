"""What a Python entry is given: its rows, its parameters, and ways to say how it goes and what came of it.

Light: the standard library alone. pandas, pyarrow, onnx and skops are imported when they are asked for, from whatever
environment the code runs in.
"""

import errno
import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.code import protocol
from headrace.code.imports import without

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BATCH_ROWS = 65_536
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Context:
    """One run, as its code sees it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._out, self._events = Path(environment[protocol.OUT]), Path(environment[protocol.EVENTS])
        self._model, self._data = Path(environment[protocol.MODEL]), Path(environment[protocol.DATA])
        self._checkpoints = Path(environment[protocol.CHECKPOINTS])
        self._resume = environment.get(protocol.RESUME)
        self._asked = environment.get(protocol.ASKED)
        self._numbers = itertools.count(1)
        self._job: dict[str, Any] = json.loads(Path(environment[protocol.JOB]).read_text())

    # what is asked for

    @property
    def run(self) -> str:
        """Id of the run."""
        return str(self._job["run"])

    @property
    def task(self) -> str:
        """The task, such as `binary`."""
        return str(self._job["task"])

    @property
    def task_options(self) -> Mapping[str, Any]:
        """What the task was told beside its name, such as the outputs of a custom model."""
        return dict(self._job.get("task_options") or {})

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return int(self._job["seed"])

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of the declaration, with those of the request over them."""
        found: Mapping[str, Any] = self._job["params"]
        return found

    @property
    def features(self) -> Sequence[str]:
        """The columns to learn from, in the order in which the model will be asked."""
        return [each["name"] for each in self._job["features"]]

    @property
    def context(self) -> Sequence[str]:
        """Columns that are there, and that the model will not be given."""
        return [each["name"] for each in self._job["context"]]

    @property
    def target(self) -> str:
        """The column to predict."""
        return str(self._job["target"])

    @property
    def labels(self) -> Sequence[Any]:
        """The labels of the target in the order of their codes; none where the target is a number."""
        return list(self._job["labels"])

    @property
    def rows(self) -> int:
        """How many rows there are to learn from."""
        return int(self._job["rows"])

    # the rows

    @property
    def parquet(self) -> Path:
        """The rows to learn from, as a Parquet file."""
        return self._data / protocol.TRAIN_PARQUET

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """All rows as a frame of pandas."""
        import pandas as pd

        return pd.read_parquet(self.parquet)

    @cached_property
    def table(self) -> "pa.Table":
        """All rows as a table of Arrow."""
        import pyarrow.parquet as pq

        return pq.read_table(self.parquet)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator["pa.RecordBatch"]:
        """The rows piece by piece, each of at most so many: memory holds one of them."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.parquet) as file:
            yield from file.iter_batches(batch_size=rows)

    # how it goes

    def progress(self, step: int, of: int, message: str | None = None) -> None:
        """Say how far it is."""
        self._say("progress", {"step": int(step), "of": int(of), **({"message": message} if message else {})})

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Say the value of a metric at a step, such as the loss after an epoch."""
        self._say("metric", {"name": name, "value": float(value), "step": int(step)})

    @property
    def attempt(self) -> int:
        """Which attempt this is: 1, and one more for each worker that was lost."""
        return int(self._job["attempt"])

    @property
    def resumed(self) -> Path | None:
        """The folder with the last checkpoint of the attempts that were lost; None where there is none.

        It holds what `checkpoint` was given: the files of a folder, a file under its name, bytes as `checkpoint.bin`.
        """
        return Path(self._resume) if self._resume else None

    @property
    def resumed_step(self) -> int | None:
        """The step that this checkpoint was made at; None where there is none."""
        return int(self._job["resumed"]["step"]) if self._resume else None

    @property
    def checkpoint_asked(self) -> bool:
        """Whether a checkpoint is wanted soon: a run of higher priority needs the place of this one.

        Once it is kept, this attempt is ended, and a later one goes on from it.
        """
        return self._asked is not None and Path(self._asked).exists()

    def checkpoint(self, what: str | os.PathLike[str] | bytes, step: int = 0, **metrics: float) -> bool:
        """Have a folder, a file or bytes kept, from which a later attempt goes on, with metrics at this step.

        It is copied at once, and stored while training goes on. False where there is no room on the disk for the copy:
        the log says so, and the last checkpoint counts. A step that was told before is another, newer checkpoint.
        """
        name = f"{next(self._numbers)}-{int(step)}"
        draft = self._checkpoints / f".{name}"
        try:
            _copy(what, draft)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not _is_no_room(error):
                raise
            print(f"[the checkpoint of step {step} is not made: there is no room on the disk]", file=sys.stderr)
            return False
        draft.rename(self._checkpoints / name)
        numbers = {each: float(value) for each, value in metrics.items()}
        told = {"path": f"{protocol.CHECKPOINT_FOLDER}/{name}", "step": int(step), "metrics": numbers}
        self._say("checkpoint", told)
        return True

    # what came of it

    def save(self, model: Any) -> None:
        """Say what the model is; see `libs/code/README.md` for what it must take and give.

        An ONNX graph (a path, bytes or an onnx.ModelProto), a fitted scikit-learn estimator, or a folder with a
        `process.json`, whose process will answer. Raises TypeError for anything else.
        """
        self._model.mkdir(exist_ok=True)
        if isinstance(model, (str, os.PathLike)):
            self._save_path(Path(model))
        elif isinstance(model, bytes):
            (self._model / protocol.GRAPH).write_bytes(model)
        elif hasattr(model, "SerializeToString"):
            (self._model / protocol.GRAPH).write_bytes(model.SerializeToString())
        elif hasattr(model, "predict") and hasattr(model, "get_params"):
            self._save_estimator(model)
        else:
            raise TypeError(f"a {type(model).__name__} cannot be saved; save an ONNX graph, an estimator or a folder")

    def _save_path(self, path: Path) -> None:
        if path.is_dir():
            if not (path / protocol.PROCESS).is_file():
                raise TypeError(f"{path} has no {protocol.PROCESS}, which says how its process is started")
            shutil.copytree(path, self._model, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, self._model / protocol.GRAPH)

    def _save_estimator(self, estimator: Any) -> None:
        try:
            with without("torch"):
                import skops.io
        except ImportError as error:
            raise TypeError("estimators are saved with skops: put it into the environment's lock file") from error
        skops.io.dump(estimator, self._model / protocol.ESTIMATOR)

    def _say(self, what: str, told: Mapping[str, Any]) -> None:
        with self._events.open("a") as file:
            file.write(json.dumps({what: told}) + "\n")


def _copy(what: str | os.PathLike[str] | bytes, to: Path) -> None:
    if isinstance(what, bytes):
        to.mkdir()
        (to / protocol.CHECKPOINT_FILE).write_bytes(what)
    elif Path(what).is_dir():
        shutil.copytree(what, to)
    else:
        to.mkdir()
        shutil.copyfile(what, to / Path(what).name)


def _is_no_room(error: OSError) -> bool:
    """Whether the disk is full, or what may be written is; of a tree, errors have no number but in their words."""
    return any(f"[Errno {number}]" in str(error) for number in _NO_ROOM)
