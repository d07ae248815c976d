"""From a small data set to the first answer of the version that was trained on it, on the running embedded stack.

The clock runs from the upload to the first prediction by the new version: contract, Parquet, training on a warm Ray
worker, registration, evaluation against the champion, gates, alias, rollout and audit included. By hand with MLflow the
same takes 20 s (fit 0.01 s, log and register 8.2 s, serve 12 s), measured once on 2 cores; it is not run again here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from harness import Bench
from sklearn.datasets import load_breast_cancer

from headrace.client.addresses import find_stack
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client
from headrace.local import Stack

PORT_BASE = 26_000
ROUNDS, FIRST, MORE = 8, 300, 25
WORK = "data set uploaded to first new answer"
MODEL = {
    "kind": "Model",
    "name": "tumours",
    "data": {"dataset": "patients", "target": "target"},
    "training": {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 500}},
    "evaluation": {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.7}]},
    "serving": {"strategy": "direct"},
}


def run() -> Bench:
    """Measure; the bound of our own is 1.0 s."""
    bench = Bench("end_to_end")
    frame = load_breast_cancer(as_frame=True).frame
    frame = frame.rename(columns=lambda name: name.replace(" ", "_"))[["mean_radius", "mean_texture", "target"]]
    with TemporaryDirectory() as name, _client(Path(name)) as client:
        client.apply(MODEL)
        _until_new_answer(client, Path(name), frame, FIRST, 1)
        _until_new_answer(client, Path(name), frame, FIRST + MORE, 2)
        seconds = [
            _until_new_answer(client, Path(name), frame, FIRST + MORE * at, at + 1) for at in range(2, ROUNDS + 2)
        ]
    bench.add(WORK, "headrace", "s", seconds, best=min(seconds), worst=max(seconds))
    return bench


def _until_new_answer(client: Client, folder: Path, frame: pd.DataFrame, rows: int, version: int) -> float:
    file = folder / f"{version}.csv"
    frame.iloc[:rows].tail(MORE if version > 1 else rows).to_csv(file, index=False)
    row = {name: frame[name].head(1).tolist() for name in ("mean_radius", "mean_texture")}
    start = time.perf_counter()
    client.ingest("patients", file)
    while True:
        try:
            if client.predict("tumours", row)["model_version"] == str(version):
                return time.perf_counter() - start
        except HeadraceError:  # the first version is not there yet
            pass
        time.sleep(0.005)


@contextmanager
def _client(folder: Path) -> Iterator[Client]:
    stack = Stack(folder / ".headrace", PORT_BASE)
    stack.up()
    try:
        with Client(find_stack(start=folder)) as client:
            yield client
    finally:
        stack.down()
