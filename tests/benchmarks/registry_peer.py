"""MLflow's registry over HTTP: `registry_peer.py URL COUNT` prints a line `work<TAB>rate` a second for each work.

Run by the peer's own interpreter.
"""

import sys
import time
from collections.abc import Callable
from uuid import uuid4

import mlflow
from mlflow import MlflowClient


def main(url: str, count: int) -> None:
    """Register, move, read; runs exist before the clock starts."""
    mlflow.set_tracking_uri(url)
    client = MlflowClient()
    experiment, model = client.create_experiment(uuid4().hex), uuid4().hex
    runs = [client.create_run(experiment).info.run_id for _ in range(count)]
    client.create_registered_model(model)
    works: dict[str, Callable[[int], object]] = {
        "register a version": lambda at: client.create_model_version(model, f"s3://models/{runs[at]}", runs[at]),
        "move an alias": lambda at: client.set_registered_model_alias(model, "candidate", 1 + at % 2),
        "read by alias": lambda _at: client.get_model_version_by_alias(model, "candidate"),
    }
    for work, do in works.items():
        start = time.perf_counter()
        for at in range(count):
            do(at)
        print(f"{work}\t{count / (time.perf_counter() - start)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
