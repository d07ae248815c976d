"""A log that lies: whatever its keeper sends is a finding or a ValueError, never another error, never a whole log."""

import base64
import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.testkit.examples import examples
from headrace.tlog import (
    Checkpoint,
    Edge,
    Entry,
    Finding,
    Hole,
    Kept,
    NoteError,
    Past,
    Sequences,
    SigningKey,
    TileId,
    Verdict,
    VerifyingKey,
    check_log,
    decode_bundle,
    decode_messages,
    described,
    encode_bundle,
    encode_messages,
    leaf_hash,
    parse_tile_path,
)
from headrace.tlog.check import LATE
from headrace.tlog.messages import decoded
from headrace.tlog.notes import open_note
from headrace.tlog.tiles import MAX_ENTRY, bundle_path, number_path, tile_path, tile_width

KEY = SigningKey("log", b"k" * 32)
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
ENTRY = Entry("E", 1, "headrace.a.b.c", "e1", "headrace.a.b.v1", "s", "2026-01-01T00:00:00Z", "0" * 64, "", "t")
DEEP = b"[" * 60_000


def canonical(document: Any) -> bytes:
    """As an entry is encoded, whatever its values are."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


ODD_VALUES: list[Any] = [None, True, 1.5, ["E"], {"a": 1}]
NO_ENTRIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"nonsense",
    "no UTF-8": b"\xff",
    "a list": b"[]",
    "null": b"null",
    "nested too deep": DEEP,
    "a field too few": canonical({k: v for k, v in asdict(ENTRY).items() if k != "received"}),
    "a field too many": canonical({**asdict(ENTRY), "w": 1}),
    "spaces": ENTRY.encode().replace(b":", b": ", 1),
    "another order": json.dumps(asdict(ENTRY), separators=(",", ":")).encode(),
    "a field twice": ENTRY.encode().replace(b'"seq":1', b'"seq":2,"seq":1'),
    "an escape that is not needed": ENTRY.encode().replace(b'"id":"e1"', b'"id":"\\u00651"'),
    "half a surrogate pair": ENTRY.encode().replace(b'"id":"e1"', b'"id":"\\ud800"'),
    "a number that is not the shortest": ENTRY.encode().replace(b'"seq":1', b'"seq":1.0'),
    "thousands of digits": ENTRY.encode().replace(b'"seq":1', b'"seq":' + b"1" * 5000),
    **{
        f"{name} is {value!r}": canonical({**asdict(ENTRY), name: value})
        for name in asdict(ENTRY)
        for value in [*ODD_VALUES, "1" if name in ("seq", "v") else 1]
    },
}


@pytest.mark.parametrize("name", NO_ENTRIES)
def test_what_is_no_entry_is_a_value_error(name: str) -> None:
    """Of another shape, of another type, or in another spelling."""
    with pytest.raises(ValueError):
        Entry.decode(NO_ENTRIES[name])
    assert decoded([ENTRY.encode(), NO_ENTRIES[name], ENTRY.encode()]) == [ENTRY, None, ENTRY]


def test_it_is_said_which_field_has_another_type() -> None:
    """Numbers are numbers, and all else is text."""
    with pytest.raises(ValueError, match="an entry's seq is a number"):
        Entry.decode(NO_ENTRIES["seq is '1'"])
    with pytest.raises(ValueError, match="an entry's stream is text"):
        Entry.decode(NO_ENTRIES["stream is None"])
    with pytest.raises(ValueError, match="an entry has exactly headers, id, received, seq, sha256, source, stream"):
        Entry.decode(NO_ENTRIES["a field too few"])


@dataclass
class Log:
    """What a keeper sends, honest or not."""

    entries_: list[bytes]
    tiles: dict[TileId, bytes]
    note: str
    bundle: bytes | None = None

    @classmethod
    def of(cls, entries: list[bytes]) -> "Log":
        """A log of these entries, rightly signed."""
        edge = Edge()
        tiles = {tile: b"".join(hashes) for tile, hashes in edge.append(map(leaf_hash, entries)).items()}
        return cls(entries, tiles, Checkpoint("log", len(entries), edge.root()).signed(KEY))

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return self.note

    async def tile(self, tile: TileId, width: int) -> bytes:
        """Hashes of one tile, as many as are there."""
        return self.tiles.get(tile, b"")[: width * 32]

    async def entries(self, number: int, width: int) -> bytes:
        """Entries of one bundle."""
        if self.bundle is not None:
            return self.bundle
        return encode_bundle(self.entries_[number * 256 : number * 256 + width])

    async def check(self, **options: Any) -> Verdict:
        """Check it."""
        return await check_log(self, KEY.verifying_key, now=NOW, **options)


def entry(seq: int, stream: str = "E", received: str = "2026-01-01T00:00:00Z") -> bytes:
    """The entry of one message."""
    return replace(ENTRY, seq=seq, stream=stream, received=received).encode()


@pytest.mark.parametrize("name", NO_ENTRIES)
async def test_what_is_no_entry_is_a_finding_and_the_rest_is_checked(name: str) -> None:
    """One bad entry, signed by the keeper, neither stops the check nor passes it."""
    verdict = await Log.of([entry(1), NO_ENTRIES[name], entry(2), entry(4)]).check()

    assert [(f.what, f.where, f.found) for f in verdict.findings] == [
        ("entry", "1", "what is none"),
        ("gap", "E 3", "nothing is recorded"),
    ]
    assert verdict.entries == 4


BUNDLES: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "0 in tile/entries/000.p/2", "0 entries"),
    "one entry": (encode_bundle([entry(1)]), "1 in tile/entries/000.p/2", "1 entries"),
    "an entry too many": (encode_bundle([entry(1), entry(2), entry(3)]), "3 in tile/entries/000.p/2", "3 entries"),
    "half a length": (b"\x00", "tile/entries/000.p/2", "the bundle ends inside its entry number 0"),
    "half an entry": (encode_bundle([entry(1)]) + b"\x00\x05abc", "tile/entries/000.p/2", "inside its entry number 1"),
}


@pytest.mark.parametrize("name", BUNDLES)
async def test_a_bundle_of_another_length_is_named(name: str) -> None:
    """Where it ends, and how many entries were expected."""
    bundle, where, found = BUNDLES[name]
    log = replace(Log.of([entry(1), entry(2)]), bundle=bundle)

    verdict = await log.check()

    (finding,) = verdict.findings
    assert (finding.what, finding.where, finding.expected) == ("entry", where, "2 entries")
    assert finding.found.endswith(found)
    assert verdict.entries == 0


@pytest.mark.parametrize(
    ("received", "is_late"),
    [
        ((NOW - LATE).isoformat(), False),
        ((NOW - LATE + timedelta(microseconds=1)).isoformat(), True),
        ((NOW + timedelta(days=1)).isoformat(), True),
        ("", False),
        ("yesterday", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-14:00", False),
    ],
)
async def test_a_hole_is_late_or_a_gap(received: str, is_late: bool) -> None:
    """Younger than a minute it may be filled; without a time that can be read, it is old."""
    verdict = await Log.of([entry(1), entry(4, received=received)]).check()

    assert (verdict.ok, verdict.late) == (is_late, int(is_late))
    assert [str(f) for f in verdict.findings] == (
        [] if is_late else ["gap E 2..3: expected 2 messages, found nothing is recorded"]
    )


async def test_a_checkpoint_that_is_not_continued_is_named_with_both_roots() -> None:
    """Those of the same size as the head, and those of size zero, count too."""
    log = Log.of([entry(seq) for seq in (1, 2, 3)])
    head, other = Checkpoint.open(log.note, KEY.verifying_key), Checkpoint("log", 3, b"o" * 32)
    empty = Checkpoint("log", 0, Edge().root())

    verdict = await log.check(history=[Past(other, "EVENTS 5"), Past(head), Past(empty)])

    assert verdict.checkpoints == 3
    assert [str(f) for f in verdict.findings] == [
        f"history checkpoint of size 3 (EVENTS 5): expected {other.root.hex()}, found {head.root.hex()}"
    ]
    assert (verdict.size, verdict.root, verdict.head) == (3, head.root.hex(), log.note)


async def test_a_log_that_was_cut_off_is_shorter_than_its_past() -> None:
    """The checkpoint of the longer log is the witness."""
    verdict = await Log.of([entry(1)]).check(history=[Past(Checkpoint("log", 2, b"r" * 32))])

    assert [str(f) for f in verdict.findings] == [
        "history checkpoint of size 2: expected 2 entries or more, found 1 entries"
    ]
    assert verdict.first == Finding("history", "checkpoint of size 2", "2 entries or more", "1 entries")
    assert Verdict().first is None


@pytest.mark.parametrize("note", ["", "\n\n", "log\n1\nAAAA\n", "�" * 40, "log\n1\nAAAA\n\n— log AAAA\n"])
async def test_a_note_that_cannot_be_opened_is_the_only_finding(note: str) -> None:
    """Without a signed head, there is nothing to compare with."""
    verdict = await replace(Log.of([entry(1)]), note=note).check()

    assert [(f.what, f.where, f.expected) for f in verdict.findings] == [
        ("checkpoint", "newest", "a valid signed checkpoint")
    ]
    assert (verdict.ok, verdict.size, verdict.entries, verdict.head) == (False, 0, 0, note)


@settings(max_examples=examples(12))
@given(st.integers(1, 9), st.integers(0, 8), st.integers(0, 255), st.data())
async def test_no_changed_byte_of_any_entry_passes(count: int, at: int, flip: int, data: st.DataObject) -> None:
    """Whichever byte of whichever entry is another, the log is not whole."""
    log = Log.of([entry(seq) for seq in range(1, count + 1)])
    raw = bytearray(log.entries_[at % count])
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= flip or 1
    log.entries_[at % count] = bytes(raw)

    verdict = await log.check()

    assert verdict.first is not None
    assert verdict.first.where == f"{at % count} in {bundle_path(0, count)}"


SPELLINGS = [
    "00/000",
    "01/000",
    "0/000.p/01",
    "0/000.p/017",
    "0/000.p/0",
    "0/000.p/256",
    "0/000.p/257",
    "0/000.p/",
    "0/x000/000",
    "0/x1/000",
    "0/0000",
    "0/001/002",
    "0/000/",
    "/0/000",
    "0/000\n",
    "٣/000",
    "0/٠٠١",
    "0/000.p/٣",
    "-1/000",
    "100/000",
    "entries",
    "entries/0",
    "Entries/000",
    "entries/000.p/007",
    "",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_a_tile_has_one_spelling(path: str) -> None:
    """Leading zeros, digits of other scripts and a line's end are refused: a cache would hold the tile twice."""
    with pytest.raises(ValueError):
        parse_tile_path(path)


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", (0, 0, 256)),
        ("63/999", (63, 999, 256)),
        ("1/x001/000.p/255", (1, 1000, 255)),
        ("0/x999/x999/999.p/1", (0, 999_999_999, 1)),
        ("entries/x001/x234/067", (None, 1_234_067, 256)),
        ("entries/000.p/10", (None, 0, 10)),
    ],
)
def test_the_one_spelling_is_read(path: str, tile: tuple[int | None, int, int]) -> None:
    """Level, number and width; a bundle of entries has no level."""
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (5, "005"), (999, "999"), (1000, "x001/000"), (999_999, "x999/999"), (10**6, "x001/x000/000")],
)
def test_a_number_is_written_in_groups(number: int, path: str) -> None:
    """C2SP tlog-tiles: all groups but the last begin with an x."""
    assert number_path(number) == path
    assert tile_path(TileId(0, number)) == f"tile/0/{path}"
    assert bundle_path(number, 9) == f"tile/entries/{path}.p/9"


