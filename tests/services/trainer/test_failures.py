"""Whatever a job raises becomes a kind and a sentence for the author of the model."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headrace.frameworks import BadEstimator, BadTrainingData, ExportRefused
from headrace.objects import AlreadyExists, Denied, Missing, StoreAway
from headrace.runtimes import BadAnswer, Unavailable
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.holdout import NoHoldout
from headrace.trainer.worker.memory import allocated, at_most


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadEstimator("no parameter"), "code"),
        (BadTrainingData("one class"), "data"),
        (NoHoldout("too few"), "data"),
        (Missing("gone"), "data"),
        (ExportRefused("differs"), "export"),
        (MemoryError("huge"), "memory"),
        (RuntimeError("std::bad_alloc"), "memory"),
        (ConnectionResetError("reset"), "lost"),
        (StoreAway("broken"), "lost"),
        (AlreadyExists("half written"), "lost"),
        (Denied("no right"), "data"),
        (ZeroDivisionError("by zero"), "code"),
        (SystemExit(3), "code"),
        (BadAnswer("it gives no output"), "code"),
        (Unavailable("its process was lost"), "code"),
    ],
)
def test_errors_have_kinds(error: BaseException, kind: str) -> None:
    """And the reason keeps the words of the error."""
    failure = failure_of(error)

    assert failure.because == kind
    assert str(error) in failure.reason


def test_an_error_in_code_names_its_place() -> None:
    """The last line of the trace, and where it was raised."""
    try:
        LogisticRegression(max_iter=-1).fit(np.zeros((4, 1)), [0, 1, 0, 1])
    except ValueError as error:
        reason = failure_of(error).reason

    assert reason.startswith("InvalidParameterError: The 'max_iter' parameter")
    assert "(sklearn/utils/_param_validation.py:" in reason
    assert "\n" not in reason


def test_a_limit_on_memory_holds_and_is_lifted() -> None:
    """What is too much raises; afterwards it is allowed again."""
    size = 300 << 20

    with at_most(100 << 20), pytest.raises(MemoryError):
        np.ones(size, dtype=np.int8)

    before = allocated()
    kept = np.ones(size, dtype=np.int8)
    assert allocated() - before >= size * 0.9
    del kept
