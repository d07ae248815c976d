"""Functions that judge, run from a model's directory: their figures, and every way in which they can be bad."""

import dataclasses
import json
import socket
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from headrace.code.archive import pack
from headrace.contracts import ObjectRef, Signature
from headrace.frameworks import CodeFailed
from headrace.objects import SyncObjectStore
from headrace.runtimes import BadModel
from headrace.tasks import TASKS
from headrace.testkit import custom_models as models
from headrace.trainer.worker import judging
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.jobs import CodeJob

REF = ObjectRef(bucket="code", key="net", size=1, sha256="0" * 64)
REACH = """
import os, pathlib, socket

def accuracy(truth, outputs):
    data = pathlib.Path(os.environ["HEADRACE_DATA"])
    print("FILES", sorted(each.name for each in data.iterdir()))
    try:
        socket.create_connection(PLACE, 2)
    except OSError:
        print("CLOSED")
    return 0.5
"""
HALF = [{"name": "half", "entry": "judge:accuracy", "goal": "maximize"}]


@dataclasses.dataclass(frozen=True)
class OneObject:
    """An object store with one object: what a package's archive is read from."""

    content: bytes

    def get(self, ref: ObjectRef) -> bytes:
        """The object."""
        return self.content


def add(folder: Path, **files: str) -> None:
    """Put a package of Python files into a model's directory, as a worker does."""
    package = folder / "package"
    package.mkdir()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    store = cast("SyncObjectStore", OneObject(pack(package, folder / "package.tar").archive.read_bytes()))
    judging.add_functions(CodeJob(package="net", version=1, object=REF), store, folder)


def judge(folder: Path, options: dict[str, Any]) -> judging.Judge:
    """Who judges the model of a directory."""
    return judging._Functions(
        json.loads((folder / judging.FUNCTIONS).read_text()), TASKS["custom"].bare(options), "target"
    )


def said(options: dict[str, Any], wrong: int = 0) -> judging.Said:
    """Answers for forty digits, of which the first ones are wrong."""
    frame = models.digits(40)
    digit = frame["target"].to_numpy().copy()
    digit[:wrong] = (digit[:wrong] + 1) % 10
    scores = np.full((40, 10), 0.01, np.float32)
    scores[np.arange(40), digit] = 0.91
    outputs = {"digit": digit, "scores": scores}
    score = TASKS["custom"].bare(options).score(outputs)
    assert score is not None
    return judging.Said(frame, np.arange(40), outputs, score)


def test_two_models_are_compared_by_draws_of_the_same_rows(tmp_path: Path) -> None:
    """The better one has an interval above zero in every metric, whichever way is better."""
    add(tmp_path, judge=models.JUDGE)
    options = models.digit_options()
    ours, theirs = said(options, wrong=2), said(options, wrong=20)
    asked = judging.Asked(confidence=0.9, resamples=80, seed=3)

    found = judge(tmp_path, options).compared(["digit-accuracy", "surprise"], np.ones(40), ours, theirs, asked)

    accuracy, surprise = found
    assert (accuracy.candidate, accuracy.champion) == (0.95, 0.5)
    assert 0 < accuracy.low < accuracy.difference < accuracy.high
    assert surprise.candidate < surprise.champion
    assert 0 < surprise.low < surprise.difference < surprise.high
    assert {(each.resamples, each.confidence) for each in found} == {(80, 0.9)}


def test_only_the_metrics_that_are_asked_for_are_computed(tmp_path: Path) -> None:
    """A gate asks about one, and a function that nobody asks is not called."""
    add(
        tmp_path,
        judge=models.JUDGE.replace("def surprise(truth, outputs):", "def surprise(truth, outputs):\n    1 / 0"),
    )
    options = models.digit_options()

    found = judge(tmp_path, options).measured(["digit-accuracy", "roc_auc"], np.ones(40), said(options, wrong=4))

    assert found == {"digit-accuracy": 0.9}
    assert judge(tmp_path, options).measured(["roc_auc"], np.ones(40), said(options)) == {}


def test_what_judges_reaches_no_network_and_finds_nothing_of_the_training(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has truth and answers, and no way to tell anybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        add(tmp_path, judge=REACH.replace("PLACE", repr(place)))
        options = models.digit_options(metrics=HALF)

        found = judge(tmp_path, options).measured(["half"], np.ones(40), said(options))

    assert found == {"half": 0.5}
    told = capfd.readouterr().out
    assert "CLOSED" in told
    assert "FILES ['answers-0.npz', 'truth.npy']" in told


BAD = {
    "raises": (
        "def accuracy(truth, outputs):\n    raise ValueError('no way')",
        "code",
        "ValueError: no way (judge.py",
    ),
    "no module": ("import nothing_of_the_kind\n", "code", "it cannot be imported: ModuleNotFoundError"),
    "no function": ("def other(truth, outputs):\n    return 1", "code", "module 'judge' has no function 'accuracy'"),
    "nan": (
        "def accuracy(truth, outputs):\n    return float('nan')",
        "answer",
        "(judge:accuracy) gives NaN",
    ),
    "infinite": (
        "def accuracy(truth, outputs):\n    return float('inf')",
        "answer",
        "gives inf, which is no",
    ),
    "shape": ("def accuracy(truth, outputs):\n    return outputs['scores']", "answer", "gives array([["),
    "text": ("def accuracy(truth, outputs):\n    return 'good'", "answer", "gives 'good', which is no finite number"),
    "other name": (
        "def accuracy(truth, outputs):\n    return {'f': 1}",
        "answer",
        "gives a mapping with f",
    ),
    "exits": ("import os\ndef accuracy(truth, outputs):\n    os._exit(3)", "code", "it ended with exit code 3"),
    "hangs": ("def accuracy(truth, outputs):\n    while True: pass", "timeout", "it still ran after 1 s"),
    "memory": (
        "def accuracy(truth, outputs):\n    return len(bytearray(1 << 40))",
        "memory",
        "more memory",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_function_that_judges_badly_fails_with_its_kind(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a process of its own, of which nothing but the reason comes back."""
    text, kind, told = BAD[case]
    monkeypatch.setattr(judging, "TIMEOUT_S", 1.0 if case == "hangs" else 60.0)
    add(tmp_path, judge=text)
    options = models.digit_options(metrics=HALF)

    with pytest.raises(CodeFailed) as raised:
        judge(tmp_path, options).measured(["half"], np.ones(40), said(options))

    failure = failure_of(raised.value)
    assert (failure.because, told in failure.reason) == (kind, True), failure.reason


def test_a_directory_without_its_functions_is_told_as_damaged(tmp_path: Path) -> None:
    """Nobody could say how good it is."""

    @dataclasses.dataclass
    class Bare:
        signature: Any

    signature = models_signature()

    with pytest.raises(BadModel, match="the functions that judge it cannot be read"):
        judging.judge_of(Bare(signature), tmp_path, "target")  # type: ignore[arg-type]
    with pytest.raises(CodeFailed, match="nobody says which package has the functions that judge"):
        judging.add_functions(None, None, tmp_path)  # type: ignore[arg-type]


def models_signature() -> Any:
    """A signature of the digits."""
    target = TASKS["custom"].bare(models.digit_options())
    return Signature(task="custom", inputs=target.inputs(), outputs=target.outputs(), task_options=dict(target.options))
