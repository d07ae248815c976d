"""Train one model: load, hold out, fit, export, score, upload."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.code.scratch import scratch
from headrace.contracts import ANSWER_COLUMN, Holdout
from headrace.frameworks import FRAMEWORKS, About, EarlyStopping, OwnCode, Recipe, Saved
from headrace.objects import SyncObjectStore
from headrace.runtimes import Model, load
from headrace.tasks import target_of, task_named
from headrace.trainer.worker.advice import Known, advice
from headrace.trainer.worker.content import packed
from headrace.trainer.worker.framed import shaped
from headrace.trainer.worker.holdout import NoHoldout, at_random, by_time, groups_of, identity_of
from headrace.trainer.worker.jobs import ImportJob, Learned, Step, Tell, Trained, TrainJob
from headrace.trainer.worker.judging import Judge, add_functions, judge_of
from headrace.trainer.worker.own_code import own_code
from headrace.trainer.worker.provenance import code_version, packages, python
from headrace.trainer.worker.reading import Rows, read_rows
from headrace.trainer.worker.truth import Said, ask, truth_of

REFERENCE_ROWS = 20_000  # what drift compares with: enough for a hundredth of a quantile, 2 MB


SEEN, ANY = "seen", "any"  # sets of columns by which rows are known: what the model sees, and all there are


def train(job: TrainJob, store: SyncObjectStore, tell: Tell) -> Trained:
    """Run the job; every object is written before the outcome tells of it."""
    FRAMEWORKS[job.framework].check(job.estimator, job.params)
    rows = read_rows(store, job.data, columns_of(job), job.target, tell, known_by(job))
    held, holdout = divide(job, rows)
    learned = rows.frame[~held]
    with own_code(job, store, tell) as code, scratch("headrace-fit-") as own:
        folder = own / "model"
        folder.mkdir()
        saved = _fit_and_save(job, learned, code, folder, tell)
        model = load(folder)
        if target_of(model.signature).judged_by:
            add_functions(job.judge or job.code, store, folder)
        said, metrics = _score(job, model, rows.frame, held, judge_of(model, folder, job.target), tell)
        tell(Step(stage="uploading", step=0, of=3, message="model"))
        artifact = store.put_directory(job.bucket, folder, prefix=f"{job.prefix}/model")
    tell(Step(stage="uploading", step=1, of=3, message="reference"))
    reference = store.put(job.bucket, reference_of(job, model, learned, said), key=f"{job.prefix}/reference.parquet")
    tell(Step(stage="uploading", step=2, of=3, message="learned rows"))
    known = store.put(job.bucket, packed(rows.identity[SEEN][~held]), key=f"{job.prefix}/learned-rows.u64")
    tell(Step(stage="uploading", step=3, of=3))
    return Trained(
        artifact=artifact,
        signature=saved.signature,
        holdout=holdout,
        metrics=metrics,
        train_rows=len(learned),
        unlabelled_rows=rows.unlabelled,
        learned=Learned(object=known, columns=_seen(job), rows=len(learned)),
        reference=reference,
        code_version=code_version(),
        packages=packages(),
        python=python(),
        largest_difference=saved.largest_difference,
        preparation=saved.preparation,
        warnings=[*_warnings(job, model, rows, held, metrics), *([saved.remark] if saved.remark else [])],
    )


def divide(job: TrainJob | ImportJob, rows: Rows) -> tuple[np.ndarray, Holdout]:
    """The mask of held-out rows, and its description for whoever must find the same rows again."""
    if rows.frame.empty:
        missing = f"; target {job.target!r} is missing in all {rows.unlabelled}" if rows.unlabelled else ""
        raise NoHoldout(f"the dataset version has no rows to learn from{missing}")
    told: dict[str, Any] = {"by": job.by, "fraction": job.fraction, "grouped_by": job.grouped_by}
    if job.by == "time":
        held, boundary = by_time(rows.frame[job.time], job.fraction, groups_of(rows.frame, job.grouped_by))
        return held, Holdout(**told, column=job.time, boundary=boundary, rows=int(held.sum()))
    held = at_random(identity_of(rows.frame, rows.identity[ANY], job.grouped_by), job.fraction)
    return held, Holdout(**told, columns=list(job.columns), rows=int(held.sum()))


def reference_of(job: TrainJob | ImportJob, model: Model, learned: pd.DataFrame, said: Said) -> bytes:
    """A sample of the rows that the model knows, as Parquet, with its answers on those that it has not learned from.

    What a model says of rows that it has learned is surer than what it says of any other: measured against that,
    every model's predictions would drift on the day that it serves.
    """
    asked = _sample(said.rows.reset_index(drop=True), REFERENCE_ROWS // 2, job.seed)
    sample = pd.concat([asked, _sample(learned, REFERENCE_ROWS - len(asked), job.seed)])
    watched = target_of(model.signature).watched({name: each[asked.index] for name, each in said.outputs.items()})
    if watched is not None:
        sample[ANSWER_COLUMN] = _padded(watched.values, len(sample))
    names = [column.name for column in (*job.features, *job.context)]
    kept = sample[[*names, *([] if watched is None else [ANSWER_COLUMN]), job.target]]
    buffer = io.BytesIO()
    kept.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _padded(values: np.ndarray, rows: int) -> np.ndarray:
    """The same for the first rows, and a gap for the others."""
    gap = None if values.dtype == object else np.nan
    return np.concatenate([values, np.full(rows - len(values), gap, dtype=values.dtype)])


def _sample(rows: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    return rows.sample(n=min(most, len(rows)), random_state=seed % 2**32).sort_index()


def columns_of(job: TrainJob) -> list[str]:
    """The columns that a job reads."""
    names = [column.name for column in (*job.features, *job.context)]
    more = [job.time if job.by == "time" else None, job.weight, job.grouped_by]
    return list(dict.fromkeys([*names, job.target, *(name for name in more if name)]))


def _seen(job: TrainJob) -> list[str]:
    """What a row is known by; where rows tell of each other their time, too, since two may be alike in the rest."""
    time = [job.time] if job.time and task_named(job.task).framed_by else []
    return [*time, *(column.name for column in job.features), job.target]


def known_by(job: TrainJob) -> dict[str, Sequence[str]]:
    """The sets of columns by which its rows are known."""
    return {SEEN: _seen(job), **({ANY: job.columns} if job.by == "random" else {})}


def _warnings(job: TrainJob, model: Model, rows: Rows, held: np.ndarray, metrics: Mapping[str, float]) -> Iterator[str]:
    """What the author should look at."""
    yield from job.warnings
    learned, kept = rows.frame[~held], rows.frame[held]
    if rows.unlabelled:
        total = rows.unlabelled + len(rows.frame)
        yield f"{rows.unlabelled} of {total} rows have no {job.target} and were left out"
    if job.grouped_by and (apart := int(kept[job.grouped_by].isna().sum())):
        yield f"{apart} of {len(kept)} held-out rows have no {job.grouped_by} and were not judged"
    for name in [name for name in job.metrics if name not in metrics]:
        yield f"metric {name} has no value on the {len(kept)} held-out rows"
    known, asked = (Known(part, truth_of(model, part[job.target])) for part in (learned, kept))
    target = target_of(model.signature)
    yield from target.remarks(asked.truth)
    yield from advice(job.features, job.preparation, known, asked, target)


def recipe_of(job: TrainJob, code: OwnCode | None = None) -> Recipe:
    """What a job fits, and how."""
    return Recipe(
        estimator=job.estimator,
        params=job.params,
        seed=job.seed,
        features=job.features,
        target=job.target,
        task=job.task,
        positive=job.positive,
        context=job.context,
        options=job.options,
        weight=job.weight,
        class_weight=job.class_weight,
        monotone=job.monotone,
        early_stopping=stopping(job),
        preparation=job.preparation,
        code=code,
    )


def _fit_and_save(job: TrainJob, learned: pd.DataFrame, code: OwnCode | None, folder: Path, tell: Tell) -> Saved:
    found = shaped(learned, recipe_of(job, code))
    tell(Step(stage="fitting", step=0, of=1, message=f"{len(found.rows)} rows"))
    framework = FRAMEWORKS[job.framework]
    fitted = framework.fit(found.rows, found.recipe, lambda step, of: tell(Step(stage="fitting", step=step, of=of)))
    tell(Step(stage="exporting", step=0, of=1))
    saved = found.save(framework, fitted, folder, About(job.run, job.created))
    told = f"{saved.runtime} differs by {saved.largest_difference:.1g} at most"
    tell(Step(stage="exporting", step=1, of=1, message=told))
    return saved


def stopping(job: TrainJob) -> EarlyStopping | None:
    """How the fit is watched: on the newest rows where the holdout is the newest ones, too."""
    asked = job.early_stopping
    time = job.time if job.by == "time" else None
    return None if asked is None else EarlyStopping(asked.rounds, asked.fraction, time)


def _score(
    job: TrainJob, model: Model, rows: pd.DataFrame, held: np.ndarray, judge: Judge, tell: Tell
) -> tuple[Said, dict[str, float]]:
    """What the model says of held-out rows, and how good that is."""
    tell(Step(stage="scoring", step=0, of=1, message=f"{held.sum()} rows"))
    said = ask(model, rows, held)
    said = said.those(said.answered)
    metrics = judge.measured(job.metrics, truth_of(model, said.rows[job.target]), said)
    tell(Step(stage="scoring", step=1, of=1, metrics=metrics))
    return said, metrics
