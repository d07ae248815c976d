"""Models of declared tensors: trained by own code or imported, judged by functions in a process of their own."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from headrace.code.archive import pack
from headrace.contracts import Column, ObjectPlace
from headrace.frameworks import CodeFailed
from headrace.runtimes import load
from headrace.tasks import target_of
from headrace.testkit import custom_models as models
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.importing import bring
from headrace.trainer.worker.jobs import (
    Brought,
    CodeJob,
    Data,
    Evaluated,
    EvaluateJob,
    ImportJob,
    Rival,
    Trained,
    TrainJob,
)
from headrace.trainer.worker.training import train

Push = Callable[..., CodeJob]
DIGITS = {"train": models.DIGITS, "judge": models.JUDGE}
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def push(buckets: S3, tmp_path: Path) -> Push:
    """A package of Python files, as the trainer keeps it."""
    count = iter(range(99))

    def pushed(files: dict[str, str], entry: str | None = "train:train") -> CodeJob:
        folder = tmp_path / f"package-{next(count)}"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        stored = buckets.sync.put("models", pack(folder, folder.with_suffix(".tar")).archive)
        return CodeJob(package="net", version=1, object=stored, entry=entry)

    return pushed


def data(buckets: S3, world: Any, *frames: pd.DataFrame) -> Data:
    """A dataset version of some frames, as a worker is told of it."""
    event = a_version(buckets.sync, [world.ingested(frame).part for frame in frames])
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)


def columns(frame: pd.DataFrame) -> list[Column]:
    """The features of a frame with their types."""
    names = [str(name) for name in frame if name != "target"]
    return [Column(name=n, type="string" if n == "text" else "number", nullable=False) for n in names]


def asked(frame: pd.DataFrame, options: dict[str, Any]) -> dict[str, Any]:
    """What runs and imports are told alike."""
    return {
        "model": "m", "columns": [str(name) for name in frame], "features": columns(frame), "target": "target",
        "task": "custom", "options": options, "time": None, "by": "random", "fraction": 0.25, "seed": 0,
        "metrics": [each["name"] for each in options["metrics"]], "created": MOMENT, "bucket": "models",
    }  # fmt: skip


def trained(
    buckets: S3, given: Data, code: CodeJob, frame: pd.DataFrame, options: dict[str, Any], **fields: Any
) -> Trained:
    """A run of own code, in this process."""
    job = TrainJob(
        run=f"r-{uuid4().hex}", attempt=1, data=given, framework="code", estimator="net@1 train:train",
        code=code, memory_mb=2048, seconds=120.0, **{"params": {}, **asked(frame, options), **fields},
    )  # fmt: skip
    return train(job, buckets.sync, lambda step: None)


def met(buckets: S3, given: Data, candidate: Trained, champion: Trained | None = None, **fields: Any) -> Evaluated:
    """What an evaluation of the candidate's data finds."""
    rival = Rival(version=1, artifact=champion.artifact, learned=champion.learned) if champion else None
    job = EvaluateJob(
        evaluation="e", candidate=Rival(version=2, artifact=candidate.artifact, learned=candidate.learned),
        champion=rival, data=given, holdout=candidate.holdout, target="target",
        metrics=list(candidate.metrics), confidence=0.9, resamples=100, seed=0,
        **{"columns": [*models.PIXELS, "target"], **fields},
    )  # fmt: skip
    return evaluate(job, buckets.sync, lambda step: None)


def folder_of(buckets: S3, artifact: Any, to: Path) -> Path:
    """A model directory as a replica has it."""
    return buckets.sync.get_directory(artifact, to)


