"""Documents that people write: YAML 1.2 or JSON, with the line of every place in them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from headrace.contracts.errors import ContractError, Place, Problem

MOST_EXPANDED = 100_000  # values of a document whose aliases are written out; ten lines can stand for a billion


class _Yaml(yaml.SafeLoader):
    """YAML 1.2's scalars: `on`, `yes` and `off` are words, `010` is ten, `1e-4` is a number, dates are text.

    And its mappings: a key stands there once. PyYAML would keep the last one, without a word.
    """

    def get_single_node(self) -> yaml.Node | None:
        """The document; raises ContractError where its aliases stand for too much, or for what they lie in."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None and (size := _expanded(node, {})) > MOST_EXPANDED:
            raise ContractError(f"has {size} values where aliases are written out; at most {MOST_EXPANDED} are allowed")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raises ContractError where a key is there twice."""
        seen = set[str]()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise ContractError(f"line {key.start_mark.line + 1}: {key.value!r} is there a second time")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node is when every alias is written out; `sizes` keeps those of nodes that were counted."""
    if id(node) not in sizes:
        sizes[id(node)] = 0  # while it is open: no value is empty
        sizes[id(node)] = 1 + sum(_expanded(each, sizes) for each in _inside(node))
    elif not sizes[id(node)]:
        raise ContractError(f"line {node.start_mark.line + 1}: an alias stands for what it lies in")
    return sizes[id(node)]


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


_CORE = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
_Yaml.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in {*_CORE, "tag:yaml.org,2002:timestamp"}]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_form, _letters) in _CORE.items():
    _Yaml.add_implicit_resolver(_tag, re.compile(rf"^(?:{_form})$"), list(_letters))


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan"))


_Yaml.add_constructor("tag:yaml.org,2002:int", _integer)
_Yaml.add_constructor("tag:yaml.org,2002:float", _number)


def load_yaml(source: bytes | str) -> Any:
    """A YAML (or JSON) document with YAML 1.2's scalars; raises ContractError where it is neither or doubles a key."""
    try:
        return yaml.load(source, Loader=_Yaml)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"neither YAML nor JSON: {_where(error)}") from error


def _where(error: Exception) -> str:
    """A syntax error with its line first."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', error)}"


def with_lines(error: ContractError, source: bytes | str) -> str:
    """What is wrong with a document, each problem with the line that it is about."""
    if not error.problems:
        return str(error)
    lines = lines_of(source)
    return "\n".join(f"line {_line(each, lines)}: {each}" for each in error.problems)


def lines_of(source: bytes | str) -> Mapping[Place, int]:
    """The line, counted from 1, on which each place of a document begins."""
    return dict(_lines(yaml.compose(source, Loader=_Yaml), ()))


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*place, str(getattr(key, "value", "")))
            yield inside, key.start_mark.line + 1
            yield from _lines(value, inside)
    elif isinstance(node, yaml.SequenceNode):
        for position, each in enumerate(node.value):
            yield (*place, position), each.start_mark.line + 1
            yield from _lines(each, (*place, position))


def _line(problem: Problem, lines: Mapping[Place, int]) -> int:
    """The line of a place, or of the nearest place around it that is there."""
    tries = (problem.place[:length] for length in range(len(problem.place), 0, -1))
    return next((lines[each] for each in tries if each in lines), 1)
