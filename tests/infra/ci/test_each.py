"""`.ci/run` tries every test target, and says at its end which ones failed, and how."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EACH = ROOT / ".ci" / "each"
MADE_UP = """
good:
	@echo good is good
also:
	@echo also is good
loud:
	@echo said on standard error >&2
bad:
	@seq 1 100; echo FAILED tests/test_it.py; echo 1 failed in 0.1s; exit 3
worse:
	@echo worse than bad; false
waits:
	@echo begun; until [ -e go ]; do sleep 0.01; done
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with made-up targets."""
    (tmp_path / "Makefile").write_text(MADE_UP)
    return tmp_path


def each(place: Path, *targets: str) -> tuple[int, list[str]]:
    """The status, and the lines that were said."""
    done = subprocess.run([EACH, *targets], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout.splitlines()


def told(lines: list[str], target: str) -> list[str]:
    """What the end says of a target: the lines after its heading, up to the next one."""
    start = lines.index(f"==== make {target} failed, and its log ends with:") + 1
    return [*_until_a_heading(lines[start:])]


def _until_a_heading(lines: list[str]) -> list[str]:
    ends = (number for number, line in enumerate(lines) if line.startswith(("====", "failed: ")))
    return lines[: next(ends)]


def test_when_all_pass_the_last_line_says_so(place: Path) -> None:
    """And nothing is told twice."""
    status, lines = each(place, "good", "also")

    assert (status, lines[-1]) == (0, "all passed: good also")
    assert lines.count("good is good") == lines.count("also is good") == 1


def test_what_comes_after_one_that_failed_is_tried_all_the_same(place: Path) -> None:
    """The status tells that one did not."""
    status, lines = each(place, "bad", "good")

    assert status == 1
    assert "good is good" in lines
    assert lines[-1] == "failed: bad (of bad good)"


def test_the_end_of_the_log_of_what_failed_comes_last(place: Path) -> None:
    """Its sixty last lines, with the summary; those of others are not told again."""
    _, lines = each(place, "bad", "good")

    end = told(lines, "bad")
    assert "FAILED tests/test_it.py" in end
    assert "1 failed in 0.1s" in end
    assert "100" in end
    assert "1" not in end
    assert len([line for line in end if line]) == 60
    assert lines.index("good is good") < lines.index("==== make bad failed, and its log ends with:")


def test_each_that_failed_is_told(place: Path) -> None:
    """In the order in which they were tried."""
    status, lines = each(place, "worse", "good", "bad")

    assert status == 1
    assert "worse than bad" in told(lines, "worse")
    assert "1 failed in 0.1s" in told(lines, "bad")
    assert lines[-1] == "failed: worse bad (of worse good bad)"


def test_the_last_one_counts_as_well(place: Path) -> None:
    """A pipe's status is that of its first command, not that of what keeps the log."""
    assert each(place, "good", "worse")[0] == 1


def test_a_target_that_nobody_knows_has_failed(place: Path) -> None:
    """A wrong name must not pass for a test."""
    status, lines = each(place, "absent", "good")

    assert status == 1
    assert "No rule to make target" in "".join(told(lines, "absent"))
    assert "good is good" in lines


def test_both_outputs_are_told(place: Path) -> None:
    """Also what is said as an error."""
    assert "said on standard error" in each(place, "loud")[1]


def test_what_is_said_is_told_at_once(place: Path) -> None:
    """Not when the target is done: somebody watches."""
    with subprocess.Popen([EACH, "waits"], cwd=place, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        (place / "go").touch()  # whatever was said: the target waits for it
        assert first == "begun\n"
        assert running.wait(30) == 0


def test_every_target_that_is_run_is_in_the_makefile() -> None:
    """And those that `make test` leaves to others are run."""
    known = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    run = {"newest", *_listed()}

    assert run <= known
    assert {"test", "frameworks", "resilience", "edge", "postgres", "pmml"} <= run


def _listed() -> list[str]:
    """The targets of `.ci/run` that are tried to their end."""
    text = (ROOT / ".ci" / "run").read_text()
    return [name for names in re.findall(r"targets\+?=\(([a-z0-9 -]+)\)", text) for name in names.split()]
