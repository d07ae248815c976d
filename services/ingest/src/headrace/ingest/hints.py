"""What was taken but may not be what was meant, and what to declare where a file was refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from headrace.contracts.cells import (
    INTEGER,
    NUMBER,
    STRING,
    change_of,
    formats_of,
    how_to_declare_times,
    is_infinite,
    narrowest,
)
from headrace.ingest.profile import Column
from headrace.ingest.reading import Reading
from headrace.ingest.violations import TYPE, Violation, Violations

MISSING_SUSPECTED = "missing_suspected"
KEPT_AS_TEXT = "kept_as_text"
MANY_CATEGORIES = "many_categories"
CATEGORIES = 100  # distinct texts; a feature of more is rarely a category
TOKENS = 3  # distinct texts among numbers that are taken for words of missing values
TOKEN = 12  # characters that such a word has at most
TYPED = 3  # distinct numbers beside which a word looks odd
WORDS = frozenset(
    ["na", "n/a", "n.a.", "nan", "-nan", "none", "null", "nil", "missing", "unknown", "<na>", "#n/a", "nd", "n.d."]
)
_COMMA = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})*,[0-9]+|[+-]?[0-9]+,[0-9]+")


def suspicions(
    warnings: Violations,
    profile: Mapping[str, Column],
    guessed: Mapping[str, Reading],
    texts: Callable[[str], Sequence[str]],
    odd: Mapping[str, Sequence[str]],
) -> None:
    """Add to `warnings` what looks odd in an accepted file; `guessed` are the columns whose type was inferred."""
    for name, column in profile.items():
        if name in guessed and column.kind == STRING:
            seen = [*dict.fromkeys([*odd.get(name, ()), *texts(name)])]
            _as_text(warnings, name, seen)
        if name in guessed:
            _sentinel(warnings, name, column)
        _categories(warnings, name, column)


def _as_text(warnings: Violations, name: str, seen: Sequence[str]) -> None:
    """Why a column of numbers or times became text, and what would make it one."""
    words = [text.strip() for text in seen if narrowest(text) == STRING and not change_of(NUMBER, text)]
    padded = [text for text in seen if narrowest(text) == STRING and change_of(NUMBER, text)]
    typed = [kind for text in seen if (kind := narrowest(text)) not in (None, STRING)]
    if formats := formats_of([text for text in seen if text.strip()]):
        message = f"these look like times, and are text; {how_to_declare_times(name, formats)}"
        warnings.add(KEPT_AS_TEXT, message, column=name, rows=0)
    elif seen and all(_COMMA.fullmatch(text.strip()) for text in seen):
        message = "these look like numbers with a decimal comma, and are text; declare it in the contract, "
        warnings.add(KEPT_AS_TEXT, f"{message}dialect: {{decimal: ','}}", column=name, rows=0)
    elif _are_few(words) and len(typed) >= TYPED and (set(typed) <= {INTEGER, NUMBER} or len(set(typed)) == 1):
        message = f"it is text because of {_listed(words)}; {_declare_missing(words)}"
        warnings.add(MISSING_SUSPECTED, message, column=name, rows=0)
    elif padded and not words and set(typed) <= {INTEGER, NUMBER}:
        message = f"it is text because {padded[0]!r} as a number could not be written back as given"
        warnings.add(KEPT_AS_TEXT, f"{message}; declare its type to read numbers", column=name, rows=0)


def _sentinel(warnings: Violations, name: str, column: Column) -> None:
    """A number far from all others, more than once, that people write for a missing one."""
    value = column.sentinel()
    if value is not None:
        text = f"{value:g}"
        message = f"{text} stands apart from all other values; {_declare_missing([text])}"
        warnings.add(MISSING_SUSPECTED, message, column=name, rows=column.odd[value])


def _categories(warnings: Violations, name: str, column: Column) -> None:
    if column.kind != STRING or not column.present:
        return
    many = len(column.values) if column.values is not None else None
    if many is not None and many <= CATEGORIES:
        return
    count = f"{many:,}" if many is not None else "more than 10,000, or very long,"
    message = (
        f"text of {count} different values: as a feature, each becomes a category; "
        "name the column in data.ignore where it is an identifier or free text"
    )
    warnings.add(MANY_CATEGORIES, message, column=name, rows=0)


def advise(violations: Violations) -> None:
    """Add to each refused type what could be declared instead, judged from the first offending values."""
    for violation in violations:
        if violation.check == TYPE and (advice := _advice(violation)):
            violation.message += f"; {advice}"


def _advice(violation: Violation) -> str | None:
    texts = [text for _, text in violation.first if text]
    if not texts or violation.column is None:
        return None
    if formats := formats_of(texts):
        return how_to_declare_times(violation.column, formats)
    if all(_COMMA.fullmatch(text.strip()) for text in texts):
        return "is it a decimal comma? declare it in the contract, dialect: {decimal: ','}"
    words = list(dict.fromkeys(text.strip() for text in texts))
    if all(is_infinite(word) or _means_missing(word) for word in words) and _are_few(words):
        return _declare_missing(words)
    return None


def _are_few(words: Sequence[str]) -> bool:
    return 1 <= len(words) <= TOKENS and all(len(word) <= TOKEN for word in words)


def _means_missing(word: str) -> bool:
    """Whether it is a usual word for a missing value, or has neither letters nor digits."""
    return word.lower() in WORDS or not any(character.isalnum() for character in word)


def _declare_missing(words: Sequence[str]) -> str:
    return f"if that means a missing value, declare it in the contract, missing: [{_listed(words)}]"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(repr(word) for word in words)
