"""The commands about own code, against a trainer."""

from pathlib import Path

import pytest

from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, declare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside git with one file that stays out."""
    made = tmp_path / "net"
    made.mkdir()
    (made / "train.py").write_text("def train(context): ...\n")
    (made / "rows.csv").write_text("a\n1\n")
    (made / ".headraceignore").write_text("*.csv\n.headraceignore\n")
    return made


def test_a_folder_is_pushed_listed_and_shown(at: CommandLine, cluster: Cluster, folder: Path) -> None:
    """One version for the same files, the next one for others; `NAME@VERSION` shows the files of either."""
    first = at("code", "push", "net", str(folder), "--json", role="scientist").document
    again = at("code", "push", "net", str(folder), role="scientist")
    (folder / "more.py").write_text("MORE = 1\n")
    second = at("code", "push", "net", str(folder), "--json").document

    assert (first["version"], first["created"], first["by"]) == (1, True, "key:scientist")
    assert "net: nothing new, version 1, 1 files" in again.out
    assert (second["version"], second["files"], second["commit"]) == (2, 2, None)
    assert [row[:3] for row in at("code", "list", "net").rows] == [
        ["package", "version", "files"],
        ["net", "2", "2"],
        ["net", "1", "1"],
    ]
    assert [each["version"] for each in at("code", "list", "--json").document] == [2]
    shown = at("code", "show", "net@1", "--json").document
    assert [each["path"] for each in shown["members"]] == ["train.py"]
    assert len(at("code", "show", "net", "--json").document["members"]) == 2


def test_what_cannot_be_packed_is_refused_before_anything_is_sent(at: CommandLine, folder: Path) -> None:
    """The name of the file, and exit code 1; a name that is none is refused by the trainer."""
    (folder / "out.py").symlink_to("/etc/passwd")

    refused = at("code", "push", "linked", str(folder))

    assert refused.code == 1
    assert "out.py is a link to /etc/passwd" in refused.err
    assert at("code", "show", "linked").code == 1


def test_who_only_looks_pushes_nothing(at: CommandLine, folder: Path) -> None:
    """Code may do whatever a run may; a viewer sees packages alone."""
    refused = at("code", "push", "viewed", str(folder), "--json", role="viewer")

    assert (refused.code, refused.document["status"]) == (1, 403)
    assert at("code", "list", role="viewer").code == 0


def test_log_and_checkpoints_of_a_run_are_found_by_its_id(at: CommandLine, cluster: Cluster) -> None:
    """A run that was cancelled has neither, and following it ends; one that is not there is said."""
    declare(cluster, "logged")
    run = at("train", "logged", "--json").document["run"]
    assert at("cancel", run).code == 0

    checkpoints = at("runs", "checkpoints", run)
    nothing = at("runs", "checkpoints", run, "--json")
    nowhere = at("runs", "checkpoints", "0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77")
    followed = at("logs", run, "--follow")
    unknown = at("logs", "0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77")

    assert (checkpoints.code, "no checkpoints" in checkpoints.out + checkpoints.err) == (0, True)
    assert nothing.document == []
    assert (nowhere.code, "no run '0199e6a1" in nowhere.err) == (1, True)
    assert (followed.code, followed.out) == (0, "")
    assert (unknown.code, "no run '0199e6a1" in unknown.err) == (1, True)
