"""Own code in the trainer: bound, run, told, logged; and what fails, which concerns nobody else."""

import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from headrace.code.archive import pack
from headrace.contracts import (
    CodePushed,
    Column,
    RequestRefused,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingRequested,
    TrainingStarted,
)
from headrace.frameworks import CodeFailed, Said
from headrace.objects import SyncObjectStore
from headrace.testkit import Harness
from headrace.testkit.s3 import S3
from headrace.trainer.run_logs import following
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.jobs import CodeJob, Data, Step, TrainJob
from headrace.trainer.worker.own_code import Heard, LogPieces, own_code
from headrace.trainer.worker.training import train

TRAIN = """
from sklearn.linear_model import LogisticRegression

def train(context):
    rows = context.frame
    print(f"learning from {len(rows)} rows")
    fitted = LogisticRegression(C=context.params["C"]).fit(rows[context.features], rows[context.target])
    context.log_metric("loss", 0.25, 3)
    print("done")
    context.save(fitted)
"""
WORST = "def train(context):\n    raise ValueError('no way')\n"
OWN = {"estimator": None, "framework": "code", "code": {"package": "net", "entry": "train:train"}, "params": {"C": 0.5}}


def archive(folder: Path, **files: str) -> bytes:
    """The archive of a package of Python files."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return pack(folder, folder.with_suffix(".tar")).archive.read_bytes()


async def push(on: Harness, folder: Path, text: str, package: str = "net", **params: Any) -> None:
    """Make a file `train.py` the newest version of a package."""
    answer = await on.http.post(f"/code/{package}/files", content=archive(folder, train=text), params=params)
    assert answer.status_code == 201, answer.text


async def test_own_code_becomes_a_model_bound_to_what_was_pushed_when_it_was_asked_for(
    on: Harness, world: Any, tmp_path: Path
) -> None:
    """From the push to the version: the package is told in lineage, its log is kept, its metrics come as it learns."""
    commit = "9c1185a5c5e9fc54612808977ee8f548b2258d31"
    await push(on, tmp_path / "1", TRAIN, commit=commit, dirty=False)
    await on.say(world.declared(training=OWN, data={"features": ["wind"]}))
    await on.quiet()
    run = (await on.http.post("/models/delay/runs", json={})).json()["run"]
    await push(on, tmp_path / "2", WORST)

    await on.say(world.ingested(world.flights().dropna()))

    told = (await on.heard(TrainingCompleted, "delay", timeout=120)).data
    pushed = on.all(CodePushed)[0].data
    assert (told.run, told.framework, told.estimator) == (run, "code", "net@1 train:train")
    assert told.code is not None
    assert (told.code.package, told.code.version, told.code.object) == ("net", 1, pushed.object)
    assert (told.code.entry, told.code.commit, told.code.dirty) == ("train:train", commit, False)
    assert told.metrics["roc_auc"] > 0.7
    assert told.holdout.rows > 0
    started = on.all(TrainingStarted)[0].data
    assert started.code == told.code
    assert started.logs is not None
    assert started.logs.prefix == f"delay/{run}/logs/"
    steps = [each.data for each in on.all(TrainingProgressed) if each.data.metrics]
    assert any(each.metrics == {"loss": 0.25} and each.step == 3 for each in steps)
    log = await on.http.get(f"/runs/{run}/logs")
    assert log.headers["content-type"].startswith("text/plain")
    assert log.text == f"learning from {told.train_rows} rows\ndone\n"
    assert (await on.http.get(f"/runs/{run}/logs", params={"follow": True})).text == log.text
    assert (await on.http.get("/runs/none/logs")).status_code == 404


async def test_code_that_fails_fails_alone(on: Harness, world: Any, tmp_path: Path) -> None:
    """With kind and place, what it printed kept with the run; the next run of the same worker is well."""
    await push(on, tmp_path / "1", WORST)
    await on.say(world.declared(training=OWN, data={"features": ["wind"]}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    await on.say(TrainingRequested(model="delay"), as_="operator")

    told = (await on.heard(TrainingFailed, "delay", timeout=120)).data
    assert (told.kind, told.reason) == ("code", "ValueError: no way (train.py:2 in train)")
    assert "no way" in (await on.http.get(f"/runs/{told.run}/logs")).text
    assert "no way" in (await on.http.get(f"/runs/{told.run}")).json()["log"]
    await on.say(world.declared(revision=2))
    await on.quiet()
    await on.say(TrainingRequested(model="delay"), as_="operator")
    assert (await on.heard(TrainingCompleted, "delay", timeout=120)).data.framework == "sklearn"


async def test_a_run_of_a_package_that_nobody_pushed_is_refused(on: Harness, world: Any) -> None:
    """A registry of another version may let its declaration through; data that come start a run that says why."""
    await on.say(world.declared(training={**OWN, "on": ["new-data"]}))
    await on.quiet()

    await on.say(TrainingRequested(model="delay"), as_="operator")
    await on.say(world.ingested(world.flights()))

    assert "there is no package 'net'" in (await on.heard(RequestRefused)).data.reason
    assert "there is no package 'net'" in (await on.heard(TrainingFailed, "delay", timeout=60)).data.reason
    assert (await on.http.post("/models/delay/runs", json={})).status_code == 422


# what a worker does, without a broker

COLUMNS = [Column(name="wind", type="number", nullable=True)]
Work = Callable[..., TrainJob]


@pytest.fixture
def job(buckets: S3, world: Any, tmp_path: Path) -> Work:
    """A job of own code; keywords are parts of its code."""

    def made(text: str = TRAIN, attempt: int = 1, files: dict[str, bytes] | None = None, **code: Any) -> TrainJob:
        folder = tmp_path / "package"
        folder.mkdir()
        for name, content in {"train.py": text.encode(), **(files or {})}.items():
            (folder / name).write_bytes(content)
        stored = buckets.sync.put("models", pack(folder, tmp_path / "package.tar").archive)
        version = world.ingested(world.flights(200))
        data = Data(dataset="flights", digest=version.digest, manifest=version.manifest, parts=version.parts)
        told = {"package": "net", "version": 1, "object": stored, "entry": "train:train"} | code
        return TrainJob(
            run=f"run-{tmp_path.name}", attempt=attempt, model="m", data=data, columns=["wind", "late"],
            features=COLUMNS, target="late", task="binary", time=None, framework="code", estimator="net@1 train:train",
            params={"C": 1.0}, seed=0, by="random", fraction=0.3, metrics=["roc_auc"], bucket="models",
            created=datetime(2026, 1, 5, tzinfo=UTC), memory_mb=1024, seconds=60.0, code=CodeJob.model_validate(told),
        )  # fmt: skip

    return made


QUICK = "def train(context):\n    {}\n"


def failed(job: TrainJob, store: Any) -> Any:
    """How a job fails, as the trainer tells it."""
    with pytest.raises(CodeFailed) as raised:
        train(job, store, lambda step: None)
    return failure_of(raised.value)


def test_the_holdout_is_in_nothing_that_code_sees(job: Work, buckets: S3, world: Any) -> None:
    """Rows that judge the model are neither in the file nor anywhere else in the run's folder."""
    text = """
import os, pathlib
def train(context):
    rows = context.table.num_rows
    root = pathlib.Path(os.environ["HEADRACE_JOB"]).parent
    print("SEEN", rows, sorted(each.name for each in root.rglob("*.parquet")))
"""
    told = job(text)

    with pytest.raises(CodeFailed, match="without a model"):
        train(told, buckets.sync, lambda step: None)

    pieces = sorted(each.key for each in buckets.sync.list("models", told.logs))
    log = b"".join(block for key in pieces for block in buckets.sync.read("models", key))
    assert log.decode().startswith("SEEN ")
    assert int(log.split()[1]) < 200
    assert b"['train.parquet']" in log


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        ("requirements.txt", "has no file requirements.txt"),
        ("broken.txt", "cannot be made"),
        ("uv.lock", r"uv\.lock|uv is not installed"),
    ],
)
def test_a_lock_that_cannot_be_installed_is_a_failure_of_its_own_kind(
    job: Work, buckets: S3, lock: str, reason: str
) -> None:
    """With the last lines of the installer; nothing of the package has run by then."""
    files = {"broken.txt": b"nothing @ file:///nowhere/nothing-1.0-py3-none-any.whl\n", "uv.lock": b"no lock"}

    found = failed(job(files=files, environment=lock), buckets.sync)

    assert found.because == "environment"
    assert re.search(reason, found.reason), found.reason


