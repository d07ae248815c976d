"""A version that answers in a process of its own is judged like any other."""

from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from headrace.contracts import Artifact, Signature, Tensor
from headrace.runtimes import BadAnswer, Description, write_directory
from headrace.testkit.s3 import S3
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.jobs import EvaluateJob, Rival

from .test_honest import OLD, Put, data, put, trained

__all__ = ["put"]

BY_X = "from math import exp\ndef predict(columns): return {'probability': [1 / (1 + exp(-x)) for x in columns['x']]}"
LOST = "def predict(columns): return {'probability': columns['x'][:-1]}"


def artifact(buckets: S3, folder: Path, code: str) -> Artifact:
    """A model directory with a function of x."""
    folder.mkdir()
    (folder / "model.py").write_text(code)
    signature = Signature(
        task="binary",
        inputs=[Tensor(name="x", datatype="FP64", shape=[-1], nullable=False)],
        outputs=[Tensor(name="probability", datatype="FP64", shape=[-1], label=1)],
    )
    described = Description("process", signature, options={"python": {"module": "model"}})
    about = {"run": "run-p", "created": "2026-01-05T12:00:00+00:00"}
    write_directory(folder, described, about=about, flavors={}, packages=[], example={})
    return buckets.sync.put_directory("models", folder, prefix=f"m/run-p/{folder.name}")


def test_an_evaluation_asks_the_processes_and_compares_with_a_graph(buckets: S3, put: Put, tmp_path: Path) -> None:
    """On the same held-out rows, metric by metric; a model that gives too few answers fails the evaluation."""
    part = put(OLD)
    champion = trained(buckets, [part], "graph")

    def job(code: str, name: str) -> EvaluateJob:
        return EvaluateJob(
            evaluation="e",
            candidate=Rival(version=2, artifact=artifact(buckets, tmp_path / name, code)),
            champion=Rival(version=1, artifact=champion.artifact, learned=champion.learned),
            data=data(buckets, [part]),
            holdout=champion.holdout,
            columns=["at", "x", "y", "z"],
            target="y",
            metrics=["roc_auc"],
            confidence=0.95,
            resamples=50,
            seed=0,
        )

    found = evaluate(job(BY_X, "by-x"), buckets.sync, lambda step: None)
    with pytest.raises(BadAnswer, match=r"output 'probability' has shape \[\d+\]; \d+ rows of its signature"):
        evaluate(job(LOST, "lost"), buckets.sync, lambda step: None)

    (compared,) = found.comparisons
    whole = roc_auc_score(OLD["y"], OLD["x"])
    assert found.rows == champion.holdout.rows
    assert found.candidate["roc_auc"] == pytest.approx(whole, abs=0.1)
    assert compared.candidate == pytest.approx(found.candidate["roc_auc"], abs=0.02)
