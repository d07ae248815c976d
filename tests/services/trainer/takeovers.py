"""What a worker makes of an artifact, for tests of formats."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from onnx import TensorProto, helper

from headrace.contracts import DatasetIngested, ObjectPlace
from headrace.runtimes import Model, load
from headrace.testkit.s3 import S3
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.importing import bring
from headrace.trainer.worker.jobs import Brought, Data, ImportJob

from . import made_elsewhere as made
from .conftest import COLUMNS

FEATURES = [column for column in COLUMNS if column.name in made.FEATURES]


def data_of(version: DatasetIngested) -> Data:
    """A dataset version as workers read it."""
    return Data(dataset="flights", digest=version.digest, manifest=version.manifest, parts=version.parts)


def taken(known: tuple[S3, DatasetIngested], artifact: bytes, name: str = "model", **wishes: Any) -> Brought:
    """What a worker makes of an artifact."""
    buckets, version = known
    ref = buckets.sync.put("uploads", artifact)
    told = {
        "import_id": f"import-{uuid4()}",
        "attempt": 1,
        "model": "delay",
        "source": ObjectPlace(bucket=ref.bucket, key=ref.key),
        "source_name": name,
        "largest": 10 << 20,
        "data": data_of(version),
        "columns": [column.name for column in COLUMNS],
        "features": FEATURES,
        "target": "late",
        "task": "binary",
        "whole": False,
        "time": "at",
        "by": "time",
        "fraction": 0.25,
        "metrics": ["roc_auc", "brier"],
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "bucket": "models",
    }
    return bring(ImportJob.model_validate({**told, **wishes}), buckets.sync, lambda step: None)


def refused(known: tuple[S3, DatasetIngested], artifact: bytes, name: str = "model", **wishes: Any) -> str:
    """Why an artifact is not taken, as who asked for the import is told."""
    with pytest.raises(Exception) as error:  # what it is told as is looked at
        taken(known, artifact, name, **wishes)
    failure = failure_of(error.value)
    assert failure.because == "artifact", failure
    return failure.reason


def served(known: tuple[S3, DatasetIngested], brought: Brought, folder: Path) -> Model:
    """The model directory that was written, in its runtime."""
    return load(known[0].sync.get_directory(brought.artifact, folder / "model"))


def onnx_bytes(*nodes: Any, inputs: Any = None, outputs: Any = None, opset: int = 17, **more: Any) -> bytes:
    """A small graph of some nodes."""
    ends = {
        "inputs": inputs or [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 1])],
        "outputs": outputs or [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", 1])],
    }
    graph = helper.make_graph(list(nodes), "graph", **ends, **more)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    return bytes(helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString())


SIGMOID = helper.make_node("Sigmoid", ["X"], ["p"])
ONE = {"features": FEATURES[:1]}
