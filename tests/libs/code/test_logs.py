"""A log that stays small, whatever is printed."""

import threading

import pytest

from headrace.code.logs import BoundedLog


def whole(log: BoundedLog) -> bytes:
    """What is kept in the end."""
    return log.fresh() + log.end()


def test_a_short_log_is_kept_as_it_is_and_given_once() -> None:
    """Piece by piece, as it comes."""
    log = BoundedLog(head=100, tail=10)

    log.add(b"one\n")
    assert log.fresh() == b"one\n"
    log.add(b"two\n")

    assert (log.fresh(), log.fresh(), log.end()) == (b"two\n", b"", b"")


@pytest.mark.parametrize("size", [1, 3, 7, 64, 1000])
def test_of_a_long_log_head_and_end_are_kept_however_it_comes(size: int) -> None:
    """Byte by byte or at once: the same bytes, and how many were cut."""
    printed = bytes(range(256)) * 4
    log = BoundedLog(head=10, tail=20)

    for at in range(0, len(printed), size):
        log.add(printed[at : at + size])

    assert whole(log) == printed[:10] + b"\n... 994 bytes were cut here ...\n" + printed[-20:]


def test_nothing_is_cut_where_head_and_end_meet() -> None:
    """To the byte."""
    log = BoundedLog(head=10, tail=20)

    log.add(b"x" * 30)

    assert whole(log) == b"x" * 30


def test_the_last_words_are_at_hand() -> None:
    """A failure is at the end, also where the end is in the head."""
    log = BoundedLog()

    log.add(b"much\n" * 10_000 + b"the reason\n")

    assert log.recent.endswith("much\nthe reason\n")
    assert len(log.recent) <= 8192


def test_what_is_printed_while_it_is_kept_is_not_lost() -> None:
    """One thread reads, another keeps."""
    log, kept = BoundedLog(head=1 << 20), []
    writer = threading.Thread(target=lambda: [log.add(b"0123456789") for _ in range(20_000)])

    writer.start()
    while writer.is_alive():
        kept.append(log.fresh())
    writer.join()

    assert b"".join(kept) + log.fresh() == b"0123456789" * 20_000
