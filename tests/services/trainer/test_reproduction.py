"""A version is made again from what is recorded of it, and held against that, part by part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.code.archive import pack
from headrace.contracts import (
    Artifact,
    DatasetIngested,
    File,
    Lineage,
    ReproductionRequested,
    RequestRefused,
    TrainingCompleted,
    TrainingQueued,
    VersionRegistered,
)
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3
from headrace.trainer.reproduction import Verdict, Wanted, judged
from headrace.trainer.worker.jobs import CodeJob, Data, Learned, Trained, TrainJob

CHANCE = """
import random
from sklearn.linear_model import LogisticRegression

def train(context):
    rows = context.frame
    fitted = LogisticRegression().fit(rows[context.features], rows[context.target])
    fitted.intercept_ += random.uniform(1e-4, 1e-3)
    context.save(fitted)
"""


def registered(done: TrainingCompleted, version: int = 1, **lineage: Any) -> VersionRegistered:
    """What the registry says of a completed run; `lineage` is what it says otherwise."""
    same = ("run", "dataset", "framework", "estimator", "params", "preparation", "seed", "train_rows", "learned")
    same += ("unlabelled_rows", "code_version", "packages", "python", "started_at", "seconds", "reason", "code")
    told = {name: getattr(done, name) for name in same}
    common = ("model", "artifact", "signature", "features", "target", "dataset", "holdout", "metrics", "reference")
    return VersionRegistered(
        **{name: getattr(done, name) for name in common},
        version=version,
        origin="trained",
        digest=done.artifact.digest,
        task="binary",
        lineage=Lineage(**{**told, **lineage}),
        declared_revision=done.declared_revision,
        registered_by=done.requested_by,
    )


# what is held against what, without anything around it

GRAPH = File(path="model.onnx", size=1, sha256="a" * 64)
DONE = a(TrainingCompleted, artifact=a(Artifact, files=[GRAPH]), packages={"numpy": "2.3"}, metrics={"roc_auc": 0.8})
LEARNED = Learned(object=DONE.reference, columns=["wind"], rows=DONE.train_rows)


def recorded(**parts: Any) -> VersionRegistered:
    """A version that is recorded; keywords are of its lineage, or of the version itself."""
    of_version = {name: parts.pop(name) for name in ("metrics", "artifact", "holdout") if name in parts}
    learned = {"learned": {"object": DONE.reference, "columns": ["wind"], "rows": DONE.train_rows}}
    whole = registered(DONE.model_copy(update={"unlabelled_rows": 0}), 3, **{**learned, **parts})
    return whole.model_copy(update=of_version)


def job(**parts: Any) -> TrainJob:
    """What the run did that was to make it again."""
    data = Data(dataset=DONE.dataset.name, digest=DONE.dataset.digest, manifest=DONE.reference, parts=1)
    same = {name: getattr(DONE, name) for name in ("features", "target", "framework", "estimator", "params", "seed")}
    told = {"run": "again", "attempt": 1, "model": DONE.model, "data": data, "columns": ["wind"], "bucket": "models"}
    rest = {"task": "binary", "time": None, "by": "random", "fraction": 0.2, "metrics": ["roc_auc"]}
    return TrainJob.model_validate({**told, **same, **rest, "created": DONE.started_at, **parts})


def trained(**parts: Any) -> Trained:
    """What came of it."""
    same = ("artifact", "signature", "holdout", "metrics", "train_rows", "reference", "packages", "python")
    told = {name: getattr(DONE, name) for name in (*same, "code_version")}
    return Trained(**{**told, "learned": LEARNED, "unlabelled_rows": 0, "largest_difference": 0.0, **parts})


def verdict(
    version: VersionRegistered | None = None, *, deterministic: bool = True, tolerance: float = 0.01, **parts: Any
) -> Verdict:
    """What comes of making a version again; keywords are parts of what came of it."""
    wanted = Wanted(registered=version or recorded(), deterministic=deterministic, tolerance=tolerance)
    return judged(wanted, job(), trained(**parts))


OTHERS = [File(path="proof.json", size=1, sha256="d" * 64)]


def other_file(name: str = "model.onnx") -> Any:
    """The same model directory, with another content of one file."""
    file = File(path=name, size=1, sha256="b" * 64)
    changed = file.model_copy(update={"sha256": "c" * 64})
    return tuple(DONE.artifact.model_copy(update={"files": [*OTHERS, each]}) for each in (file, changed))


def test_a_version_is_reproduced_where_everything_is_as_recorded() -> None:
    """Every part is the same, and nothing is to be explained."""
    found = verdict()

    assert {each.name for each in found.parts if not each.same} == set()
    assert [each.name for each in found.parts] == [
        "data", "parameters", "rows", "code", "python", "packages", "artifact", "metrics",
    ]  # fmt: skip
    assert (found.reproduced, found.by, found.because) == (True, "artifact", None)
    assert found.fact.model_dump(exclude_none=True) == {
        "version": 3, "run": DONE.run, "reproduced": True, "differs": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lineage", "part", "told"),
    [
        ({"seed": 99}, "parameters", "parameters: seed was 99 and is"),
        ({"params": {"max_iter": 7}}, "parameters", "params was {'max_iter': 7} and is"),
        ({"train_rows": 7}, "rows", "train_rows was 7 and is"),
        ({"code_version": "0.1+sources.0"}, "code", "code was 0.1+sources.0 and is"),
        ({"python": "CPython 3.8.1"}, "python", "python was CPython 3.8.1 and is"),
        ({"packages": {"numpy": "1.0"}}, "packages", "numpy was 1.0 and is"),
        ({"packages": {**DONE.packages, "gone": "2.0"}}, "packages", "packages: gone was 2.0 and is not there"),
        ({"dataset": DONE.dataset.model_copy(update={"digest": "e" * 64})}, "data", f"data was {'e' * 64} and is"),
    ],
)
def test_what_is_recorded_otherwise_is_told_as_the_likely_reason(
    lineage: Mapping[str, Any], part: str, told: str
) -> None:
    """Where the files differ; where they do not, a version is reproduced all the same."""
    before, after = other_file()
    same = verdict(recorded(**lineage))
    other = verdict(recorded(**lineage, artifact=before), artifact=after)

    assert (same.reproduced, same.because) == (True, None)
    assert [each.name for each in same.parts if not each.same] == [part]
    assert not other.reproduced
    assert told in (other.because or "")
    assert other.fact.differs == [part, "artifact"]


def test_files_that_tell_of_the_run_are_no_files_of_the_model() -> None:
    """The run and its time are never the same, and packages are compared by themselves."""
    before, after = other_file("MLmodel")

    assert verdict(recorded(artifact=before), artifact=after).reproduced


def test_a_file_that_only_one_of_them_has_differs() -> None:
    """In either direction."""
    one, two = DONE.artifact, other_file("extra.json")[0]
    more, fewer = (verdict(recorded(artifact=old), artifact=new) for old, new in ((one, two), (two, one)))

    assert [each.recorded for each in more.parts if each.name == "artifact"] == [
        {"model.onnx": "a" * 64, "extra.json": "not there", "proof.json": "not there"}
    ]
    assert (more.reproduced, fewer.reproduced) == (False, False)


def test_no_files_are_no_proof() -> None:
    """Nothing is equal to nothing, and says nothing."""
    empty = DONE.artifact.model_copy(update={"files": []})

    assert not verdict(recorded(artifact=empty), artifact=empty).reproduced


def test_other_files_without_any_reason_are_said_to_be_chance() -> None:
    """A person then knows where else to look."""
    before, after = other_file()

    found = verdict(recorded(artifact=before), artifact=after)

    assert (found.reproduced, found.fact.differs) == (False, ["artifact"])
    assert "nothing that is recorded differs; another kind of processor" in (found.because or "")


@pytest.mark.parametrize(
    ("metrics", "tolerance", "reproduced"),
    [
        ({"roc_auc": 0.800}, 0.0, True),
        ({"roc_auc": 0.801}, 0.0, False),
        ({"roc_auc": 0.807}, 0.01, True),
        ({"roc_auc": 0.820}, 0.01, False),
        ({"roc_auc": 0.820}, 0.05, True),
        ({"roc_auc": 0.800, "brier": 0.1}, 0.01, False),
        ({}, 1.0, False),
    ],
)
def test_a_framework_that_promises_no_equal_files_is_held_to_its_metrics(
    metrics: dict[str, float], tolerance: float, reproduced: bool
) -> None:
    """The same metrics, each near the recorded one, as a share of it."""
    before, after = other_file()
    version = recorded(artifact=before)

    found = verdict(version, deterministic=False, tolerance=tolerance, artifact=after, metrics=metrics)

    assert (found.reproduced, found.by) == (reproduced, "metrics")
    assert reproduced or "the same fit gives metrics that are more than" in (found.because or "")


def test_metrics_on_other_rows_prove_nothing() -> None:
    """However near they are: the held-out rows must be the same ones."""
    before, after = other_file()
    rows = DONE.holdout.model_copy(update={"rows": DONE.holdout.rows + 1})

    found = verdict(recorded(artifact=before), deterministic=False, artifact=after, holdout=rows)

    assert not found.reproduced
    assert f"held out: rows was {DONE.holdout.rows} and is {rows.rows}" in (found.because or "")


def test_equal_files_are_proof_for_every_framework() -> None:
    """Own code may promise nothing, and do the same."""
    found = verdict(deterministic=False)

    assert (found.reproduced, found.by) == (True, "artifact")


def test_a_framework_that_promises_equal_files_is_not_saved_by_near_metrics() -> None:
    """Metrics of a promise that is kept differ by rounding alone."""
    before, after = other_file()

    found = verdict(recorded(artifact=before), artifact=after, metrics={"roc_auc": 0.8001})

    assert (found.reproduced, found.fact.differs) == (False, ["artifact", "metrics"])


def test_what_is_not_recorded_cannot_differ() -> None:
    """Lineage of an earlier release may lack a part."""
    absent = dict.fromkeys(("seed", "learned", "python", "code_version", "packages", "unlabelled_rows", "params"))

    assert verdict(recorded(**absent)).fact.differs == []


def test_another_version_of_a_package_is_another_code() -> None:
    """By its digest, and by how it is run."""
    ref = DONE.reference
    code = {"package": "net", "version": 2, "object": ref, "entry": "train:train"}
    wanted = Wanted(registered=recorded(code=code), deterministic=False)

    same = judged(wanted, job(code=CodeJob(**code)), trained())
    other = judged(wanted, job(code=CodeJob(**{**code, "version": 3})), trained())

    assert (same.fact.differs, other.fact.differs) == ([], ["own-code"])
    assert [each.told for each in other.parts if not each.same] == ["own-code: version was 2 and is 3"]


# for real


async def ready(on: Harness, world: Any, rows: DatasetIngested, **declared: Any) -> TrainingCompleted:
    """A model `delay` that has trained once on some data."""
    await on.say(world.declared(**declared))
    await on.say(rows)
    await on.quiet()
    assert (await on.http.post("/models/delay/runs", json={"params": {"C": 0.5}, "seed": 4})).status_code == 202
    return (await on.heard(TrainingCompleted, "delay", timeout=120)).data


async def again(on: Harness, version: int, **wish: Any) -> tuple[TrainingCompleted, Any]:
    """Make a version again; the completion, and the run as people see it."""
    asked = await on.http.post(f"/models/delay/versions/{version}/reproductions", json=wish)
    assert asked.status_code == 202, asked.text
    run = asked.json()["run"]
    done = (await on.heard(TrainingCompleted, where=lambda event: event.run == run, timeout=120)).data
    return done, (await on.http.get(f"/runs/{run}")).json()


async def test_a_version_is_made_again_file_by_file_and_what_changed_since_is_told(
    on: Harness, world: Any, buckets: S3
) -> None:
    """The recorded data, parameters and seed, whatever is declared and ingested since; it makes no version."""
    data = world.ingested(world.flights(seed=31))
    first = await ready(on, world, data)
    await on.say(registered(first))
    packages = {**(first.packages or {}), "numpy": "1.0.0"}
    files = [file.model_copy(update={"sha256": "0" * 64}) for file in first.artifact.files]
    other = registered(first, 2, packages=packages)
    await on.say(other.model_copy(update={"artifact": first.artifact.model_copy(update={"files": files})}))
    await on.say(world.declared(revision=2, training={"params": {"C": 9.0}}))
    await on.say(world.ingested(world.flights(seed=32), version=2))
    await on.quiet()

    done, told = await again(on, 1, reason="yearly proof")
    (late, why) = await again(on, 2)

    assert (done.experiment, done.dataset, done.params, done.seed) == ("reproductions", first.dataset, {"C": 0.5}, 4)
    assert (done.declared_revision, done.metrics) == (1, first.metrics)
    assert done.reproduction is not None
    assert done.reproduction.model_dump(exclude_none=True) == {
        "version": 1, "run": first.run, "reproduced": True, "differs": [],
    }  # fmt: skip
    assert (told["reason"], told["requested_by"]) == ("yearly proof", "key:anonymous")
    assert {each["part"] for each in told["reproduction"]["parts"]} >= {"data", "artifact", "metrics", "packages"}
    assert told["reproduction"]["by"] == "artifact"

    assert late.reproduction is not None
    assert (late.reproduction.reproduced, late.reproduction.differs) == (False, ["packages", "artifact"])
    assert f"packages: numpy was 1.0.0 and is {first.packages['numpy']}" in (late.reproduction.because or "")
    (changed,) = [each for each in why["reproduction"]["parts"] if each["part"] == "packages"]
    assert (changed["recorded"], changed["now"]) == ({"numpy": "1.0.0"}, {"numpy": first.packages["numpy"]})

    promoted = await on.http.post(f"/runs/{done.run}/promote")
    assert (promoted.status_code, "is a version already" in promoted.json()["detail"]) == (422, True)
    buckets.sync.remove(data.manifest.bucket, data.manifest.key)
    gone = await on.http.post("/models/delay/versions/1/reproductions")
    assert (gone.status_code, "dataset flights version 1, which is gone" in gone.json()["detail"]) == (422, True)


async def test_own_code_is_run_again_from_the_version_that_was_pushed_then(
    on: Harness, world: Any, tmp_path: Path, buckets: S3
) -> None:
    """What draws by chance gives other files, and near metrics; a package that is gone cannot be run."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "train.py").write_text(CHANCE)
    archive = pack(tmp_path / "net", tmp_path / "net.tar").archive.read_bytes()
    assert (await on.http.post("/code/net/files", content=archive)).status_code == 201
    own = {"estimator": None, "framework": "code", "code": {"package": "net", "entry": "train:train"}}
    first = await ready(on, world, world.ingested(world.flights(seed=33)), training=own, data={"features": ["wind"]})
    await on.say(registered(first))
    (tmp_path / "net" / "train.py").write_text("raise RuntimeError('newer')")
    newer = pack(tmp_path / "net", tmp_path / "newer.tar").archive.read_bytes()
    assert (await on.http.post("/code/net/files", content=newer)).status_code == 201
    await on.quiet()

    done, told = await again(on, 1, tolerance=0.02)

    assert done.code == first.code
    assert done.reproduction is not None
    assert (done.reproduction.reproduced, done.reproduction.differs) == (True, ["artifact"]), told["reproduction"]
    assert (told["reproduction"]["by"], told["reproduction"]["tolerance"]) == ("metrics", 0.02)
    assert done.code is not None
    buckets.sync.remove(done.code.object.bucket, done.code.object.key)
    gone = await on.http.post("/models/delay/versions/1/reproductions")
    assert (gone.status_code, "package net@1, which is gone" in gone.json()["detail"]) == (422, True)


