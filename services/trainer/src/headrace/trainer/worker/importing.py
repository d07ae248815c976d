"""Take over an artifact that was made elsewhere: fetch, read, convert, compare with itself, judge, upload."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.code.scratch import scratch
from headrace.contracts import Holdout, ObjectRef
from headrace.objects import SyncObjectStore
from headrace.runtimes import Model, PickleFound, load, refuse_pickle
from headrace.tasks import BadTruth, target_of, whole_groups
from headrace.trainer.formats.archive import unpack
from headrace.trainer.formats.base import Artifact, BadArtifact, Given, Saved, Wanted
from headrace.trainer.formats.catalog import sniffed
from headrace.trainer.worker.content import packed
from headrace.trainer.worker.holdout import groups_of
from headrace.trainer.worker.jobs import Brought, ImportJob, Learned, Step, Tell
from headrace.trainer.worker.judging import Judge, add_functions, judge_of
from headrace.trainer.worker.provenance import code_version, packages, python
from headrace.trainer.worker.reading import Rows, read_rows
from headrace.trainer.worker.training import ANY, SEEN, divide, reference_of
from headrace.trainer.worker.truth import Said, ask, truth_of

_MOST_ROWS = 10_000  # compared; a library of trees answers them within a second
_NO_PICKLE = "of scikit-learn skops.io.dump, of LightGBM Booster.save_model, of everything else ONNX"


@dataclass(frozen=True)
class _Judges:
    """The rows of the test data, and which of them judge the model."""

    rows: Rows
    held: np.ndarray
    judged: np.ndarray
    holdout: Holdout
    learned: Learned | None


def bring(job: ImportJob, store: SyncObjectStore, tell: Tell) -> Brought:
    """Run the job; every object is written before the outcome tells of it."""
    with scratch("headrace-import-") as own:
        source, file = _fetched(job, store, own / "source", tell)
        folder = unpack(file, job.source_name, own / "artifact", job.largest)
        name, artifact = _read(job, folder)
        job = job.model_copy(update={"features": list(artifact.columns)})
        judges = _judges(job, store, tell)
        made = own / "model"
        model, saved = _taken_over(job, artifact, judges, made, tell)
        if target_of(model.signature).judged_by:
            add_functions(job.judge, store, made)
        said, metrics = _score(job, model, judges, judge_of(model, made, job.target), tell)
        tell(Step(stage="uploading", step=0, of=2, message="model"))
        written = store.put_directory(job.bucket, made, prefix=f"{job.prefix}/model")
        rest = judges.rows.frame[~judges.held]
        tell(Step(stage="uploading", step=1, of=2, message="reference"))
        reference = store.put(job.bucket, reference_of(job, model, rest, said), key=f"{job.prefix}/reference.parquet")
    tell(Step(stage="uploading", step=2, of=2))
    return Brought(
        format=name,
        source=source,
        producer=artifact.producer,
        framework=artifact.framework,
        estimator=artifact.estimator,
        artifact=written,
        signature=model.signature,
        features=job.features,
        holdout=judges.holdout,
        metrics=metrics,
        reference=reference,
        learned=judges.learned,
        largest_difference=saved.equality.largest_difference,
        compared_rows=saved.equality.rows,
        differing_rows=saved.equality.differing,
        code_version=code_version(),
        packages=packages(),
        python=python(),
        warnings=[*_warnings(job, model, judges, metrics, saved)],
    )


def _fetched(job: ImportJob, store: SyncObjectStore, to: Path, tell: Tell) -> tuple[ObjectRef, Path]:
    """The object as it lies there, and a reference that binds it; raises BadArtifact where it is too large."""
    place = job.source
    tell(Step(stage="loading", step=0, of=1, message=job.source_name))
    digest, size = hashlib.sha256(), 0
    with to.open("wb") as file:
        for block in store.read(place.bucket, place.key, place.version_id):
            digest.update(block)
            size += len(block)
            if size > job.largest:
                raise BadArtifact(f"{place.key} has more than {job.largest:,} bytes, the most that is imported")
            file.write(block)
    sha256 = digest.hexdigest()
    bucket = store.bucket(place.bucket)
    return ObjectRef(bucket=bucket, key=place.key, version_id=place.version_id, size=size, sha256=sha256), to


def _read(job: ImportJob, folder: Path) -> tuple[str, Artifact]:
    try:
        refuse_pickle(folder)
    except PickleFound as error:
        raise BadArtifact(f"{error}: {_NO_PICKLE}. Loading a pickle runs whatever code it carries") from error
    found, wanted = sniffed(folder, job.format), _wanted(job)
    artifact = found.form.read(found.path, wanted)
    if wanted.by_name and not artifact.gives_tensors:
        told = f"a model of task {job.task} gives tensors of its own"
        raise BadArtifact(f"{told}, which ONNX has; {found.name} has not")
    return found.name, artifact


def _wanted(job: ImportJob) -> Wanted:
    columns = {column.name: column for column in job.features}
    return Wanted(job.task, job.target, columns, job.data.dataset, job.order, job.outputs, job.options)


def _judges(job: ImportJob, store: SyncObjectStore, tell: Tell) -> _Judges:
    """The rows that judge it: those held out, without those that it has learned from."""
    rows = read_rows(store, job.data, _columns(job), job.target, tell, _known_by(job))
    if rows.frame.empty:
        raise BadTruth(f"dataset {job.data.dataset} has no rows with a value of {job.target}")
    held, holdout = _held_out(job, rows)
    ids = _learned_ids(job, store, tell)
    judged = held if ids is None else held & _unlearned(job, rows, ids)
    if not judged.any():
        raise BadTruth(
            f"of {held.sum()} rows of {job.data.dataset} that would judge the model there is none that it has not "
            "learned from, as --learned-from says; give other test data with --data"
        )
    return _Judges(rows, held, judged, holdout, _kept(job, store, ids))


def _unlearned(job: ImportJob, rows: Rows, ids: np.ndarray) -> np.ndarray:
    """The mask of the rows that it has not learned from, of groups that are judged whole none of a part."""
    return whole_groups(~np.isin(rows.identity[SEEN], ids), groups_of(rows.frame, job.grouped_by))


def _held_out(job: ImportJob, rows: Rows) -> tuple[np.ndarray, Holdout]:
    if not job.whole:
        return divide(job, rows)
    count = len(rows.frame)
    return np.ones(count, dtype=bool), Holdout(
        by="random", fraction=1.0, columns=list(job.columns), rows=count, grouped_by=job.grouped_by
    )


def _learned_ids(job: ImportJob, store: SyncObjectStore, tell: Tell) -> np.ndarray | None:
    """Who the rows are that it has learned from; None where nobody says."""
    if job.learned is None:
        return np.array([], dtype=np.uint64) if job.learned_none else None
    if missing := [name for name in _seen(job) if name not in job.learned_columns]:
        raise BadTruth(f"dataset {job.learned.dataset}, which it has learned from, has no column {', '.join(missing)}")
    rows = read_rows(store, job.learned, [job.target], job.target, tell, {SEEN: _seen(job)})
    return np.asarray(rows.identity[SEEN])


def _kept(job: ImportJob, store: SyncObjectStore, ids: np.ndarray | None) -> Learned | None:
    if ids is None:
        return None
    known = store.put(job.bucket, packed(ids), key=f"{job.prefix}/learned-rows.u64")
    return Learned(object=known, columns=_seen(job), rows=len(ids))


def _taken_over(job: ImportJob, artifact: Artifact, judges: _Judges, folder: Path, tell: Tell) -> tuple[Model, Saved]:
    """The model directory in the runtime that serves it, compared with the artifact's own library."""
    kept = judges.rows.frame[judges.judged]
    sample = kept.iloc[np.linspace(0, len(kept) - 1, min(len(kept), _MOST_ROWS)).astype(int)].reset_index(drop=True)
    tell(Step(stage="exporting", step=0, of=1, message=f"compared on {len(sample)} rows"))
    given = Given(
        known=judges.rows.frame[job.target].unique().tolist(),
        rows=sample,
        about={"run": job.import_id, "created": job.created.isoformat()},
        labels=job.labels,
        positive=job.positive,
        context=job.context,
    )
    saved = artifact.save(folder, _wanted(job), given)
    apart = saved.equality.largest_difference
    told = "the artifact itself serves" if apart is None else f"differs by {apart:.1g} at most"
    tell(Step(stage="exporting", step=1, of=1, message=told))
    return load(folder), saved


