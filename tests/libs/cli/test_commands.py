"""Every command: help with an example that works, one JSON document, exit codes, nothing cut in a pipe."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from headrace.cli.app import DONE, REFUSED, USAGE, app, run
from headrace.cli.examples import EXAMPLES
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine

LOCAL = {"up", "down", "status", "logs", "attach", "orphans", "demo", "keys make", "keys rotate", "keys revoke"}
LOCAL |= {"outsiders add", "outsiders list", "outsiders remove"}
STREAMS = {"logs"}  # of text as it comes


def leaves(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, of groups their members."""
    for name, each in command.commands.items():
        if getattr(each, "hidden", False):  # another name of a group
            continue
        if hasattr(each, "commands"):
            yield from leaves(each, f"{before}{name} ")
        else:
            yield f"{before}{name}", each


COMMANDS = dict(leaves(typer.main.get_command(app)))
PLUGINS = {"demo"}  # other packages bring these, with an example of their own
ASKING = sorted(set(COMMANDS) - LOCAL)


def arguments(name: str) -> list[str]:
    """The example of a command, as a shell would pass it."""
    return shlex.split(EXAMPLES[name].split(" > ")[0])[1:]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a stack, with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    for name in ("HEADRACE_URL", "HEADRACE_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "flights-delay.yaml").write_text("name: flights-delay\ndata: {dataset: flights, target: late}\n")
    (tmp_path / "flights-2013-03.csv").write_text("a,late\n1,0\n2,1\n")
    (tmp_path / "rows.parquet").write_text("")
    (tmp_path / "truth.csv").write_text("prediction_id,value\np:0,1\n")
    (tmp_path / "audit.pub").write_text("")
    (tmp_path / "late-net").mkdir()
    (tmp_path / "late-net" / "train.py").write_text("def train(context): ...\n")
    return tmp_path


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    """The mapping is complete: a new command is shown how it is used."""
    assert EXAMPLES.keys() == COMMANDS.keys() - PLUGINS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it does, and a line to begin with."""
    assert run([*name.split(), "--help"]) == DONE

    shown = " ".join(capsys.readouterr().out.split())
    assert "Example: headrace" in shown
    assert EXAMPLES.get(name, name).split()[-1].strip("'\"}") in shown


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - STREAMS))
def test_every_answer_can_be_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A program can use whatever a person can."""
    run([*name.split(), "--help"])

    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("name", ASKING)
def test_without_a_stack_programs_read_one_document(name: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example is right usage; with --json its failure is one JSON document, and the exit code says so."""
    assert run([*arguments(name), "--json"]) == REFUSED

    assert json.loads(capsys.readouterr().out).keys() >= {"error", "kind"}


@pytest.mark.parametrize("name", ASKING)
def test_without_a_stack_people_read_a_sentence(name: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, where services of other fixtures log, too; standard output stays empty."""
    assert run(arguments(name)) == REFUSED

    said = capsys.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("name", sorted(set(ASKING) - {"watch", "publish", "verify", "train", "run", "wait"}))
def test_what_is_not_there_is_refused_in_one_document(
    name: str, at: CommandLine, parcels: Cluster, files: Path
) -> None:
    """Against running services, about a model or an id that nobody knows: an answer or an error, never a traceback."""
    ran = at(*arguments(name), "--json")

    assert ran.code in (DONE, REFUSED)
    assert ran.code == DONE or ran.document.keys() >= {"error", "kind"}
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", ASKING)
def test_wrong_usage_has_its_own_code_and_document(name: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option is 2, and with --json a document, too."""
    assert run([*arguments(name), "--no-such-option"]) == USAGE
    capsys.readouterr()

    assert run([*arguments(name), "--no-such-option", "--json"]) == USAGE
    assert json.loads(capsys.readouterr().out)["kind"] == "UsageError"


LISTINGS = [
    ("models",), ("versions", "parcels"), ("runs", "list"), ("runs", "costs"), ("routes",),
    ("rollouts", "list", "parcels"), ("alias", "list", "parcels"), ("alias", "history", "parcels", "champion"),
    ("datasets", "list"),
]  # fmt: skip


@pytest.mark.parametrize("listing", LISTINGS, ids=" ".join)
def test_a_piped_listing_has_every_value_whole(listing: tuple[str, ...], at: CommandLine, parcels: Cluster) -> None:
    """The lines hold each id and digest of the JSON document, uncut, in as many columns as the head has."""
    piped, whole = at(*listing), at(*listing, "--json").document

    assert piped.code == DONE
    assert {len(row) for row in piped.rows} <= {len(piped.rows[0])} if piped.rows else True
    assert "…" not in piped.out
    for each in whole if isinstance(whole, list) else []:
        for name in ("digest", "id", "run", "name", "dataset"):
            if each.get(name) is not None and name in (piped.rows or [[]])[0]:
                assert any(str(each[name]) in row for row in piped.rows)