def test_digits_of_two_outputs_are_trained_judged_and_compared(
    buckets: S3, world: Any, push: Push, tmp_path: Path
) -> None:
    """By the declared functions, the run as the evaluation; the better of two has an interval above zero."""
    frame = models.digits()
    given, code, options = data(buckets, world, frame), push(DIGITS), models.digit_options()

    better = trained(buckets, given, code, frame, options, params={"C": 1.0})
    worse = trained(buckets, given, code, frame, options, params={"C": 1e-4})
    found = met(buckets, given, better, worse)

    assert better.metrics["digit-accuracy"] > 0.85
    assert better.metrics["surprise"] < worse.metrics["surprise"]
    assert found.candidate == pytest.approx(better.metrics)
    assert found.baselines == []
    by_name = {each.metric: each for each in found.comparisons}
    surprise = by_name["surprise"]
    assert 0 < surprise.low <= surprise.difference <= surprise.high
    assert (surprise.resamples, surprise.confidence) == (100, 0.9)
    assert surprise.difference == pytest.approx(surprise.champion - surprise.candidate)
    accuracy = by_name["digit-accuracy"]
    assert accuracy.difference == pytest.approx(accuracy.candidate - accuracy.champion)
    assert found.champion == pytest.approx({name: each.champion for name, each in by_name.items()})

    model = load(folder_of(buckets, better.artifact, tmp_path / "served"))
    [image] = model.signature.inputs
    assert (image.name, image.datatype, image.shape) == ("image", "FP32", [-1, 8, 8])
    said = model.answer({"image": models.images(frame)[:7]})
    assert (said["digit"].dtype, said["digit"].shape) == (np.int64, (7,))
    assert (said["scores"].dtype, said["scores"].shape) == (np.float32, (7, 10))
    reference = pd.read_parquet(io.BytesIO(buckets.sync.get(better.reference)))
    assert set(models.PIXELS) < set(reference)


def test_a_text_model_in_a_process_is_judged_without_an_interval(buckets: S3, world: Any, push: Push) -> None:
    """Its function says that it judges no resamples: the comparison has none, and its outputs are text and numbers."""
    frame = models.texts()
    given, code = data(buckets, world, frame), push({"train": models.TOPICS, "answer": models.ANSWER})
    options = models.topic_options()

    candidate = trained(buckets, given, code, frame, options)
    champion = trained(buckets, given, code, frame, options, seed=4)
    found = met(buckets, given, candidate, champion, columns=["text", "target"])

    assert candidate.metrics == {"right": 1.0}
    [text] = candidate.signature.inputs
    assert (text.name, text.datatype, text.shape) == ("text", "BYTES", [-1])
    [compared] = found.comparisons
    assert (compared.resamples, compared.low, compared.high) == (0, compared.difference, compared.difference)


