"""Changes that wait for people, aliases, approvals, risk and the card, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.cli.brief import brief
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, declare, version

STRICT: dict[str, Any] = {"needed": 2}


@pytest.fixture
def loosened(cluster: Cluster, at: CommandLine, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A model that needs two approvals, and the change of a scientist who wants none; the model and the change."""
    model = f"loose-{abs(hash(request.node.name)) % 10**6}"
    file = tmp_path / "model.json"
    declared = {"name": model, "data": {"dataset": model, "target": "lost"}, "approval": STRICT}
    file.write_text(json.dumps(declared))
    assert at("apply", str(file), role="scientist").code == 0
    file.write_text(json.dumps({**declared, "approval": {"needed": 0}}))
    applied = at("apply", str(file), "--json", role="scientist").document[0]
    return model, applied["waits"]["change"]


def test_a_change_that_waits_is_applied_with_enough_approvals(at: CommandLine, loosened: tuple[str, str]) -> None:
    """Listed, shown, said to be 1 of 2, and then in force."""
    model, change = loosened
    listed = at("changes", "list")
    assert any(row[0] == change and row[1] == model for row in listed.rows)
    assert "0 of 2" in listed.out
    assert "approval.needed" in at("changes", "show", model, change).out

    first = at("changes", "approve", model, change, "--comment", "agreed", role="approver")
    second = at("changes", "approve", model, change, "--comment", "agreed, too", "--json", role="admin")

    assert "pending, 1 of 2 approvals" in first.out
    assert second.document["state"] == "approved"
    assert [each["comment"] for each in second.document["decisions"]] == ["agreed", "agreed, too"]
    assert change not in at("changes", "list").out
    assert change in at("changes", "list", model).out


def test_apply_says_what_a_loosening_waits_for(at: CommandLine, loosened: tuple[str, str], tmp_path: Path) -> None:
    """Nothing changed yet, which change waits, and for how many."""
    model, _ = loosened

    said = at("apply", str(tmp_path / "model.json"), role="scientist").out

    assert f"{model}: nothing changed yet" in said
    assert "0 of 2" in said


def test_a_change_is_rejected_with_its_comment(at: CommandLine, loosened: tuple[str, str]) -> None:
    """And cannot be approved any more."""
    model, change = loosened

    said = at("changes", "reject", model, change, "--comment", "too loose", role="approver")

    assert "rejected" in said.out
    assert "too loose" in at("changes", "show", model, change).out
    assert at("changes", "approve", model, change, "--comment", "yes", role="admin").code == 1


def test_a_change_is_withdrawn_by_who_proposed_it(at: CommandLine, loosened: tuple[str, str]) -> None:
    """Nobody else's business: another is refused."""
    model, change = loosened

    assert at("changes", "withdraw", model, change, role="admin").code == 1
    assert "withdrawn" in at("changes", "withdraw", model, change, role="scientist").out


