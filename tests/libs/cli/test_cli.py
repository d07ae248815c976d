"""The command line without a stack: help, usage, errors, exit codes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from headrace.bus import RawMessage
from headrace.cli.app import DONE, REFUSED, USAGE, app, run
from headrace.cli.models import read_declaration
from headrace.cli.tables import cell
from headrace.client import HeadraceError
from headrace.client.live import attributed, document_of, streams_of
from headrace.client.predicting import rows_of

ALL = typer.main.get_command(app).commands  # type: ignore[attr-defined]
COMMANDS = sorted(ALL)
GROUPS = [name for name, each in ALL.items() if hasattr(each, "commands")]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a stack, and no settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("HEADRACE_URL", "HEADRACE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what it does, and ends well."""
    assert run([command, "--help"]) == DONE
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(GROUPS) - {"logs"}))
def test_every_command_answers_programs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--json is there wherever there is an answer."""
    run([command, "--help"])

    assert "--json" in capsys.readouterr().out


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing that a report of a fault needs."""
    assert run(["--version"]) == DONE
    assert capsys.readouterr().out.startswith("headrace 0.")


def test_what_the_field_expects_is_there() -> None:
    """The commands of the conventions."""
    expected = "up down status logs apply ingest train models versions show approve reject predict truth watch trace"
    assert {*expected.split(), "verify", "dead-letters", "publish", "keys", "demo"} <= set(COMMANDS)


def test_wrong_usage_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """CI tells a typing mistake from a refusal."""
    assert run(["no-such-command"]) == USAGE
    assert run(["versions"]) == USAGE
    assert "Error" in capsys.readouterr().err


def test_without_a_stack_the_error_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, for people."""
    assert run(["models"]) == REFUSED

    said = capsys.readouterr()
    assert said.out == ""
    assert "headrace up" in said.err


def test_with_json_the_error_is_one_document_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads it where it reads answers."""
    assert run(["models", "--json"]) == REFUSED

    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "NoStack"


def test_status_of_nothing_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1: a script can ask whether a stack runs."""
    assert run(["status"]) == REFUSED
    assert run(["status", "--json"]) == REFUSED
    assert "[]" in capsys.readouterr().out


def test_down_without_a_stack_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wanted holds already."""
    assert run(["down", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"stopped": []}


def test_publish_takes_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake is found before the broker is asked."""
    assert run(["publish", "headrace.request.training.m", "{reason}"]) == REFUSED
    assert "not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: m\ndata: {dataset: d, target: t}\ntrainin: {}\n", "did you mean 'training'"),
        ("name: m\ndata: {dataset: d, target: t}\nevaluation: {metrics: [auc]}\n", "evaluation.metrics[0]"),
        ("name: m\n", "data: is missing"),
        ("- a\n- b\n", "a declaration is a mapping"),
        ("name: [", "neither YAML nor JSON"),
        ("name: Bad Name\ndata: {dataset: d, target: t}\n", "name:"),
        ("name: m\ndata: {dataset: d, target: t}\nserving: {steps: [50, 10]}\n", "serving.steps"),
    ],
)
def test_a_wrong_declaration_names_file_and_place(nowhere: Path, text: str, place: str) -> None:
    """Before anything is sent."""
    file = nowhere / "model.yaml"
    file.write_text(text)

    with pytest.raises(HeadraceError) as refused:
        read_declaration(file)

    assert "model.yaml" in str(refused.value)
    assert place in str(refused.value)


def test_every_file_is_checked_before_the_first_is_applied(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is half done: the second file's mistake is found although the first would do."""
    (nowhere / "good.yaml").write_text("name: m\ndata: {dataset: d, target: t}\n")
    (nowhere / "bad.yaml").write_text("name: m\n")

    assert run(["apply", "good.yaml", "bad.yaml"]) == REFUSED
    assert "bad.yaml" in capsys.readouterr().err


def test_the_word_on_is_a_key_not_a_truth_value(nowhere: Path) -> None:
    """YAML 1.1 would read `on:` as true."""
    file = nowhere / "model.yaml"
    file.write_text("name: m\ndata: {dataset: d, target: t}\nretraining: {on: [drift]}\n")

    assert read_declaration(file)["retraining"] == {"on": ["drift"]}


def test_a_v2_answer_is_read_row_by_row() -> None:
    """Each row has the id under which its truth is reported."""
    document = {
        "model_version": "2",
        "parameters": {"prediction_id": "p"},
        "outputs": [
            {"name": "label", "shape": [2], "data": [0, 1]},
            {"name": "probability", "shape": [2], "data": [0.2, 0.9]},
        ],
    }

    assert rows_of(document)[1] == {
        "prediction_id": "p:1",
        "model_version": "2",
        "outputs": {"label": 1, "probability": 0.9},
    }


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.123456, "0.1235"), ({"champion": 2}, "champion 2"), (["a", 1.0], "a, 1")]
)
def test_values_read_well_in_tables(value: Any, text: str) -> None:
    """Short, without brackets."""
    assert cell(value) == text


def test_a_pattern_names_the_streams_that_carry_it() -> None:
    """A person thinks in subjects, not in streams."""
    assert streams_of(("headrace.training.>",)) == [("EVENTS", "headrace.training.>")]
    assert streams_of(("headrace.prediction.logged.m",)) == [("PREDICTIONS", "headrace.prediction.logged.m")]
    assert streams_of(("headrace.request.>",)) == [("REQUESTS", "headrace.from.*.request.>")]  # whoever asks
    assert streams_of(("headrace.alert.raised.m",)) == [("EVENTS", "headrace.by.*.alert.raised.m")]
    assert ("EVENTS", ">") in streams_of(())
    with pytest.raises(HeadraceError, match="no stream carries other"):
        streams_of(("other.>",))


def test_a_bare_request_is_shown_under_its_subject() -> None:
    """What is no CloudEvent is shown all the same."""
    document = document_of(b'{"reason": "new season"}', "headrace.request.training.flights", {})

    assert document["type"] == "headrace.request.training.v1"
    assert document["subject"] == "flights"
    assert document_of(b"\xff", "headrace.parked.trainer.x.y.z", {})["data"] == {}


def test_what_an_outsider_says_of_itself_is_shown_as_a_claim() -> None:
    """Whoever watches sees who it was, and what it would like to be."""
    said = {"specversion": "1.0", "id": "x", "source": "headrace/console", "authid": "key:admin", "correlationid": "c"}
    body = json.dumps({**said, "type": "headrace.request.training.v1", "data": {}}).encode()
    now = datetime(2026, 1, 5, tzinfo=UTC)

    shown = attributed(RawMessage("REQUESTS", 7, "headrace.from.partner.request.training.flights", {}, body, now))
    bare = attributed(RawMessage("REQUESTS", 8, "headrace.from.partner.request.training.flights", {}, b"{}", now))

    assert (shown["id"], shown["authid"], shown["source"]) == ("partner:x", "nats:partner", "headrace/partner")
    assert shown["correlationid"] == "partner:c"
    assert shown["claims"] == {"authid": "key:admin", "source": "headrace/console", "correlationid": "c"}
    assert (bare["id"], bare["authid"], bare["claims"]) == ("partner:REQUESTS-8", "nats:partner", {})