def test_a_lock_makes_an_environment_of_its_own(job: Work, buckets: S3, tmp_path: Path) -> None:
    """From wheels with their digests; what the worker has is not in it, and our context is."""
    wheel = tmp_path / "tiny_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as out:
        out.writestr("tiny_thing.py", "VALUE = 42\n")
        out.writestr("tiny_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
        out.writestr("tiny_thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr("tiny_thing-1.0.dist-info/RECORD", "")
    lock = f"tiny-thing @ file://{wheel} --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n"
    text = """
def train(context):
    import tiny_thing
    try:
        import sklearn
    except ImportError:
        raise ValueError(f"{tiny_thing.VALUE} {context.rows > 100} alone")
"""
    found = failed(job(text, files={"lock.txt": lock.encode()}, environment="lock.txt"), buckets.sync)

    assert (found.because, "42 True alone" in found.reason) == ("code", True), found.reason


def test_a_later_attempt_is_given_the_last_checkpoint(job: Work, buckets: S3) -> None:
    """Of an attempt whose worker was lost; what was made is found by the run alone."""
    text = """
import os, pathlib
def train(context):
    place = pathlib.Path(os.environ["TMPDIR"]) / "step.txt"
    before = int((context.resumed / "step.txt").read_text()) if context.resumed else 0
    assert before == (context.resumed_step or 0)
    for step in (before + 1, before + 2):
        place.write_text(str(step))
        context.checkpoint(place, step)
    raise ValueError(f"reached {step}")
"""
    first = job(text)

    reached = [failed(first.model_copy(update={"attempt": n}), buckets.sync).reason for n in (1, 2)]

    assert [each.split(" (")[0] for each in reached] == ["ValueError: reached 2", "ValueError: reached 4"]


def test_a_package_that_was_changed_in_the_store_is_not_run(job: Work, buckets: S3) -> None:
    """Its digest is what the run is bound to."""
    told = job()
    assert told.code is not None
    other = buckets.sync.put("models", b"other")
    wrong = told.code.model_copy(update={"object": told.code.object.model_copy(update={"key": other.key})})

    with pytest.raises(Exception, match=r"(?i)digest|sha256|promises|not what"):
        train(told.model_copy(update={"code": wrong}), buckets.sync, lambda step: None)


def test_metrics_come_in_moderation_and_the_last_is_told() -> None:
    """A loop that logs every batch makes a few events, not a million."""
    told: list[Step] = []
    heard = Heard(told.append)
    for step in range(1, 10_001):
        heard(Said(step=step, of=10_000, metrics={"loss": 1 / step, f"m{step % 3}": 1.0}))

    heard.flush()
    heard.flush()

    assert len(told) < 20
    assert (told[-1].step, told[-1].of) == (10_000, 10_000)
    assert told[-1].metrics["loss"] == 1 / 10_000


def test_a_store_that_is_away_costs_a_run_nothing_of_its_log(job: Work, buckets: S3) -> None:
    """What cannot be kept now is kept with the next piece."""
    told = job()
    nowhere = SyncObjectStore(buckets.settings.model_copy(update={"endpoint": "http://127.0.0.1:9", "retries": 0}))
    pieces = LogPieces(nowhere, told)

    pieces.add(b"one ")
    pieces._store = buckets.sync
    pieces.add(b"two")
    pieces.add(b"")

    kept = [b"".join(buckets.sync.read("models", each.key)) for each in buckets.sync.list("models", told.logs)]
    assert kept == [b"one two"]


def test_a_job_without_code_needs_none(job: Work, buckets: S3) -> None:
    """Every other framework gets nothing."""
    with own_code(job().model_copy(update={"code": None}), buckets.sync, lambda step: None) as code:
        assert code is None


def test_pieces_of_a_log_are_given_in_their_order_whatever_a_listing_lacks() -> None:
    """One that is not listed yet holds back those behind it, of its own attempt alone."""
    listed = ["l/0001-000000", "l/0001-000002", "l/0002-000000"]

    assert following(listed, []) == (["l/0001-000000", "l/0002-000000"], True)
    assert following(["l/0001-000001", *listed], listed[:1]) == (
        ["l/0001-000001", "l/0001-000002", "l/0002-000000"],
        False,
    )
    assert following(listed, listed) == ([], False)
