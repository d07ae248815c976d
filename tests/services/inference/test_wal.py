"""The write-ahead log of a replica: what was kept is given back whole and in order, also after the worst."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.inference.wal import WriteAheadLog, WriteAheadLogFull
from headrace.testkit.examples import examples

MB = 1 << 20


def drain(wal: WriteAheadLog) -> list[tuple[str, str, bytes]]:
    """Read and forget everything."""
    found = []
    while True:
        frames, place = wal.read()
        if not frames:
            return found
        found += [(frame.subject, frame.id, frame.payload) for frame in frames]
        wal.forget(place)


def fill(wal: WriteAheadLog, count: int, start: int = 0, size: int = 100) -> list[tuple[str, str, bytes]]:
    """Append made-up messages."""
    messages = [(f"s.{at % 3}", f"id-{at}", b"%d" % at * size) for at in range(start, start + count)]
    for message in messages:
        wal.append(*message)
    return messages


def test_messages_come_back_in_order(tmp_path: Path) -> None:
    """First in, first out."""
    wal = WriteAheadLog(tmp_path, bound=MB)

    kept = fill(wal, 50)

    assert drain(wal) == kept
    assert wal.empty


def test_reading_without_forgetting_repeats(tmp_path: Path) -> None:
    """What was not acknowledged is read again."""
    wal = WriteAheadLog(tmp_path, bound=MB)
    kept = fill(wal, 3)

    assert wal.read() == wal.read()
    assert drain(wal) == kept


def test_what_was_kept_outlives_the_process(tmp_path: Path) -> None:
    """A new process goes on where the old one was killed."""
    first = WriteAheadLog(tmp_path, bound=MB)
    kept = fill(first, 10)
    frames, _ = first.read()
    assert len(frames) == 10

    second = WriteAheadLog(tmp_path, bound=MB)
    kept += fill(second, 5, start=10)

    assert drain(second) == kept


def test_what_was_forgotten_is_not_said_again_by_the_next_process(tmp_path: Path) -> None:
    """The place of reading is kept, too."""
    first = WriteAheadLog(tmp_path, bound=MB)
    fill(first, 10)
    drain(first)
    late = fill(first, 2, start=10)

    assert drain(WriteAheadLog(tmp_path, bound=MB)) == late


@pytest.mark.parametrize("torn", [1, 10, 15, 90])
def test_a_frame_that_a_crash_tore_is_left_out_and_nothing_else(tmp_path: Path, torn: int) -> None:
    """The last write of a killed process may be half there."""
    first = WriteAheadLog(tmp_path, bound=MB)
    kept = fill(first, 5)
    segment = max(tmp_path.glob("*.log"))
    with segment.open("rb+") as file:
        file.truncate(segment.stat().st_size - torn)

    second = WriteAheadLog(tmp_path, bound=MB)
    later = fill(second, 2, start=10)

    assert drain(second) == kept[:-1] + later
    assert second.empty


def test_the_bound_holds_and_room_comes_back(tmp_path: Path) -> None:
    """Full is refused; what was forgotten makes room."""
    wal = WriteAheadLog(tmp_path, bound=10_000)
    with pytest.raises(WriteAheadLogFull, match="the bound is 10000"):
        fill(wal, 1000)

    drain(wal)

    assert fill(wal, 1)
    assert wal.refused == 1


def test_segments_are_removed_when_they_are_through(tmp_path: Path) -> None:
    """The disk holds no more than what waits."""
    wal = WriteAheadLog(tmp_path, bound=64 * MB, segment=10_000)
    kept = fill(wal, 500)
    assert len(list(tmp_path.glob("*.log"))) > 5

    assert drain(wal) == kept
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_message_larger_than_one_reading_passes(tmp_path: Path) -> None:
    """Nearly a megabyte is a message like any other."""
    wal = WriteAheadLog(tmp_path, bound=8 * MB)
    large = ("s", "big", b"x" * 900_000)
    wal.append(*large)

    assert drain(wal) == [large]


@settings(max_examples=examples(60))
@given(st.lists(st.one_of(st.integers(1, 20), st.sampled_from(["drain", "half", "restart"])), max_size=20))
def test_nothing_is_lost_or_doubled_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str]
) -> None:
    """Appends, reads, half reads and restarts in any order give every message once, in order."""
    folder = tmp_path_factory.mktemp("journal")
    wal = WriteAheadLog(folder, bound=64 * MB, segment=2_000)
    kept: list[tuple[str, str, bytes]] = []
    seen: list[tuple[str, str, bytes]] = []
    for step in steps:
        if isinstance(step, int):
            kept += fill(wal, step, start=len(kept))
        elif step == "drain":
            seen += drain(wal)
        elif step == "half":
            frames, place = wal.read()
            if frames:
                wal.forget(place)
                seen += [(frame.subject, frame.id, frame.payload) for frame in frames]
        else:
            wal = WriteAheadLog(folder, bound=64 * MB, segment=2_000)

    seen += drain(wal)

    assert seen == kept