@settings(max_examples=examples(25))
@given(st.integers(0, 2**40), st.integers(0, 4), st.integers(0, 2**33))
def test_widths_of_all_tiles_of_a_level_are_its_hashes(size: int, level: int, number: int) -> None:
    """Full tiles up to the last, one partial at most, none beyond."""
    hashes = size // 256**level

    width = tile_width(TileId(level, number), size)

    assert width == len(range(number * 256, min(hashes, number * 256 + 256)))


def test_an_entry_may_be_as_long_as_two_bytes_can_tell() -> None:
    """And no longer."""
    longest = b"x" * MAX_ENTRY

    assert decode_bundle(encode_bundle([longest, b"", b"a"])) == [longest, b"", b"a"]
    assert encode_bundle([b"ab"]) == b"\x00\x02ab"
    with pytest.raises(ValueError, match="65536 bytes; at most 65535"):
        encode_bundle([longest + b"x"])


@settings(max_examples=examples(25))
@given(st.binary(max_size=40))
def test_any_bytes_are_bundles_or_value_errors(raw: bytes) -> None:
    """And what is read, is written as it was."""
    for decode, encode in ((decode_bundle, encode_bundle), (decode_messages, encode_messages)):
        try:
            found: Any = decode(raw)
        except ValueError:
            continue
        assert encode(found) == raw