def test_versions_wait_for_people_and_say_how_many_spoke(at: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    """`approve` prints 1 of 2, then approved; `versions` shows parameters and the reason of a rejection."""
    declare(cluster, "judged", approval=STRICT)
    version(cluster, "judged", 1, tmp_path / "one")
    version(cluster, "judged", 2, tmp_path / "two")

    first = at("approve", "models:/judged/1", "--comment", "fine", role="approver")
    second = at("reject", "models:/judged/2", "--comment", "worse on Mondays", role="approver")

    assert "pending, 1 of 2 approvals" in first.out
    assert "rejected" in second.out
    head, *rows = at("versions", "judged").rows
    by_number = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert json.loads(by_number["2"]["params"]) == {"C": 0.5}
    assert "worse on Mondays" in by_number["2"]["reason"]
    assert len(by_number["1"]["digest"]) == 64


def test_show_fits_a_screen_and_json_has_everything(at: CommandLine, parcels: Cluster) -> None:
    """How it was made and judged in 40 lines; signature and packages are in the document."""
    said = at("show", "models:/parcels@champion")
    whole = at("show", "models:/parcels/1", "--json").document

    assert len(said.out.splitlines()) <= 40
    assert whole["digest"] in said.out
    assert whole["run"] in said.out
    assert "estimator" in said.out
    assert whole["registered"]["signature"]["inputs"]


def test_however_much_there_is_a_version_fits_a_screen() -> None:
    """Hundreds of features, parameters, gates and decisions."""
    many = range(300)
    gates = [{"passed": False, "detail": "d" * 900} for _ in many]
    decisions = [{"by": "key:a", "decision": "approve", "comment": "c"} for _ in many]
    registered = {
        "lineage": {
            "params": {f"p{at}": list(many) for at in many},
            "preparation": [{"columns": [f"f{at}"], "steps": [], "usual": True, "makes": 1} for at in many],
        },
        "features": [{"name": f"f{at}"} for at in many],
        "warnings": ["w" * 5000 for _ in many],
        "dataset": {"name": "d", "version": 1},
    }
    version_ = {
        "uri": "models:/m/1", "state": "rejected", "reason": "r" * 2000, "metrics": {f"m{at}": 0.5 for at in many},
        "gates": gates, "comparisons": [{"metric": "auc"} for _ in many], "approvals": {"text": "0 of 1"},
        "decisions": decisions, "registered": registered,
    }  # fmt: skip

    shown = brief(version_)

    lines = sum(len(value) if isinstance(value, (list, dict)) else 1 for value in shown.values())
    assert lines <= 50
    assert all(len(str(line)) < 2100 for line in shown.values() if not isinstance(line, list))
    assert "and 292 more, in --json" in shown["gates"]
    assert shown["preparation"][0] == "f0: as they are; 1 number (usual)"


def test_aliases_are_listed_moved_and_remembered(at: CommandLine, parcels: Cluster) -> None:
    """An alias that does not serve moves at once; moving the champion is a decision of service."""
    assert ["champion", "1"] in [row[:2] for row in at("alias", "list", "parcels").rows]

    moved = at("alias", "set", "parcels", "blessed", "1", "--reason", "looked at it")

    assert moved.out == "parcels@blessed: version 1\n"
    assert "looked at it" in at("alias", "history", "parcels", "blessed").out
    assert at("alias", "set", "parcels", "champion", "1", "--reason", "again", role="scientist").code == 1
    assert at("alias", "set", "parcels", "blessed", "7", "--reason", "none such").code == 1


def test_moving_the_champion_by_hand_waits_for_approvals(at: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    """202: the change that waits is told in place of the alias."""
    declare(cluster, "guarded")
    version(cluster, "guarded", 1, tmp_path / "one")
    version(cluster, "guarded", 2, tmp_path / "two")
    declare(cluster, "guarded", approval=STRICT)

    said = at("alias", "set", "guarded", "champion", "1", "--reason", "2 is slow", role="approver")

    assert "pending, 1 of 2 approvals" in said.out
    assert "moves champion to version 1: 2 is slow" in said.out


def test_risk_is_shown_and_its_review_noted(at: CommandLine, parcels: Cluster) -> None:
    """Rating, signals, and when people owe the next look."""
    assert "its review is next due" in at("risk", "show", "parcels").out

    said = at("risk", "review", "parcels", "--comment", "groups looked at", role="approver")

    assert "parcels: reviewed; the next review is due" in said.out
    assert at("risk", "show", "parcels", "--json").document["due"] is False


def test_the_card_is_markdown(at: CommandLine, parcels: Cluster) -> None:
    """As it is, to be written to a file; with --json in a document."""
    said = at("card", "models:/parcels@champion")

    assert said.out.startswith("---\n")
    assert at("card", "models:/parcels/1", "--json").document == {
        "uri": "models:/parcels/1",
        "card": said.out.removesuffix("\n"),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: m\ndata: {dataset: d, target: t}\nmonitoring: {every: 30m}\n",
            "line 3: monitoring.every: '30m' is no ISO 8601 duration; write PT30M",
        ),
        (
            "name: m\ndata: {dataset: d, target: t}\napproval:\n  expires: 30m\n",
            "line 4: approval.expires: '30m' is no ISO 8601 duration; write PT30M",
        ),
        ("name: m\ndata:\n  dataset: d\n  target: [\n", "neither YAML nor JSON: line 5"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    at: CommandLine, cluster: Cluster, tmp_path: Path, text: str, told: str
) -> None:
    """File and line, and what a duration looks like."""
    file = tmp_path / "model.yaml"
    file.write_text(text)

    said = at("apply", str(file))

    assert said.code == 1
    assert "model.yaml: " in said.err
    assert told in said.err
