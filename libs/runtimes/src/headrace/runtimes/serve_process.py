"""The child's side of the process protocol, version 1, for Python: answer batches with `predict(columns) -> outputs`.

`python serve_process.py MODULE FUNCTION [PATH]` imports a function and serves it; `serve(function)` does so from a
program of one's own. `columns` has a list of values for each input, by name, with None for what is missing; outputs
are lists, or anything with `tolist`. Each has one entry a row.

This file needs nothing but the standard library, so that it runs in any environment: a model directory's process finds
it as the module `headrace_serve`. Where orjson is there, requests are read with it, which is three times as fast.
"""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import reduce
from importlib import import_module
from typing import IO, Any

VERSION = 1
Predict = Callable[[dict[str, list[Any]]], Mapping[str, Any]]


def serve(predict: Predict, requests: IO[bytes] | None = None, answers: IO[bytes] | None = None) -> None:
    """Answer until the requests end; what `predict` raises fails that batch alone."""
    requests = requests or sys.stdin.buffer
    loads = _reader()
    answers = answers or open(3, "wb")  # noqa: SIM115  it is open for as long as the process lives
    while (body := _read(requests)) is not None:
        answer = json.dumps(_answer(predict, loads(body)), default=_plain).encode()
        answers.write(len(answer).to_bytes(4, "big") + answer)
        answers.flush()


def _reader() -> Callable[[bytes], Any]:
    """What reads JSON; an environment of its own need not have orjson."""
    try:
        from orjson import loads
    except ImportError:
        return json.loads
    return loads


def _read(requests: IO[bytes]) -> bytes | None:
    head = requests.read(4)
    return requests.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _answer(predict: Predict, message: dict[str, Any]) -> dict[str, Any]:
    if "hello" in message:
        return {"hello": {"version": VERSION}}
    try:
        outputs = {name: _plain(values) for name, values in predict(message["columns"]).items()}
    except Exception as error:
        traceback.print_exc()
        return {"id": message["id"], "error": f"{type(error).__name__}: {error}"}
    return {"id": message["id"], "outputs": outputs}


def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy, pandas and torch as Python's own; what has no `tolist` is left as text."""
    if isinstance(value, (list, str, int, float, bool)) or value is None:
        return value
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else str(value)


def main(module: str, function: str, path: str = ".") -> None:
    """Import a function and serve it."""
    sys.path.insert(0, path)
    serve(reduce(getattr, function.split("."), import_module(module)))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