def _score(job: ImportJob, model: Model, judges: _Judges, judge: Judge, tell: Tell) -> tuple[Said, dict[str, float]]:
    tell(Step(stage="scoring", step=0, of=1, message=f"{judges.judged.sum()} rows"))
    said = ask(model, judges.rows.frame, judges.judged)
    count = len(said.at)
    if silent := int((~np.isfinite(said.score.values.reshape(count, -1)).all(axis=1)).sum()):
        raise BadArtifact(
            f"it gives no answer for {silent} of {count} rows that judge it, and a version answers every row; of a "
            "PMML document that says returnInvalid, say asMissing or asIs in its MiningSchema"
        )
    metrics = judge.measured(job.metrics, truth_of(model, said.rows[job.target]), said)
    tell(Step(stage="scoring", step=1, of=1, metrics=metrics))
    return said, metrics


def _warnings(
    job: ImportJob, model: Model, judges: _Judges, metrics: Mapping[str, float], saved: Saved
) -> Iterator[str]:
    """What who imported it should look at."""
    rows, kept, equality = judges.rows, judges.rows.frame[judges.judged], saved.equality
    if judges.learned is None:
        yield (
            "nobody says which rows it has learned from: where it knows those that judge it, its figures are too good; "
            "it is compared with no other version. Import it with --learned-from DATASET@VERSION, or none"
        )
    yield from saved.remarks
    if equality.differing:
        yield (
            f"in {equality.differing} of {equality.rows} rows it answers otherwise than its own library, by up to "
            f"{equality.largest_difference:.2g}, because numbers are served with the precision of float32"
        )
    if rows.unlabelled:
        yield f"{rows.unlabelled} of {rows.unlabelled + len(rows.frame)} rows have no {job.target} and were left out"
    for name in [name for name in job.metrics if name not in metrics]:
        yield f"metric {name} has no value on the {len(kept)} rows that judge it"
    yield from target_of(model.signature).remarks(truth_of(model, kept[job.target]))


def _columns(job: ImportJob) -> list[str]:
    names = [column.name for column in (*job.features, *job.context)]
    time = [job.time] if job.time and job.by == "time" and not job.whole else []
    return list(dict.fromkeys([*names, job.target, *time]))


def _seen(job: ImportJob) -> list[str]:
    return [*(column.name for column in job.features), job.target]


def _known_by(job: ImportJob) -> dict[str, Sequence[str]]:
    known: dict[str, Sequence[str]] = {SEEN: _seen(job)}
    return known if job.whole or job.by == "time" else {**known, ANY: job.columns}
