"""`python -m headrace.code.scoring`: judge answers by functions of the working folder's package.

A function takes the truth, [rows], and a mapping of the outputs by name, [rows, ...], as arrays of numpy; text is
Unicode. It returns a number, or a mapping with a number under the metric's name. It is called once for each model,
and again on rows that are drawn with replacement, the same ones for both models, where an interval is wanted. The
job is the file `HEADRACE_JOB`; what came of it goes to the file `result.json` below `HEADRACE_OUT`.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.code import protocol
from headrace.code.child import entry_of, told

if TYPE_CHECKING:
    import numpy as np

RESULT, TRUTH = "result.json", "truth"
_SHOWN = 200  # characters of what is no number

Function = Callable[[Any, Mapping[str, Any]], Any]


def file_of(model: int) -> str:
    """The file below `HEADRACE_DATA` with the answers of one model, and the truth in the first one."""
    return f"answers-{model}.npz"


def main() -> int:
    """Judge; returns the exit code."""
    sys.path.insert(0, str(Path.cwd()))
    stage = "import"
    try:
        job = json.loads(Path(os.environ[protocol.JOB]).read_text())
        functions: dict[str, Function] = {each["name"]: entry_of(each["entry"]) for each in job["metrics"]}
        stage = "call"
        found = judged(job, functions, *_read(Path(os.environ[protocol.DATA]), job))
        Path(os.environ[protocol.OUT], RESULT).write_text(json.dumps(found))
    except BaseException as error:  # also SystemExit: a function that ends the process has judged nothing
        traceback.print_exc()
        Path(os.environ[protocol.ERROR]).write_text(json.dumps(told(error, stage)))
        return 1
    return 0


def judged(
    job: Mapping[str, Any],
    functions: Mapping[str, Function],
    truth: "np.ndarray",
    models: Sequence[Mapping[str, "np.ndarray"]],
) -> dict[str, Any]:
    """The values of each model, and those on each draw of rows, [draws][models] by metric."""
    values = [
        {name: _value(name, function(truth, outputs)) for name, function in functions.items()} for outputs in models
    ]
    wanted = {each["name"]: functions[each["name"]] for each in job["metrics"] if each["resampled"]}
    drawn: dict[str, list[list[Any]]] = {name: [] for name in wanted}
    for rows in _draws(job, len(truth)) if len(models) > 1 and wanted else ():
        some = [{name: each[rows] for name, each in outputs.items()} for outputs in models]
        for name, function in wanted.items():
            drawn[name].append([_tried(name, function, truth[rows], outputs) for outputs in some])
    return {"values": values, "drawn": drawn}


def _draws(job: Mapping[str, Any], rows: int) -> Any:
    """As many draws as are wanted, or as there is time for."""
    import numpy as np

    random, until = np.random.default_rng(job["seed"]), time.monotonic() + job["seconds"]
    for _ in range(job["resamples"]):
        if time.monotonic() > until:
            return
        yield random.integers(0, rows, rows)


def _tried(name: str, function: Function, truth: Any, outputs: Mapping[str, Any]) -> Any:
    """The value of a draw; None where the function cannot judge it, such as one that lacks a class."""
    try:
        return _value(name, function(truth, outputs))
    except Exception:
        return None


def _value(name: str, found: Any) -> Any:
    """A number as JSON has it; the text of anything else, which whoever reads it refuses."""
    if isinstance(found, Mapping):
        if name not in found:
            return f"a mapping with {', '.join(map(str, found)) or 'nothing'}"[:_SHOWN]
        found = found[name]
    try:
        return float(found)
    except (TypeError, ValueError):
        return repr(found)[:_SHOWN]


def _read(data: Path, job: Mapping[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    import numpy as np

    models = []
    for model in range(job["models"]):
        with np.load(data / file_of(model), allow_pickle=False) as file:
            models.append({name: file[f"output-{at}"] for at, name in enumerate(job["outputs"])})
    return np.load(data / f"{TRUTH}.npy", allow_pickle=False), models


if __name__ == "__main__":
    sys.exit(main())
