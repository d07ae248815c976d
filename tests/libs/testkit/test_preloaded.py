"""A program that is loaded once, and of which every start is a process of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.testkit.preloaded import Preloaded
from headrace.testkit.waiting import eventually

PROGRAM = """
import os, random, sys, time
from headrace.faults import point

LOADED_BY = os.getpid()

def start(what, *more):
    if what == "tell":
        print(os.getpid(), os.getppid() == LOADED_BY, os.environ.get("COLOUR"), *more, random.random())
    elif what == "raise":
        raise ValueError("as it is")
    elif what == "sleep":
        print("asleep", flush=True)
        time.sleep(60)
    elif what == "exit":
        sys.exit(int(more[0]))
    else:
        point("made_up.here")
    return 3 if what == "three" else None
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preloaded]:
    """The program, loaded."""
    file = tmp_path_factory.mktemp("program") / "program.py"
    file.write_text(PROGRAM)
    with Preloaded(file) as loaded:
        yield loaded


async def test_each_start_is_a_process_with_its_own_arguments_environment_and_chance(
    program: Preloaded, tmp_path: Path
) -> None:
    """Children of the one that has loaded it; nothing that one was told is known to the next."""
    told = []
    for number, environment in enumerate(({"COLOUR": "red"}, {})):
        out = tmp_path / str(number)
        child = await program.start("tell", f"n{number}", out=out, **environment)
        assert await child.wait() == 0
        told.append((child.pid, out.read_text().split()))

    (first, one), (second, two) = told
    assert first != second
    assert one[:4] == [str(first), "True", "red", "n0"]
    assert two[:4] == [str(second), "True", "None", "n1"]
    assert one[4] != two[4]


@pytest.mark.parametrize(("what", "code"), [("three", 3), ("exit 5", 5), ("raise", 1)])
async def test_the_exit_code_is_its_own(program: Preloaded, tmp_path: Path, what: str, code: int) -> None:
    """What `start` returns or raises; an error is written where its output goes."""
    child = await program.start(*what.split(), out=tmp_path / "out")

    assert await child.wait() == code
    assert ("ValueError: as it is" in (tmp_path / "out").read_text()) == (what == "raise")


async def test_it_can_be_killed_and_dies_at_the_point_that_it_is_told(program: Preloaded, tmp_path: Path) -> None:
    """As any process; the next one does not know of that fault."""
    child = await program.start("sleep", out=tmp_path / "out")
    await eventually(lambda: (tmp_path / "out").read_text() == "asleep\n")
    child.kill()
    assert await child.wait() == -signal.SIGKILL

    for fault, code in (("made_up.here:1", -signal.SIGKILL), ("", 0)):
        child = await program.start("pass", out=tmp_path / "out", FAULT_AT=fault)
        assert await child.wait() == code


async def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    """Neither the process that has loaded the program, nor those that still run."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    with Preloaded(file) as program:
        child = await program.start("sleep", out=tmp_path / "out")

    await eventually(lambda: child.returncode is not None or not _runs(child.pid))
    assert not _runs(child.pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    """Not a wait without end."""
    file = tmp_path / "program.py"
    file.write_text("import nothing_of_this_name")
    with Preloaded(file) as program, pytest.raises((RuntimeError, BrokenPipeError)):
        await program.start("tell", out=tmp_path / "out")
