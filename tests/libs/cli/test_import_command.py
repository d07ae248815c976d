"""`headrace import` sends a model that was made elsewhere, and says what became of it."""

from pathlib import Path
from typing import Any

import pytest

from headrace.cli.imports import brought
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, declare


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to send; nothing of Ray runs here, so that it waits."""
    made = tmp_path / "model.onnx"
    made.write_bytes(b"\x08\x0a" + bytes(100))
    return made


def test_a_model_is_sent_with_all_that_is_said_of_it(at: CommandLine, cluster: Cluster, file: Path) -> None:
    """Every option reaches the trainer; who imported it is whose key it is."""
    declare(cluster, "bought")
    told = ["--data", "nothing@1", "--learned-from", "none", "--columns", "weight,code", "--labels", "no,yes"]

    made = at("import", "bought", str(file), *told, "--reason", "vendor", "--json", role="scientist").document

    assert (made["state"], made["dataset"], made["source_name"]) == ("waiting", "nothing", "model.onnx")
    assert made["requested_by"] == "key:scientist"
    listed = at("imports", "bought", "--json").document
    assert [each["import_id"] for each in listed] == [made["import_id"]]
    assert "model.onnx" in at("imports", "bought").out


def test_what_could_never_be_imported_is_told_at_once(at: CommandLine, cluster: Cluster, file: Path) -> None:
    """An option that is none, a file that is not there, an output that the task does not give, a viewer."""
    declare(cluster, "refusing")
    for options, why in (
        ([str(file), "--output", "score"], "'score' is not OUTPUT=NAME"),
        (["missing.onnx"], "no such file or folder"),
        ([str(file), "--output", "probabilty=p"], "did you mean 'probability'?"),
        ([str(file), "--format", "onx"], "did you mean 'onnx'?"),
    ):
        ran = at("import", "refusing", *options)
        assert ran.code == 1
        assert why in ran.err
    assert at("import", "refusing", str(file), "--json", role="viewer").document["status"] == 403
    assert at("imports", "refusing", "--json").document == []


def test_an_import_that_waits_is_cancelled_with_its_reason(at: CommandLine, cluster: Cluster, file: Path) -> None:
    """Once more is harmless; who may only read may not; one that nobody made is named."""
    declare(cluster, "cancelling")
    made = at("import", "cancelling", str(file), "--data", "nothing@1", "--json", role="scientist").document

    assert at("cancel-import", made["import_id"], "--json", role="viewer").document["status"] == 403
    for _ in range(2):
        ran = at("cancel-import", made["import_id"], "--reason", "the wrong file", role="scientist")
        assert ran.code == 0
        assert "cancelled; the wrong file (key:scientist)" in " ".join(ran.out.split())
    shown = at("imports", "cancelling", "--state", "cancelled", "--json").document
    assert [each["import_id"] for each in shown] == [made["import_id"]]
    assert "no import 'nobody'" in at("cancel-import", "nobody").err


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"state": "failed", "outcome": {"because": "artifact", "reason": "a pickle"}}, "failed; artifact: a pickle"),
        ({"state": "approved", "version": 3, "warnings": ["look"]}, "approved; version 3\n  warning: look"),
        ({"state": "rejected", "version": 3, "reason": "too weak"}, "rejected; version 3; too weak"),
        ({"state": "cancelled", "outcome": {"reason": "no use (key:ann)"}}, "cancelled; no use (key:ann)"),
        ({"state": "queued"}, "import i: queued"),
    ],
)
def test_what_became_of_it_is_said_in_words(made: Any, words: str) -> None:
    """The version, or why there is none."""
    assert words in brought({"import_id": "i", **made})
