"""From whatever a job raises to a kind and a sentence that the author of the model can act on."""

import traceback
from pathlib import Path
from types import TracebackType

from headrace.frameworks import BadEstimator, BadTrainingData, CodeFailed, ExportRefused, FrameworkError
from headrace.objects import AlreadyExists, Corrupt, Denied, Missing, StoreAway
from headrace.runtimes import BadModel, Unavailable
from headrace.runtimes.forecast import BadSeries
from headrace.tasks import BadTruth, UnknownTask
from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.worker.holdout import NoHoldout
from headrace.trainer.worker.jobs import Failure
from headrace.trainer.worker.reading import MissingColumns

_DATA = (UnknownTask, BadTrainingData, BadSeries, NoHoldout, BadTruth, MissingColumns, Missing, Corrupt, Denied)
_AWAY = (StoreAway, AlreadyExists, ConnectionError, TimeoutError)  # not the model's fault: worth another attempt


def failure_of(error: BaseException) -> Failure:
    """Tell the kinds apart, and say what happened where."""
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):  # libraries in C++ say it with an error of theirs
        return Failure(because="memory", reason=f"the run needs more memory than it may have: {_words(error)}")
    if isinstance(error, _DATA):
        return Failure(because="data", reason=str(error))
    if isinstance(error, BadArtifact):
        return Failure(because="artifact", reason=str(error))
    if isinstance(error, CodeFailed):
        return Failure.model_validate({"because": error.kind, "reason": str(error)})
    if isinstance(error, ExportRefused):
        return Failure(because="export", reason=str(error))
    if isinstance(error, BadEstimator | FrameworkError | BadModel | Unavailable):
        return Failure(because="code", reason=str(error))
    if isinstance(error, _AWAY):
        return Failure(because="lost", reason=f"the object store failed the run: {_words(error)}")
    return Failure(because="code", reason=f"{_words(error)} ({place_of(error.__traceback__)})")


def place_of(trace: TracebackType | None) -> str:
    """Where it was raised, as `sklearn/svm/_base.py:250 in fit`."""
    frames = traceback.extract_tb(trace)
    if not frames:
        return "place unknown"
    last = frames[-1]
    return f"{_short(Path(last.filename))}:{last.lineno} in {last.name}"


def _short(path: Path) -> str:
    """From the package on: what a reader knows, without where it is installed."""
    parts = path.parts
    for root in ("site-packages", "src"):
        if root in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(root) :])
    return path.name


def _words(error: BaseException) -> str:
    """The last line of a trace: kind and message, the message on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
