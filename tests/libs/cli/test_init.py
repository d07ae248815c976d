"""The first declaration: guessed from a CSV, commented, and right; nothing is ever overwritten."""

import json
from pathlib import Path

import pytest

from headrace.cli.app import DONE, REFUSED, run
from headrace.contracts import load_yaml
from headrace.tasks import parse_declaration


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(file: Path, head: str, *rows: str) -> Path:
    """A CSV file."""
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_the_example_is_a_folder_to_begin_with(here: Path) -> None:
    """A declaration, rows to learn from, rows to ask about, and what became of them."""
    assert run(["init", "late-flights"]) == DONE

    assert {each.name for each in (here / "late-flights").iterdir()} == {
        "model.yaml",
        "flights.csv",
        "rows.csv",
        "truth.csv",
    }
    declared = parse_declaration((here / "late-flights/model.yaml").read_text())
    assert (declared.name, declared.task) == ("late-flights", "binary")
    assert (declared.data.dataset, declared.data.target, declared.data.time) == ("flights", "late", "departed_at")
    assert declared.data.ignore == ["flight"]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no"], "binary"),
        (["0", "1"], "binary"),
        (["red", "green", "blue"], "multiclass"),
        ([f"{at}.5" for at in range(193)], "regression"),
    ],
)
def test_the_task_is_guessed_from_the_target(here: Path, values: list[str], task: str) -> None:
    """Two values, a few, or numbers without end; the comment says how many there were."""
    file = table(here / "data.csv", "size,what", *(f"{at},{values[at % len(values)]}" for at in range(400)))

    assert run(["init", "m", "--data", str(file)]) == DONE

    text = (here / "model.yaml").read_text()
    assert parse_declaration(text).task == task
    assert f"'what' has {len(values):,} different values in 400 rows" in text


def test_columns_are_guessed_and_explained(here: Path) -> None:
    """Identifiers are ignored, times order the rows, and a text of few values is offered as a group."""
    rows = (f"u{at},2026-01-{at % 28 + 1:02d},{'north' if at % 3 else 'south'},{at % 2}" for at in range(100))
    file = table(here / "Customers of 2026.csv", "user;day;region;left".replace(";", ","), *rows)

    assert run(["init", "churn", "--data", str(file), "--target", "left"]) == DONE

    text = (here / "model.yaml").read_text()
    declared = parse_declaration(text)
    assert declared.data.dataset == "customers-of-2026"
    assert (declared.data.time, declared.data.ignore) == ("day", ["user"])
    assert "# groups: [region]" in text


@pytest.mark.parametrize("column", ["yes", "with space", "it's", "1st", "größe", "a: b", "#no"])
def test_any_column_name_is_written_as_yaml_reads_it(here: Path, column: str) -> None:
    """A name may be a word or a sign of YAML."""
    file = table(here / "data.csv", f'x,"{column}"', *(f"{at},{at % 2}" for at in range(50)))

    assert run(["init", "m", "--data", str(file)]) == DONE

    assert load_yaml((here / "model.yaml").read_text())["data"]["target"] == column


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(here: Path, delimiter: str) -> None:
    """As spreadsheets of several countries write it."""
    file = table(here / "data.csv", delimiter.join("ab"), *(f"{at}{delimiter}{at % 2}" for at in range(50)))

    assert run(["init", "m", "--data", str(file)]) == DONE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a head of at least two columns"),
        (b"a,b\n", "one row below it"),
        (b"a\n1\n", "at least two columns"),
        (b"a,b\n\xff\xfe,1\n", "cannot be read as CSV"),
        (b"a,b\n1,\n2,\n", "holds no value"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    here: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and nothing is written."""
    (here / "data.csv").write_bytes(content)

    assert run(["init", "m", "--data", "data.csv", "--json"]) == REFUSED

    assert words in json.loads(capsys.readouterr().out)["error"]
    assert not (here / "model.yaml").exists()


def test_an_unknown_target_is_refused_with_the_columns_there_are(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person reads on and picks one."""
    table(here / "data.csv", "a,b", "1,2")

    assert run(["init", "m", "--data", "data.csv", "--target", "c", "--json"]) == REFUSED

    assert "has no column 'c'; it has a, b" in json.loads(capsys.readouterr().out)["error"]


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a declaration that was changed by hand, nor a folder."""
    table(here / "data.csv", "a,b", *(f"{at},{at % 2}" for at in range(50)))
    (here / "model.yaml").write_text("mine")
    (here / "taken").mkdir()

    assert run(["init", "m", "--data", "data.csv"]) == REFUSED
    assert run(["init", "taken"]) == REFUSED

    assert (here / "model.yaml").read_text() == "mine"
    assert not list((here / "taken").iterdir())


def test_a_name_that_is_none_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything lies there."""
    table(here / "data.csv", "a,b", *(f"{at},{at % 2}" for at in range(50)))

    assert run(["init", "Not A Name", "--data", "data.csv", "--json"]) == REFUSED

    assert "name" in json.loads(capsys.readouterr().out)["error"]
    assert not (here / "model.yaml").exists()
