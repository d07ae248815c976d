"""Judge a candidate against the champion, on the same rows that neither has learned from."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Artifact, Holdout, Part
from headrace.frameworks import OnnxPredictor, load_onnx
from headrace.frameworks.metrics import compare, measured
from headrace.objects import SyncObjectStore
from headrace.trainer.work.holdout import at_random, since
from headrace.trainer.work.jobs import Compared, Evaluated, EvaluateJob, Step, Tell
from headrace.trainer.work.reading import read_parts
from headrace.trainer.work.truth import BadTruth, score_of, truth_of


def evaluate(job: EvaluateJob, store: SyncObjectStore, tell: Tell) -> Evaluated:
    """Run the job: the graphs that would serve are what is judged."""
    models = [model for model in (job.candidate, job.champion) if model is not None]
    graphs = [load(store, model) for model in models]
    rows = read_parts(store, job.parts, list(_columns(job, graphs)), tell)
    held = rows[held_out(job.holdout, job.parts, rows)]
    if held.empty:
        raise BadTruth("no row of the dataset version lies in the holdout")
    tell(Step(stage="scoring", step=0, of=1, message=f"{len(held)} rows"))
    truth = truth_of(graphs[0], held[job.target])
    scores = [score_of(graph, held) for graph in graphs]
    metrics = [measured(job.metrics, truth, score) for score in scores]
    return Evaluated(
        rows=len(held),
        candidate=metrics[0],
        champion=metrics[1] if job.champion else None,
        comparisons=_comparisons(job, truth, scores, metrics),
    )


def held_out(holdout: Holdout, parts: Sequence[Part], rows: pd.DataFrame) -> np.ndarray:
    """The mask of the rows that a holdout describes."""
    if holdout.by == "time":
        return since(rows[holdout.column], holdout.boundary or "")
    return at_random([(part.object.sha256, part.rows) for part in parts], holdout.fraction, holdout.seed or 0)


def load(store: SyncObjectStore, artifact: Artifact) -> OnnxPredictor:
    """The graph of an artifact."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        return load_onnx(store.get_directory(artifact, Path(scratch) / "model"))


def _columns(job: EvaluateJob, graphs: Sequence[OnnxPredictor]) -> Iterator[str]:
    wanted = {tensor.name for graph in graphs for tensor in graph.signature.inputs} | {job.target}
    yield from sorted(wanted | ({job.holdout.column} if job.holdout.column else set()))


def _comparisons(
    job: EvaluateJob, truth: np.ndarray, scores: Sequence[np.ndarray], metrics: Sequence[dict[str, float]]
) -> list[Compared]:
    if len(scores) < 2:
        return []
    ask: dict[str, Any] = {"confidence": job.confidence, "resamples": job.resamples, "seed": job.seed}
    both = [name for name in job.metrics if all(name in known for known in metrics)]
    return [Compared(**vars(compare(name, truth, *scores, **ask))) for name in both]
