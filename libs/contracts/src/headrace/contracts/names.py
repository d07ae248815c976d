"""Names that are more than strings: parsed once at the edge, promises inside."""

import re
import unicodedata
from typing import NewType

from headrace.contracts.errors import ContractError

ModelName = NewType("ModelName", str)
DatasetName = NewType("DatasetName", str)
RunId = NewType("RunId", str)
Digest = NewType("Digest", str)
Alias = NewType("Alias", str)

_WHOLE = re.compile(r"[0-9]{1,19}")
_PREDICTION = re.compile(r"[!-~]{1,200}")  # printable ASCII, as replicas make ids
MOST_ROWS = 10**9  # of one request; what a database's integer holds
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
OURS = "headrace:"
"""How the names of columns begin that we add to data; no column of anybody's data may."""
ANSWER_COLUMN = f"{OURS}prediction"
"""The column of a drift reference that holds the model's own answers."""

KEY_COLUMN = f"{OURS}key"
"""The input of a prediction request that holds the caller's own key of each row."""


def is_name(text: str) -> bool:
    """Whether `text` can name a model or a dataset: it is a token of subjects and a part of URLs."""
    return NAME.fullmatch(text) is not None


def column_name(text: str) -> str:
    """A column's name as data, contracts and declarations compare it: in Unicode's composed form (NFC), trimmed.

    Raises ContractError where it holds a character that nobody sees and that would make two names look alike, and
    where it begins as only our own columns do.
    """
    name = unicodedata.normalize("NFC", text.strip(" \t"))
    for position, character in enumerate(name, 1):
        if _is_invisible(character):
            called = unicodedata.name(character, "a control character")
            raise ContractError(
                f"the name {name!a} holds an invisible character at position {position}: "
                f"U+{ord(character):04X} ({called}); remove it"
            )
    if name.lower().startswith(OURS):
        raise ContractError(f"the name {name!r} begins with {OURS!r}, as only columns of Headrace's own do; rename it")
    return name


def _is_invisible(character: str) -> bool:
    """Controls, formats and spaces other than the usual one; joiners have a meaning in many scripts and are none."""
    joins = character in "\u200c\u200d"
    spaces = character != " " and unicodedata.category(character) in ("Zs", "Zl", "Zp")
    return spaces or (not joins and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Cn"))


def whole_number(text: str) -> int | None:
    """The number from 0 on that `text` writes in ASCII digits; None where it is none, or more than 64 bits hold.

    str.isdigit() takes superscripts, which int() does not; int() takes the digits of every script, but not 5,000.
    """
    return int(text) if _WHOLE.fullmatch(text) and int(text) < 2**63 else None


def bare(prediction_id: str) -> str:
    """The id of a whole request, given that of one of its rows; what is no id stands for itself."""
    return prediction_id.rpartition(":")[0] or prediction_id


def row_of(prediction_id: str) -> tuple[str, int | None]:
    """A prediction's id and the row that is meant, `id:row`; None where the bare id stands for the whole request.

    Raises ContractError for what is no id.
    """
    base, mark, row = prediction_id.rpartition(":")
    prediction, number = (base, whole_number(row)) if mark else (prediction_id, None)
    if not _PREDICTION.fullmatch(prediction) or (mark and (number is None or number >= MOST_ROWS)):
        shown = ascii(prediction_id[:60] + ("..." if len(prediction_id) > 60 else ""))
        raise ContractError(f"{shown} is no prediction id; `id:row` names a row, the bare id row 0")
    return prediction, number
