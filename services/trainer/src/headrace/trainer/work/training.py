"""Train one model: load, hold out, fit, export, score, upload."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from headrace.contracts import Holdout
from headrace.frameworks import FRAMEWORKS, About, Fitted, OnnxPredictor, Recipe, Saved, load_onnx
from headrace.frameworks.metrics import measured
from headrace.objects import SyncObjectStore
from headrace.trainer.work.holdout import NoHoldout, at_random, by_time
from headrace.trainer.work.jobs import Step, Tell, Trained, TrainJob
from headrace.trainer.work.provenance import code_version, packages, python
from headrace.trainer.work.reading import read_parts
from headrace.trainer.work.truth import score_of, truth_of

REFERENCE_ROWS = 20_000  # what drift compares with: enough for a hundredth of a quantile, 2 MB


def train(job: TrainJob, store: SyncObjectStore, tell: Tell) -> Trained:
    """Run the job; every object is written before the outcome tells of it."""
    rows = read_parts(store, job.parts, _columns(job), tell)
    held, holdout = divide(job, rows)
    learned = rows[~held]
    fitted = _fit(job, learned, tell)
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        folder = Path(scratch)
        saved = _save(job, fitted, folder, tell)
        graph = load_onnx(folder)
        metrics = _score(job, graph, rows[held], tell)
        tell(Step(stage="uploading", step=0, of=2, message="model"))
        artifact = store.put_directory(job.bucket, folder, prefix=f"{job.prefix}/model")
    tell(Step(stage="uploading", step=1, of=2, message="reference"))
    reference = store.put(job.bucket, reference_of(job, graph, learned), key=f"{job.prefix}/reference.parquet")
    tell(Step(stage="uploading", step=2, of=2))
    return Trained(
        artifact=artifact,
        signature=saved.signature,
        holdout=holdout,
        metrics=metrics,
        train_rows=len(learned),
        reference=reference,
        code_version=code_version(),
        packages=packages(),
        python=python(),
        largest_difference=saved.largest_difference,
    )


def divide(job: TrainJob, rows: pd.DataFrame) -> tuple[np.ndarray, Holdout]:
    """The mask of held-out rows, and its description for whoever must find the same rows again."""
    if rows.empty:
        raise NoHoldout("the dataset version has no rows")
    if job.by == "time":
        held, boundary = by_time(rows[job.time], job.fraction)
        return held, Holdout(by="time", fraction=job.fraction, column=job.time, boundary=boundary, rows=int(held.sum()))
    held = at_random([(part.object.sha256, part.rows) for part in job.parts], job.fraction, job.seed)
    return held, Holdout(by="random", fraction=job.fraction, seed=job.seed, rows=int(held.sum()))


def reference_of(job: TrainJob, graph: OnnxPredictor, learned: pd.DataFrame) -> bytes:
    """A sample of what the model has learned from, with its answers, as Parquet."""
    sample = learned.sample(n=min(REFERENCE_ROWS, len(learned)), random_state=job.seed).sort_index()
    kept = sample[[column.name for column in job.features]].assign(prediction=score_of(graph, sample))
    buffer = io.BytesIO()
    kept.assign(**{job.target: sample[job.target]}).to_parquet(buffer, index=False)
    return buffer.getvalue()


def _columns(job: TrainJob) -> list[str]:
    names = [column.name for column in job.features]
    return list(dict.fromkeys([*names, job.target, *([job.time] if job.time and job.by == "time" else [])]))


def _fit(job: TrainJob, learned: pd.DataFrame, tell: Tell) -> Fitted:
    recipe = Recipe(job.estimator, job.params, job.seed, job.features, job.target, job.positive, job.context)
    tell(Step(stage="fitting", step=0, of=1, message=f"{len(learned)} rows"))
    return FRAMEWORKS[job.framework].fit(
        learned, recipe, lambda step, of: tell(Step(stage="fitting", step=step, of=of))
    )


def _save(job: TrainJob, fitted: Fitted, folder: Path, tell: Tell) -> Saved:
    tell(Step(stage="exporting", step=0, of=1))
    saved = FRAMEWORKS[job.framework].save(fitted, folder, About(job.run, job.created))
    tell(Step(stage="exporting", step=1, of=1, message=f"ONNX differs by {saved.largest_difference:.1g} at most"))
    return saved


def _score(job: TrainJob, graph: OnnxPredictor, held: pd.DataFrame, tell: Tell) -> dict[str, float]:
    tell(Step(stage="scoring", step=0, of=1, message=f"{len(held)} rows"))
    metrics = measured(job.metrics, truth_of(graph, held[job.target]), score_of(graph, held))
    tell(Step(stage="scoring", step=1, of=1, metrics=metrics))
    return metrics
