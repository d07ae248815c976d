"""The spool of a replica: what was kept is given back whole and in order, also after the worst."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.deployer.serving.journal import Journal, JournalFull
from headrace.testkit.examples import examples

MB = 1 << 20


def drain(journal: Journal) -> list[tuple[str, str, bytes]]:
    """Read and forget everything."""
    found = []
    while True:
        frames, place = journal.read()
        if not frames:
            return found
        found += [(frame.subject, frame.id, frame.payload) for frame in frames]
        journal.forget(place)


def fill(journal: Journal, count: int, start: int = 0, size: int = 100) -> list[tuple[str, str, bytes]]:
    """Append made-up messages."""
    messages = [(f"s.{at % 3}", f"id-{at}", b"%d" % at * size) for at in range(start, start + count)]
    for message in messages:
        journal.append(*message)
    return messages


def test_messages_come_back_in_order(tmp_path: Path) -> None:
    """First in, first out."""
    journal = Journal(tmp_path, bound=MB)

    kept = fill(journal, 50)

    assert drain(journal) == kept
    assert journal.empty


def test_reading_without_forgetting_repeats(tmp_path: Path) -> None:
    """What was not acknowledged is read again."""
    journal = Journal(tmp_path, bound=MB)
    kept = fill(journal, 3)

    assert journal.read() == journal.read()
    assert drain(journal) == kept


def test_what_was_kept_outlives_the_process(tmp_path: Path) -> None:
    """A new process goes on where the old one was killed."""
    first = Journal(tmp_path, bound=MB)
    kept = fill(first, 10)
    frames, _ = first.read()
    assert len(frames) == 10

    second = Journal(tmp_path, bound=MB)
    kept += fill(second, 5, start=10)

    assert drain(second) == kept


def test_what_was_forgotten_is_not_said_again_by_the_next_process(tmp_path: Path) -> None:
    """The place of reading is kept, too."""
    first = Journal(tmp_path, bound=MB)
    fill(first, 10)
    drain(first)
    late = fill(first, 2, start=10)

    assert drain(Journal(tmp_path, bound=MB)) == late


@pytest.mark.parametrize("torn", [1, 10, 15, 90])
def test_a_frame_that_a_crash_tore_is_left_out_and_nothing_else(tmp_path: Path, torn: int) -> None:
    """The last write of a killed process may be half there."""
    first = Journal(tmp_path, bound=MB)
    kept = fill(first, 5)
    segment = max(tmp_path.glob("*.log"))
    with segment.open("rb+") as file:
        file.truncate(segment.stat().st_size - torn)

    second = Journal(tmp_path, bound=MB)
    later = fill(second, 2, start=10)

    assert drain(second) == kept[:-1] + later
    assert second.empty


def test_the_bound_holds_and_room_comes_back(tmp_path: Path) -> None:
    """Full is refused; what was forgotten makes room."""
    journal = Journal(tmp_path, bound=10_000)
    with pytest.raises(JournalFull, match="the bound is 10000"):
        fill(journal, 1000)

    drain(journal)

    assert fill(journal, 1)
    assert journal.refused == 1


def test_segments_are_removed_when_they_are_through(tmp_path: Path) -> None:
    """The disk holds no more than what waits."""
    journal = Journal(tmp_path, bound=64 * MB, segment=10_000)
    kept = fill(journal, 500)
    assert len(list(tmp_path.glob("*.log"))) > 5

    assert drain(journal) == kept
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_message_larger_than_one_reading_passes(tmp_path: Path) -> None:
    """Nearly a megabyte is a message like any other."""
    journal = Journal(tmp_path, bound=8 * MB)
    large = ("s", "big", b"x" * 900_000)
    journal.append(*large)

    assert drain(journal) == [large]


@settings(max_examples=examples(60))
@given(st.lists(st.one_of(st.integers(1, 20), st.sampled_from(["drain", "half", "restart"])), max_size=20))
def test_nothing_is_lost_or_doubled_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str]
) -> None:
    """Appends, reads, half reads and restarts in any order give every message once, in order."""
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, bound=64 * MB, segment=2_000)
    kept: list[tuple[str, str, bytes]] = []
    seen: list[tuple[str, str, bytes]] = []
    for step in steps:
        if isinstance(step, int):
            kept += fill(journal, step, start=len(kept))
        elif step == "drain":
            seen += drain(journal)
        elif step == "half":
            frames, place = journal.read()
            if frames:
                journal.forget(place)
                seen += [(frame.subject, frame.id, frame.payload) for frame in frames]
        else:
            journal = Journal(folder, bound=64 * MB, segment=2_000)

    seen += drain(journal)

    assert seen == kept
