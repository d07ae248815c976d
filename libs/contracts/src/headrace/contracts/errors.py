"""What is wrong with a message or a declaration, and what would be right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

Place = tuple[str | int, ...]
"""The way to a value in a document: names and positions."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a document, and where."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{path(self.place)}: {self.text}" if self.place else self.text


class ContractError(ValueError):
    """A message or declaration that no schema allows; the text names the place and what would be right."""

    problems: tuple[Problem, ...] = ()
    """Each place by itself, where the document is one that people write."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "ContractError":
        """One error that names every problem once."""
        found = tuple(dict.fromkeys(problems))
        error = cls("; ".join(map(str, found)))
        error.problems = found
        return error


def choice_problem(value: str, known: Sequence[str]) -> str:
    """What is said of a name that is not among the known ones: the nearest, or all of them."""
    return f"{shown(value)} is not known; {hint(value, known)}"


def hint(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or where none is near all of them."""
    names = list(known)
    near = get_close_matches(name, names, n=1) or get_close_matches(name.lower(), names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(names[:30])
    return f"known here are {listed}" + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def path(parts: Sequence[object]) -> str:
    """A place in a document: names joined by dots, positions in brackets."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "document"


def shown(value: object) -> str:
    """A value as an error shows it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