def test_a_bundle_of_messages_says_where_it_ends() -> None:
    """Within a part, within a length, or between headers and payload."""
    whole = encode_messages([Kept(b"hh", b"body"), Kept(b"", b"")])

    assert whole == b"\0\0\0\x02hh\0\0\0\x04body\0\0\0\0\0\0\0\0"
    for cut, text in ((1, "part at byte 18"), (4, "between a message's headers"), (8, None), (9, "part at byte 6")):
        if text is None:
            assert decode_messages(whole[:-cut]) == [Kept(b"hh", b"body")]
        else:
            with pytest.raises(ValueError, match=text):
                decode_messages(whole[:-cut])


def test_an_entry_in_words_has_its_index_and_its_message() -> None:
    """Enough to look it up."""
    assert described(7, ENTRY) == "7 (headrace.a.b.v1 e1, E 1)"
    assert Hole("E", 4, 4, "t").where == "E 4"


def test_a_hole_from_the_first_number_on_is_one() -> None:
    """Every stream begins with 1; numbers that join two ranges close the hole."""
    found = Sequences()
    assert found.add("E", 3, "c")
    assert found.add("R", 1, "r")
    assert list(found.holes()) == [Hole("E", 1, 2, "c")]

    assert found.add("E", 1, "a")
    assert list(found.holes()) == [Hole("E", 2, 2, "c")]
    assert found.add("E", 2, "b")

    assert list(found.holes()) == []
    assert [found.add("E", seq, "x") for seq in (1, 2, 3)] == [False] * 3


