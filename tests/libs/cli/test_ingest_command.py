"""`headrace ingest` says what was taken, what may not be what was meant, and what follows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, Ran, declare

CSV = "code,weight,lost\n" + "".join(f"0{at},{at},{'yes' if at % 3 else 'no'}\n" for at in range(40))


@pytest.fixture
def ingest(at: CommandLine, tmp_path: Path) -> Callable[..., Ran]:
    """Upload rows."""

    def upload(dataset: str, text: str = CSV, *options: str, role: str = "admin") -> Ran:
        file = tmp_path / "rows.csv"
        file.write_text(text)
        return at("ingest", dataset, str(file), *options, role=role)

    return upload


def test_training_that_began_is_named(cluster: Cluster, at: CommandLine, ingest: Callable[..., Ran]) -> None:
    """With its run, which `headrace runs` knows."""
    declare(cluster, "followed")

    ran = ingest("followed", CSV, "--json")

    (follows,) = ran.document["follows"]
    assert follows["model"] == "followed"
    assert at("runs", "show", follows["run"], "--json").document["dataset"] == "followed"
    assert follows["run"] in at("runs", "list", "followed").out


def test_a_model_that_does_not_train_on_new_data_is_named(cluster: Cluster, ingest: Callable[..., Ran]) -> None:
    """With what trains it."""
    declare(cluster, "by-hand", training={"on": []})

    ran = ingest("by-hand")

    assert ran.code == 0
    assert "by-hand does not train on new data by itself" in ran.out
    assert "headrace train by-hand" in ran.out


def test_data_that_no_model_learns_from_are_said_to_be(ingest: Callable[..., Ran]) -> None:
    """Nobody waits for what will not come."""
    ran = ingest("unused")

    assert "unused: version 1, 40 rows" in ran.out
    assert "no model learns from unused yet" in ran.out


def test_what_may_not_be_meant_is_shown(ingest: Callable[..., Ran]) -> None:
    """The service's warnings, in its words, with the column."""
    ran = ingest("doubtful", "a,missing\n" + "".join(f"{at},{'?' if at % 4 == 0 else at}\n" for at in range(40)))
    warned = ingest("doubtful-2", "a,missing\n" + "".join(f"{at},{'?' if at % 4 == 0 else at}\n" for at in range(40)),
                    "--json").document["warnings"]  # fmt: skip

    assert warned
    assert f"warning: missing: {warned[0]['message']}" in ran.out


def test_the_same_file_again_is_nothing_new(ingest: Callable[..., Ran]) -> None:
    """And nothing follows from it."""
    ingest("twice")

    ran = ingest("twice")

    assert ran.code == 0
    assert "twice: nothing new, version 1, 40 rows has it" in ran.out
    assert ingest("twice", CSV, "--json").document["follows"] == []


def test_a_refused_file_names_its_violations(ingest: Callable[..., Ran], at: CommandLine) -> None:
    """Line, column and value; the rejection is listed afterwards."""
    ingest("strict")

    ran = ingest("strict", "code,weight,lost\n01,heavy,no\n")

    assert ran.code == 1
    assert "weight" in ran.err
    (rejected,) = at("datasets", "rejections", "strict", "--json").document
    assert rejected["violations"]
    assert "weight" in at("datasets", "rejections", "strict").out


def test_a_dataset_can_be_looked_at(ingest: Callable[..., Ran], at: CommandLine) -> None:
    """Versions, columns with their types, and the contract that the first file made."""
    ingest("seen")
    ingest("seen", CSV.replace("no\n", "yes\n"))

    assert [row[0] for row in at("datasets", "versions", "seen").rows] == ["version", "2", "1"]
    assert "code\tstring" in at("datasets", "show", "seen", "--version", "1").out
    assert "parts: 2" in at("datasets", "show", "seen").out
    assert [row[0] for row in at("datasets", "parts", "seen").rows] == ["version", "1", "2"]
    assert [part["version"] for part in at("datasets", "parts", "seen", "--version", "1", "--json").document] == [1]
    assert at("datasets", "contract", "seen").rows[-2][:2] == ["weight", "integer"]
    assert at("datasets", "show", "nothing", "--json").code == 1


def test_whoever_may_only_upload_is_told_that_more_is_not_known(
    ingest: Callable[..., Ran], at: CommandLine, cluster: Cluster
) -> None:
    """The upload is answered all the same."""
    ran = ingest("unseen", role="engineer")

    assert ran.code == 0
    assert "unseen: version 1" in ran.out