def elsewhere(**lineage: Any) -> VersionRegistered:
    """A version of `delay` that did not come of a run of this trainer."""
    told = registered(DONE.model_copy(update={"model": "delay"}), 5, **lineage)
    return told.model_copy(update={"origin": "trained" if lineage["run"] else "imported"})


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (elsewhere(run=None), "models:/delay/5 is imported, not trained here"),
        (elsewhere(run="a-run-of-long-ago"), "made by run a-run-of-long-ago, of which nothing is known here"),
    ],
)
async def test_what_was_not_trained_here_is_refused_on_every_way_in(
    on: Harness, world: Any, version: VersionRegistered, why: str
) -> None:
    """With the reason; nothing is queued."""
    await on.say(world.declared())
    await on.say(version)
    await on.quiet()

    answer = await on.http.post("/models/delay/versions/5/reproductions", json={})
    await on.say(ReproductionRequested(model="delay", version=5), as_="operator")
    refused = await on.heard(RequestRefused)

    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert why in refused.data.reason
    assert on.all(TrainingQueued) == []


async def test_a_version_that_nobody_knows_and_a_wrong_wish_are_refused(on: Harness, world: Any) -> None:
    """Over HTTP as what is not there, by event with what lists those that are."""
    await on.say(world.declared())
    await on.say(elsewhere(run=None))
    await on.quiet()

    await on.say(ReproductionRequested(model="delay", version=9), as_="operator")
    refused = await on.heard(RequestRefused)

    assert "no version models:/delay/9; `headrace versions delay` lists" in refused.data.reason
    for path, body, status in (
        ("/models/delay/versions/9/reproductions", {}, 404),
        ("/models/nobody/versions/5/reproductions", {}, 404),
        ("/models/delay/versions/0/reproductions", {}, 422),
        ("/models/delay/versions/x/reproductions", {}, 422),
        (f"/models/delay/versions/{10**30}/reproductions", {}, 422),
        ("/models/delay/versions/5/reproductions", {"tolerance": 2}, 422),
        ("/models/delay/versions/5/reproductions", {"toleranc": 0.1}, 422),
    ):
        assert (await on.http.post(path, json=body)).status_code == status, path
