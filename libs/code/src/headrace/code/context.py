"""What a Python entry is given: its rows, its parameters, and ways to say how it goes and what came of it.

Light: the standard library alone. pandas, pyarrow, onnx and skops are imported when they are asked for, from whatever
environment the code runs in.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.code import protocol

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BATCH_ROWS = 65_536


class Context:
    """One run, as its code sees it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._out, self._events = Path(environment[protocol.OUT]), Path(environment[protocol.EVENTS])
        self._model, self._data = Path(environment[protocol.MODEL]), Path(environment[protocol.DATA])
        self._resume = environment.get(protocol.RESUME)
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
    def resume(self) -> Path | None:
        """The last checkpoint of an attempt that was lost, a file or a folder; None where there is none."""
        return Path(self._resume) if self._resume else None

    def checkpoint(self, path: str | os.PathLike[str], step: int = 0) -> None:
        """Have a file or a folder kept, from which a later attempt goes on. It is copied at once."""
        name = f"{protocol.CHECKPOINTS}/{step}"
        to, draft = self._out / name, self._out / f"{protocol.CHECKPOINTS}/.{step}"
        draft.mkdir(parents=True)
        _copy(Path(path), draft)
        draft.rename(to)
        self._say("checkpoint", {"path": name, "step": int(step)})

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
            import skops.io
        except ImportError as error:
            raise TypeError("estimators are saved with skops: put it into the environment's lock file") from error
        skops.io.dump(estimator, self._model / protocol.ESTIMATOR)

    def _say(self, what: str, told: Mapping[str, Any]) -> None:
        with self._events.open("a") as file:
            file.write(json.dumps({what: told}) + "\n")


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, to, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, to / path.name)
