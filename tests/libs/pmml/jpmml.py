"""JPMML, asked from Python: one Java process, a document and rows at a time."""

import json
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headrace.pmml import Document

from .conftest import apart

FOLDER = os.environ.get("HEADRACE_PMML")  # where `make pmml` has put the jars and the compiled program
WHY_NOT = "JPMML is asked by `make pmml`, which needs Java and Maven"
MISSING = "\\N"


class Jpmml:
    """A running JPMML."""

    def __init__(self, work: Path) -> None:
        self._work = work
        path = os.pathsep.join([f"{FOLDER}/jars/*", f"{FOLDER}/classes"])
        self._process = subprocess.Popen(
            ["java", "-cp", path, "Oracle"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, text: str, columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
        """One answer a row: `target`, `probabilities` and `outputs`, or `error`."""
        paths = [self._work / name for name in ("model.pmml", "rows.tsv", "answers.json")]
        paths[0].write_text(text, encoding="utf-8")
        lines = ["\t".join(columns), *("\t".join(map(_cell, row)) for row in zip(*columns.values(), strict=True))]
        paths[1].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, paths)) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline().strip()
        assert said == "done", said
        return [json.loads(line) for line in paths[2].read_text(encoding="utf-8").splitlines()]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def differences(document: Document, told: Mapping[str, np.ndarray], answers: Sequence[dict[str, Any]]) -> list[float]:
    """For each row the largest difference of an answer; where JPMML has none, ours must be missing."""
    return [_difference(document, told, row, answer) for row, answer in enumerate(answers)]


def _difference(document: Document, told: Mapping[str, np.ndarray], row: int, answer: dict[str, Any]) -> float:
    pairs = []
    outputs, shares = answer.get("outputs", {}), answer.get("probabilities", {})
    for tensor in document.signature.outputs:
        ours = told[tensor.name][row]
        if tensor.name in ("label", "prediction"):
            pairs.append((ours, _plain(answer.get("target"), ours)))
        elif tensor.name == "probability":
            pairs.append((ours, shares.get(_text(tensor.label), 0.0) if shares else math.nan))
        elif tensor.name == "probabilities":
            labels = tensor.labels or ()
            theirs = [shares.get(_text(label), 0.0) if shares else math.nan for label in labels]
            pairs += zip(ours.tolist(), theirs, strict=True)
        else:
            pairs.append((ours, _plain(outputs.get(tensor.name), ours)))
    return max(apart(one, other) for one, other in pairs)


def _plain(value: Any, ours: Any) -> Any:
    """What JPMML says, in the type of our answer."""
    if isinstance(ours, str):
        return "" if value is None else _text(value)
    return math.nan if value is None else float(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(value: Any) -> str:
    if value is None:
        return MISSING
    return _text(value) if not isinstance(value, float) else repr(value)
