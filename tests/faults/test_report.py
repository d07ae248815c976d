"""The table of the README is what the tests have measured."""

import ast
from pathlib import Path

from report import BEGIN, END, FIGURES, FROM, FRONT, HERE, README, TO, Report, told


def test_the_table_is_that_of_the_figures() -> None:
    """Nobody has written into it by hand, nor into the sum that the first page shows."""
    assert told(README, BEGIN, END) == Report(FIGURES).table()
    assert told(FRONT, FROM, TO) == Report(FIGURES).summary()


def test_every_figure_is_of_a_test_that_there_is() -> None:
    """A test that was renamed or removed takes its figures with it."""
    there = {f"{file.name}::{name}" for file in HERE.glob("test_*.py") for name in _tests(file)}

    assert {test.partition("[")[0] for test in Report(FIGURES).rows} <= there


def test_figures_of_pieces_add_up_and_a_test_that_runs_again_replaces_its_own(tmp_path: Path) -> None:
    """One line a fault; beside a zero stands what it rules out."""
    figures = tmp_path / "figures.json"
    for test, events in (("a", 100), ("b", 200), ("a", 400)):
        report = Report(figures)
        report.begin(test)
        report.row("nothing").events += events
        report.row("nothing").trials += 1
        report.write(told=False)

    assert Report(figures).table().splitlines()[-1] == "| nothing | 2 |  | 600 | 0 (< 5.0e-03) | 0 (< 5.0e-03) |  |"


def test_the_rounds_of_one_run_add_up(tmp_path: Path) -> None:
    """And replace those of the run before."""
    for rounds in (5, 3):
        report = Report(tmp_path / "figures.json")
        for _ in range(rounds):
            report.begin("a")
            report.row("nothing").trials += 1
            report.write(told=False)

    assert Report(tmp_path / "figures.json").rows["a"][0].trials == 3


def _tests(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