# of the key of the C2SP specification's kind: name, id and algorithm are one
TEXT, ID, PUBLIC = str(KEY.verifying_key), KEY.verifying_key.id.hex(), KEY.verifying_key.public


def line(algorithm: bytes, public: bytes) -> str:
    """A key's one line, with the id that fits."""
    return f"log+{VerifyingKey('log', public).id.hex()}+{base64.b64encode(algorithm + public).decode()}"


KEYS: dict[str, str] = {
    "no name": TEXT.removeprefix("log"),
    "another name": "gol" + TEXT.removeprefix("log"),
    "capital digits": TEXT.replace(ID, ID.upper()),
    "another algorithm": line(b"\x02", PUBLIC),
    "a byte too few": line(b"\x01", PUBLIC[1:]),
    "a byte too many": line(b"\x01", PUBLIC + b"x"),
    "no base64": TEXT[:-1] + "!",
    "other letters": TEXT[:-2] + "é=",
}


def test_the_id_of_a_key_is_of_its_name_and_bytes() -> None:
    """C2SP signed-note: SHA-256 of name, newline, algorithm and public key."""
    assert hashlib.sha256(b"log\n\x01" + PUBLIC).hexdigest()[:8] == ID
    assert line(b"\x01", PUBLIC) == TEXT


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_contradicts_itself_is_refused(name: str) -> None:
    """What it would verify is another log, or none."""
    with pytest.raises(NoteError):
        VerifyingKey.parse(KEYS[name])


CHECKPOINT = Checkpoint("log", 7, b"r" * 32)
ROOT = base64.b64encode(b"r" * 32).decode()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (f"log\n7\n{ROOT}\n", True),
        (f"log\n7\n{ROOT}\nan extension\nanother\n", True),
        (f"log\n7\n{ROOT}", False),
        (f"log\n07\n{ROOT}\n", False),
        (f"log\n-7\n{ROOT}\n", False),
        (f"log\n 7\n{ROOT}\n", False),
        (f"log\n٧\n{ROOT}\n", False),
        (f"log\n{'9' * 20}\n{ROOT}\n", False),
        (f"\n7\n{ROOT}\n", False),
        (f"log\n7\n{ROOT}=\n", False),
        (f"log\n7\n{base64.b64encode(b'r' * 33).decode()}\n", False),
        ("log\n7\n\n", False),
    ],
)
def test_a_checkpoint_has_three_lines_and_perhaps_more(text: str, right: bool) -> None:
    """Origin, size without leading zeros, and a root of 32 bytes; what follows is another's."""
    if right:
        assert Checkpoint.parse(text) == CHECKPOINT
    else:
        with pytest.raises(NoteError):
            Checkpoint.parse(text)
    assert CHECKPOINT.text() == f"log\n7\n{ROOT}\n"


def test_a_false_signature_of_our_key_is_not_outweighed_by_a_right_one() -> None:
    """Who signs twice says one thing."""
    note = CHECKPOINT.signed(KEY)
    line = note.rpartition("\n\n")[2]
    false = base64.b64encode(KEY.verifying_key.id + b"x" * 64).decode()

    assert open_note(note + line, KEY.verifying_key) == CHECKPOINT.text()
    with pytest.raises(NoteError, match="does not match the text"):
        open_note(f"{note}— log {false}\n", KEY.verifying_key)
    with pytest.raises(NoteError, match="is no signature line"):
        open_note(f"{note}— log\n", KEY.verifying_key)
    with pytest.raises(NoteError, match="an empty line and signature lines"):
        open_note(note.rstrip("\n"), KEY.verifying_key)


@settings(max_examples=examples(25))
@given(st.text(max_size=60))
def test_any_text_is_a_note_or_an_error_of_notes(text: str) -> None:
    """Nothing that a keeper sends is an error of Python's."""
    for read in (Checkpoint.parse, VerifyingKey.parse, lambda note: open_note(note, KEY.verifying_key)):
        with contextlib.suppress(NoteError):
            assert read(text)
