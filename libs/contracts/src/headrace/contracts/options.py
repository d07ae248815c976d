"""What a task is told beside its name: the options that it has, and the judgement of those that are declared.

`task_options` of a declaration is open, since each task has options of its own; the task says which, as a list of
`Option`, and everything that is said here follows from that list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, Protocol

from headrace.contracts.errors import Place, Problem, hint, shown
from headrace.contracts.estimators import fits, words

FIELD = "task_options"
Options = Mapping[str, Any]
"""Values by the option's name."""
Names = Literal["key", "column", "time", "input"]


@dataclass(frozen=True)
class Option:
    """One thing that a task is told."""

    name: str
    about: str
    rule: Mapping[str, Any]
    """The values that it takes, as those of an estimator's parameter are written: type, min, max, open, one_of."""
    example: Any
    """A value as somebody may declare it."""
    many: tuple[int, int] | None = None
    """It is a list of at least and at most so many of these values."""
    default: Any = None
    """What counts where nothing is said; None: nothing does."""
    required: bool = False
    """Whether it must be said."""
    fields: Sequence["Option"] = ()
    """Where each of its values is a mapping: what that says."""
    names: Names | None = None
    """It names a column of the dataset. A key tells rows apart: it is logged with a request, and never learned from. A
    time orders rows: it is `data.time` where that is not said. Where inputs are named, they are all the features."""

    @property
    def takes(self) -> str:
        """The values that it takes, in words."""
        each = "takes the name of a column" if self.names else self._mapping or words([self.rule])
        return (
            each if self.many is None else f"takes a list of {self.many[0]} to {self.many[1]} values, each {each[6:]}"
        )

    def problems(self, value: Any) -> Iterator[tuple[Place, str]]:
        """Everything that is wrong with a value, each with its place below the option."""
        if text := self.problem(value):
            yield (self.name,), text
        elif self.fields:
            for at, each in enumerate(value):
                yield from (((self.name, at, *place), text) for place, text in _field_problems(each, self.fields))

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value as a whole, in words; None where it is good."""
        if self.many is None:
            return None if self._good(value) else f"{self.takes}; not {shown(value)}"
        if not isinstance(value, list) or not self.many[0] <= len(value) <= self.many[1]:
            return f"{self.takes}; not {shown(value)}"
        wrong = [each for each in value if not self._good(each)]
        return f"{self.takes}; not {shown(wrong[0])}" if wrong else None

    def columns(self, value: Any, names: Names | None = None) -> Iterator[tuple[Place, str]]:
        """The columns that a value names, each with its place below the option; none of a value that is no good.

        Those of one kind alone, where that is asked.
        """
        if value is None or self.problem(value):
            return
        for field, (at, each) in product(self.fields, enumerate(value if self.fields else ())):
            yield from (
                ((self.name, at, *place), column) for place, column in field.columns(each.get(field.name), names)
            )
        if self.names is None or names not in (None, self.names):
            return
        if self.many is None:
            yield (self.name,), value
        else:
            yield from (((self.name, at), each) for at, each in enumerate(value))

    @property
    def _mapping(self) -> str:
        return f"takes a mapping of {', '.join(field.name for field in self.fields)}" if self.fields else ""

    def _good(self, value: Any) -> bool:
        return fits(value, [self.rule]) and not (self.names and not value)


class HasOptions(Protocol):
    """A task, as far as its options go."""

    @property
    def name(self) -> str:
        """The name in a declaration."""
        ...

    @property
    def options(self) -> Sequence[Option]:
        """What it can be told."""
        ...

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """What is wrong with good values that do not go together: the option's name, or a place below, and why."""
        ...


def option_problems(given: Options, task: HasOptions, tasks: Mapping[str, HasOptions]) -> Iterator[Problem]:
    """Everything that is wrong with the options of a declaration."""
    own = {option.name: option for option in task.options}
    found = [
        *(Problem((FIELD, name), _foreign(name, task, tasks)) for name in given if name not in own),
        *(
            Problem((FIELD, *place), text)
            for name, value in given.items()
            if name in own
            for place, text in own[name].problems(value)
        ),
        *(Problem((FIELD, name), _missing(own[name])) for name in own if own[name].required and name not in given),
    ]
    yield from found
    if not found:
        filled = filled_options(given, task)
        for place, text in task.option_problems(filled):
            yield Problem((FIELD, place) if isinstance(place, str) else (FIELD, *place), text)


def filled_options(given: Options, task: HasOptions) -> dict[str, Any]:
    """The options with their defaults, in the order of the task."""
    return _filled(given, task.options)


def _filled(given: Options, options: Sequence[Option]) -> dict[str, Any]:
    values = {option.name: given.get(option.name, option.default) for option in options}
    fields = {option.name: option.fields for option in options if option.fields}
    return {
        name: [_filled(each, fields[name]) for each in value] if name in fields else value
        for name, value in values.items()
        if value is not None
    }


def option_columns(given: Options, task: HasOptions, names: Names | None = None) -> Iterator[tuple[Place, str]]:
    """The columns that options name, with their place in the declaration; of one kind alone where that is asked."""
    for option in task.options:
        for place, column in option.columns(given.get(option.name), names):
            yield (FIELD, *place), column


def tasks_with_options(given: Options, tasks: Mapping[str, HasOptions]) -> list[str]:
    """The tasks that have all of some options."""
    return [name for name, task in tasks.items() if given.keys() <= {option.name for option in task.options}]


def _foreign(name: str, task: HasOptions, tasks: Mapping[str, HasOptions]) -> str:
    owners = tasks_with_options({name: None}, tasks)
    if owners:
        ways = " or ".join(f"`task: {owner}`" for owner in owners)
        return f"is an option of {' and '.join(owners)}, not of {task.name}; say {ways}, or leave it out"
    if not task.options:
        return f"{task.name} has no options; leave it out"
    return f"{task.name} has no such option; {hint(name, [option.name for option in task.options])}"


def _field_problems(given: Options, fields: Sequence[Option]) -> Iterator[tuple[Place, str]]:
    """What is wrong with one mapping."""
    own = {field.name: field for field in fields}
    for name, value in given.items():
        if name in own:
            yield from own[name].problems(value)
        else:
            yield (name,), f"unknown field; {hint(name, list(own))}"
    for name in own:
        if own[name].required and name not in given:
            yield (name,), _missing(own[name])


def _missing(option: Option) -> str:
    return f"is missing; it is {option.about}"
