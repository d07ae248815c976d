"""The runtimes there are: one file and one line each."""

from collections.abc import Mapping
from pathlib import Path

from headrace.contracts.errors import choice_problem
from headrace.runtimes.base import Model, Runtime
from headrace.runtimes.catboost import Catboost
from headrace.runtimes.directory import read_description
from headrace.runtimes.errors import BadModel
from headrace.runtimes.forecast import Forecast
from headrace.runtimes.lightgbm import Lightgbm
from headrace.runtimes.onnx import Onnx
from headrace.runtimes.pickles import refuse_pickle
from headrace.runtimes.pmml import Pmml
from headrace.runtimes.process import Process
from headrace.runtimes.proof import check_proof
from headrace.runtimes.xgboost import Xgboost

RUNTIMES: Mapping[str, Runtime] = {
    "onnx": Onnx(),
    "pmml": Pmml(),
    "lightgbm": Lightgbm(),
    "xgboost": Xgboost(),
    "catboost": Catboost(),
    "process": Process(),
    "forecast": Forecast(lambda folder: load(folder)),
}


def load(folder: Path) -> Model:
    """Load a model directory with the runtime that it names; raises BadModel, of any trace of pickle PickleFound.

    Where the directory has rows with the framework's own answers, the model must answer so.
    """
    refuse_pickle(folder)
    described = read_description(folder)
    model = runtime_named(described.runtime).load(folder, described.signature)
    try:
        check_proof(folder, model)
    except BadModel:
        model.close()
        raise
    return model


def runtime_named(name: str) -> Runtime:
    """A runtime by its name; raises BadModel with the nearest right name."""
    found = RUNTIMES.get(name)
    if found is None:
        raise BadModel(f"runtime {choice_problem(name, list(RUNTIMES))}")
    return found


def starts_slowly(folder: Path) -> bool:
    """Whether a model directory takes its time to load, as what starts a program does; raises BadModel."""
    runtime = runtime_named(read_description(folder).runtime)
    inner = getattr(runtime, "inner", None)
    return getattr(runtime, "starts_slowly", False) if inner is None else starts_slowly(folder / inner)
