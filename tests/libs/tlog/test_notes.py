"""Signed notes and checkpoints: read by other tools, and false ones refused."""

from __future__ import annotations

import base64
import hashlib

import pytest

from headrace.tlog import Checkpoint, NoteError, SigningKey, VerifyingKey
from headrace.tlog.notes import open_note

# The test vector of golang.org/x/mod/sumdb/note, which defined the format.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = SigningKey("log.example.org/audit", hashlib.sha256(b"a test key").digest())


def test_our_notes_are_those_of_go() -> None:
    """Ed25519 is deterministic: the same key signs the same text to the same bytes as Go's tool."""
    assert SigningKey("PeterNeumann", GO_SEED).sign(GO_TEXT) == f"{GO_TEXT}\n{GO_SIGNATURE}"
    assert open_note(f"{GO_TEXT}\n{GO_SIGNATURE}", VerifyingKey.parse(GO_KEY)) == GO_TEXT


def test_a_verifying_key_is_read_as_written() -> None:
    """The one-line key survives a round trip, with its key id checked."""
    assert str(VerifyingKey.parse(GO_KEY)) == GO_KEY
    assert VerifyingKey.parse(str(KEY.verifying_key) + "\n") == KEY.verifying_key


@pytest.mark.parametrize("text", ["", "x", "x+y+z", GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY[:-4], "+a+b"])
def test_a_damaged_key_is_refused(text: str) -> None:
    """A key whose id, length or encoding is wrong verifies nothing."""
    with pytest.raises(NoteError):
        VerifyingKey.parse(text)


def test_a_checkpoint_comes_back() -> None:
    """Signed, then opened with the public key alone."""
    checkpoint = Checkpoint("log.example.org/audit", 17, b"r" * 32)
    assert Checkpoint.open(checkpoint.signed(KEY), KEY.verifying_key) == checkpoint


@pytest.mark.parametrize(
    "tamper",
    [
        lambda note: note.replace("\n17\n", "\n18\n"),
        lambda note: note.replace("cnJy", "cnJz", 1),
        lambda note: note.replace("log.example.org/audit\n", "log.example.org/other\n", 1),
        lambda note: note[:-5] + note[-1],
        lambda note: note.replace("—", "-"),
        lambda note: note.split("\n\n")[0],
        lambda note: "",
    ],
)
def test_a_changed_checkpoint_is_refused(tamper) -> None:  # type: ignore[no-untyped-def]
    """Size, root, origin or signature: nothing can be changed."""
    note = Checkpoint("log.example.org/audit", 17, b"r" * 32).signed(KEY)
    with pytest.raises(NoteError):
        Checkpoint.open(tamper(note), KEY.verifying_key)


def test_a_checkpoint_of_another_key_is_refused() -> None:
    """The same name with another key is another log."""
    other = SigningKey(KEY.name, b"s" * 32)
    with pytest.raises(NoteError, match="no signature"):
        Checkpoint.open(Checkpoint(KEY.name, 1, b"r" * 32).signed(other), KEY.verifying_key)


def test_signatures_of_witnesses_are_ignored() -> None:
    """Further signatures on a checkpoint do not hurt."""
    checkpoint = Checkpoint(KEY.name, 17, b"r" * 32)
    witness = SigningKey("witness", b"w" * 32)
    cosigned = checkpoint.signed(KEY) + checkpoint.signed(witness).rpartition("\n\n")[2]

    assert Checkpoint.open(cosigned, KEY.verifying_key) == checkpoint


def test_a_checkpoint_names_the_log_of_its_key() -> None:
    """A key vouches for its own log alone."""
    note = KEY.sign(Checkpoint("elsewhere", 1, b"r" * 32).text())
    with pytest.raises(NoteError, match="elsewhere"):
        Checkpoint.open(note, KEY.verifying_key)


@pytest.mark.parametrize("text", ["a\n01\nAAAA\n", "a\n1\nAAAA\n", "a\nx\nAAAA\n", "\n1\nAAAA\n", "a\n1\n"])
def test_a_checkpoint_has_one_form(text: str) -> None:
    """Leading zeros, short roots and missing lines are refused."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text)