def test_what_trains_never_sees_the_truth_of_the_holdout(
    buckets: S3, world: Any, push: Push, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two processes, two folders: the rows that judge are in the second one alone."""
    seen = "\n\ndef peek(context):\n    print('ROWS', context.table.num_rows)\n    train(context)\n"
    judge = """
import os, pathlib

def accuracy(truth, outputs):
    root = pathlib.Path(os.environ["HEADRACE_JOB"]).parent
    print("JUDGED", len(truth), sorted(each.name for each in (root / "data").iterdir()))
    return 0.5
"""
    frame = models.digits(200)
    options = models.digit_options(metrics=[{"name": "half", "entry": "judge:accuracy", "goal": "maximize"}])
    code = push({"train": models.DIGITS + seen, "judge": judge}, entry="train:peek")

    done = trained(buckets, data(buckets, world, frame), code, frame, options)

    told = capfd.readouterr().out
    assert f"ROWS {done.train_rows}\n" in told
    assert f"JUDGED {done.holdout.rows} ['answers-0.npz', 'truth.npy']" in told
    assert done.metrics == {"half": 0.5}


WRONG_CODE = {
    "other outputs": ('"digit"', '"figure"', "answer", "the graph gives figure, scores, and not digit, as declared"),
    "other input": ('"image"', '"picture"', "answer", "the graph takes picture; image is declared"),
    "shape": ("TensorProto.INT64, [None]", "TensorProto.INT64, [None, 1]", "answer", "has the shape [-1, 1]"),
    "estimator": (
        "graph(fitted.coef_, fitted.intercept_)",
        "fitted",
        "answer",
        "which no estimator gives",
    ),
}


@pytest.mark.parametrize("case", WRONG_CODE)
def test_a_model_that_is_not_as_declared_is_no_model(case: str, buckets: S3, world: Any, push: Push) -> None:
    """Told when it is saved, before anybody judges or serves it."""
    before, after, kind, said = WRONG_CODE[case]
    frame = models.digits(120)
    text = models.DIGITS.replace("keepdims=0", "keepdims=1") if case == "shape" else models.DIGITS
    code = push({**DIGITS, "train": text.replace(before, after)})

    with pytest.raises(CodeFailed) as raised:
        trained(buckets, data(buckets, world, frame), code, frame, models.digit_options())

    assert raised.value.kind == kind
    assert said in str(raised.value)


def graph() -> bytes:
    """The digits as somebody else has made them."""
    from sklearn.linear_model import LogisticRegression

    frame = models.digits(300, start=500)
    fitted = LogisticRegression(C=0.1, max_iter=50).fit(frame[models.PIXELS].to_numpy() / 16, frame["target"])
    inside: dict[str, Any] = {}
    exec(models.DIGITS, inside)
    return bytes(inside["graph"](fitted.coef_, fitted.intercept_).SerializeToString())


def imported(
    buckets: S3, given: Data, frame: pd.DataFrame, options: dict[str, Any], judge: CodeJob | None, content: bytes
) -> Brought:
    """An import of the graph, in this process."""
    place = buckets.sync.put("models", content)
    job = ImportJob(
        import_id=f"i-{uuid4().hex}", attempt=1, source=ObjectPlace(bucket=place.bucket, key=place.key),
        source_name="digits.onnx", largest=1 << 20, data=given, whole=False, judge=judge,
        **asked(frame, options),
    )  # fmt: skip
    return bring(job, buckets.sync, lambda step: None)


def test_an_imported_graph_of_two_outputs_is_judged_by_the_same_functions(
    buckets: S3, world: Any, push: Push, tmp_path: Path
) -> None:
    """It serves as it is; its figures are those of the package that the declaration names."""
    frame = models.digits()
    given, judge = data(buckets, world, frame), push({"judge": models.JUDGE}, entry=None)

    found = imported(buckets, given, frame, models.digit_options(package="net"), judge, graph())

    assert found.metrics["digit-accuracy"] > 0.7
    assert found.largest_difference is None
    assert [each.name for each in found.signature.outputs] == ["digit", "scores"]
    assert [each.name for each in found.features] == models.PIXELS
    model = load(folder_of(buckets, found.artifact, tmp_path / "served"))
    assert target_of(model.signature).options["package"] == "net"
    assert model.answer({"image": models.images(frame)[:2]})["scores"].shape == (2, 10)


def test_an_import_that_is_not_as_declared_is_refused(buckets: S3, world: Any, push: Push) -> None:
    """With the tensor and what is declared; what has no tensors is no model of the task."""
    frame = models.digits(100)
    given, judge = data(buckets, world, frame), push({"judge": models.JUDGE}, entry=None)
    other = models.digit_options(outputs=[{"name": "scores", "datatype": "FP64", "shape": [-1, 10]}])
    flat = models.digit_options(inputs=[{"name": "x", "datatype": "FP32", "shape": [-1, 64], "columns": models.PIXELS}])
    bare = {name: value for name, value in models.digit_options().items() if name != "inputs"}

    with pytest.raises(BadArtifact, match="output 'scores' is FP32; FP64 is declared"):
        imported(buckets, given, frame, other, judge, graph())
    with pytest.raises(BadArtifact, match="the graph takes image; x is declared"):
        imported(buckets, given, frame, flat, judge, graph())
    with pytest.raises(BadArtifact, match="takes 'image', which is no feature of the declaration; say"):
        imported(buckets, given, frame, bare, judge, graph())
