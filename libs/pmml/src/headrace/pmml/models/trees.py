"""TreeModel: one tree, or all trees of an ensemble at once.

A tree of any number of branches and any predicates becomes one of questions `column <= threshold`, whose leaves have
numbers (`headrace.pmml.ops.Forest`). So many trees are one operation, and what a leaf says is looked up by its number.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from headrace.pmml.columns import TEXT, Column, literal
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.fields import DataField
from headrace.pmml.models.base import Head, check_function
from headrace.pmml.models.weighted_trees import run_weighted
from headrace.pmml.names import CLASSIFICATION, REGRESSION
from headrace.pmml.ops import Forest, Ops
from headrace.pmml.predicates import MISSING, PREDICATES, Always, Among, Predicate, Simple, holds, predicate_in
from headrace.pmml.result import Result
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element, decimal

T = TypeVar("T")
_NONE, _LAST, _NULL, _DEFAULT = "none", "lastPrediction", "nullPrediction", "defaultChild"
WEIGHTED = ("weightedConfidence", "aggregateNodes")
_OPPOSITE = {
    "lessThan": "greaterOrEqual",
    "lessOrEqual": "greaterThan",
    "equal": "notEqual",
    "isMissing": "isNotMissing",
}
_MOST_NODES = 8_000_000  # a tree whose default children are not among its branches' ends grows when it is rewritten


@dataclass(frozen=True, eq=False)
class Node:
    """One node, with what it says where it is the end."""

    predicate: Predicate
    children: Sequence["Node"]
    score: str | None
    counts: Mapping[str, float]
    """Records, or probabilities, by label."""
    records: float | None
    default: str | None
    id: str | None
    line: int


@dataclass(frozen=True, eq=False)
class Tree:
    """The body of a TreeModel."""

    root: Node
    strategy: str
    keeps_last: bool
    """Whether a row that no child takes has the answer of the node where it stands."""
    labels: Sequence[str]
    stand: "list[Stand]" = field(default_factory=list)
    """The tree as a forest, once it is known."""

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """The answer of the node that each row reaches."""
        if self.strategy in WEIGHTED:
            return run_weighted(scope, head, self.root, self.labels, self.strategy)
        if not self.stand:
            self.stand.append(grown([(self, scope)]))
        stand = self.stand[0]
        ops, leaf = scope.ops, scope.ops.column(stand.leaves([scope]), 0)
        extras = {}
        if any(each.feature == "entityId" for each in head.outputs):
            extras["entityId"] = Column(ops.take(stand.ids(ops), leaf), TEXT)
        if not head.classifies:
            return Result(value=ops.take(stand.scores, leaf), extras=extras)
        found = ops.take(stand.places(self.labels), leaf)
        shares = stand.shares(self.labels)
        return Result(
            labels=self.labels,
            label=found,
            probabilities=None if shares is None else ops.take(shares, leaf),
            extras=extras,
        )


@dataclass(frozen=True, eq=False)
class Stand:
    """Trees as one forest; `sources` says what its columns are, by the number of the tree's scope."""

    forest: Forest
    sources: Sequence[tuple[int, Predicate | tuple[str, int]]]
    ends: Sequence[Node | None]
    """The node of each leaf; None where there is no answer."""
    known: dict[Any, Any] = field(default_factory=dict)

    def leaves(self, scopes: Sequence[Scope[T]]) -> T:
        """[rows, trees]."""
        columns = [_data(scopes[number], source) for number, source in self.sources]
        return scopes[0].ops.leaves(columns, self.forest)

    @property
    def scores(self) -> np.ndarray:
        """The number that each leaf says."""
        return self._once("scores", lambda: np.array([_score(node) for node in self.ends]))

    def places(self, labels: Sequence[str]) -> np.ndarray:
        """The place of the label that each leaf says: its score, else its most frequent label."""
        at = {label: float(place) for place, label in enumerate(labels)}
        return self._once(("places", *labels), lambda: np.array([at.get(_label(n) or "", math.nan) for n in self.ends]))

    def shares(self, labels: Sequence[str]) -> np.ndarray | None:
        """The probability of each label; None where no leaf says any."""
        if not any(node and node.counts for node in self.ends):
            return None
        return self._once(("shares", *labels), lambda: np.array([_shares(node, labels) for node in self.ends]))

    def ids(self, ops: Ops[Any]) -> np.ndarray:
        """The id of each leaf's node, as columns hold texts."""
        told = [None if node is None else node.id for node in self.ends]
        return np.array([math.nan if each is None else ops.code(each) for each in told])

    def _once(self, key: Any, make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self.known:
            self.known[key] = make()
        found: np.ndarray = self.known[key]
        return found


@dataclass(frozen=True)
class _Leaf:
    node: Node | None


@dataclass(frozen=True)
class _Test:
    """Is a column at most a threshold? `missing` is where NaN goes."""

    column: int
    threshold: float
    yes: "_Way"
    no: "_Way"
    missing: "_Way"


_Way = Callable[[], _Leaf | _Test]


class _Grower(Generic[T]):
    """Puts trees into the arrays of a forest."""

    def __init__(self) -> None:
        self.sources: list[tuple[int, Predicate | tuple[str, int]]] = []
        self.ends: list[Node | None] = []
        self._places: dict[Any, int] = {}
        self._kept: list[Any] = []
        self._rows: list[list[Any]] = []
        self._roots: list[int] = []

    def add(self, tree: Tree, scope: Scope[T], number: int) -> None:
        """One more tree, its nodes from the root downwards."""
        self._roots.append(len(self._rows))
        waiting: list[tuple[_Way, int, int]] = [(_Planted(self, tree, scope, number).root, -1, 0)]
        while waiting:
            way, parent, side = waiting.pop()
            found, at = way(), len(self._rows)
            if at > _MOST_NODES:
                raise Unsupported("a tree with too many ways for missing values", tree.root.line)
            if parent >= 0:
                self._rows[parent][side] = at
            if isinstance(found, _Leaf):
                self._rows.append([-1, float(len(self.ends)), at, at, False])
                self.ends.append(found.node)
                continue
            test = _two_ways(found)
            self._rows.append([test.column, test.threshold, 0, 0, test.missing is test.yes])
            waiting += [(test.no, at, 3), (test.yes, at, 2)]

    def stand(self) -> Stand:
        """The forest."""
        column, threshold, yes, no, missing = (list(each) for each in zip(*self._rows, strict=True))
        forest = Forest(
            roots=np.array(self._roots),
            column=np.array(column),
            threshold=np.array(threshold, dtype=np.float64),
            yes=np.array(yes),
            no=np.array(no),
            missing_yes=np.array(missing, dtype=bool),
        )
        return Stand(forest, self.sources, self.ends)

    def place(self, scope: Scope[T], number: int, source: Predicate | tuple[str, int]) -> int:
        """The column of a field or predicate; equal ones share one."""
        data = _data(scope, source)
        key = data if isinstance(data, str) else id(data)
        if key not in self._places:
            self._kept.append(data)  # so that its identity is not given to another
            self._places[key] = len(self.sources)
            self.sources.append((number, source))
        return self._places[key]


@dataclass(frozen=True)
class _Planted(Generic[T]):
    """One tree on its way into a forest."""

    grower: _Grower[T]
    tree: Tree
    scope: Scope[T]
    number: int
    ways: dict[Any, _Way] = field(default_factory=dict)

    def root(self) -> _Leaf | _Test:
        """The root's own predicate comes first."""
        nothing = self._end(None)
        return self._ask(self.tree.root.predicate, self._at(self.tree.root), nothing, nothing)

    def _at(self, node: Node) -> _Way:
        """A row stands at a node: it is the end, or the children are asked in their order."""
        if not node.children:
            return self._end(node)
        if self.tree.strategy == _DEFAULT and _asks_apart(node):
            return self._way(("choice", id(node)), lambda: self._chosen(node))
        return self._way(("at", id(node)), lambda: self._child(node, 0)())

    def _child(self, node: Node, place: int) -> _Way:
        if place == len(node.children):
            return self._end(node if self.tree.keeps_last else None)
        child = node.children[place]
        if isinstance(child.predicate, Always):
            return self._at(child) if child.predicate.value else self._child(node, place + 1)
        return self._way(("child", id(node), place), lambda: self._ask_child(node, place))

    def _ask_child(self, node: Node, place: int) -> _Leaf | _Test:
        child, last = node.children[place], place + 2 == len(node.children)
        opposite = last and _opposite(child.predicate, node.children[-1].predicate)
        following = self._at(node.children[-1]) if opposite else self._child(node, place + 1)
        return self._ask(child.predicate, self._at(child), following, self._unknown(node, place))

    def _unknown(self, node: Node, place: int) -> _Way:
        """Where a row goes whose answer to a child's question is unknown."""
        if self.tree.strategy == _NONE:
            field = _field(node.children[place].predicate)
            following = place + 1
            while field and following < len(node.children) and _field(node.children[following].predicate) == field:
                following += 1  # for the same reason this answer is unknown, too
            return self._child(node, following)
        if self.tree.strategy == _LAST:
            return self._end(node)
        chosen = next((each for each in node.children if each.id == node.default), None)
        if self.tree.strategy == _NULL or node.default is None or chosen is None:
            return self._end(None)
        return self._at(chosen)

    def _chosen(self, node: Node) -> _Leaf | _Test:
        """By the number of the child that a row goes to; so no child is written more than once."""
        ids = [child.id for child in node.children]
        default = ids.index(node.default) if node.default in ids else None
        choice = _Choice([child.predicate for child in node.children], default)
        place = self.grower.place(self.scope, self.number, choice)
        return self._option(node, place, 0)()

    def _option(self, node: Node, column: int, place: int) -> _Way:
        if place == len(node.children):
            return self._end(node if self.tree.keeps_last else None)

        def asked() -> _Test:
            following = self._option(node, column, place + 1)
            return _Test(column, place + 0.5, self._at(node.children[place]), following, self._end(None))

        return self._way(("option", id(node), place), asked)

    def _end(self, node: Node | None) -> _Way:
        return self._way(("end", id(node)), lambda: _Leaf(node))

    def _way(self, key: Any, way: _Way) -> _Way:
        """One object for each way, so that equal ways are known as such."""
        return self.ways.setdefault(key, way)

    def _ask(self, predicate: Predicate, yes: _Way, no: _Way, unknown: _Way) -> _Leaf | _Test:
        if isinstance(predicate, Always):
            return yes() if predicate.value else no()
        if isinstance(predicate, Simple):
            return self._ask_simple(predicate, yes, no, unknown)
        return _Test(self.grower.place(self.scope, self.number, predicate), 0.5, no, yes, unknown)

    def _ask_simple(self, simple: Simple, yes: _Way, no: _Way, unknown: _Way) -> _Test:
        column = self.scope.get(simple.field, simple.line)
        place = self.grower.place(self.scope, self.number, (simple.field, simple.line))
        operator = simple.operator
        if operator in MISSING:
            known, absent = (no, yes) if operator == "isMissing" else (yes, no)
            return _Test(place, math.inf, known, absent, absent)
        if column.is_text and operator not in ("equal", "notEqual"):
            raise Unsupported(f"{operator} of texts is not supported", simple.line)
        value = literal(self.scope.ops, simple.value, column.type, simple.line)
        below = float(np.nextafter(value, -math.inf))
        if operator in ("notEqual", "greaterThan", "greaterOrEqual"):
            yes, no = no, yes
        if operator in ("lessOrEqual", "greaterThan"):
            return _Test(place, value, yes, no, unknown)
        if operator in ("lessThan", "greaterOrEqual"):
            return _Test(place, below, yes, no, unknown)
        return _Test(place, value, lambda: _Test(place, below, no, yes, no), no, unknown)


@dataclass(frozen=True)
class _Choice:
    """The number of the first child whose predicate is true; of the default child where an answer before is unknown."""

    predicates: Sequence[Predicate]
    default: int | None

    def run(self, scope: Scope[T]) -> T:
        """The number of children where none is true; missing where there is no default."""
        ops = scope.ops
        found, default = ops.number(float(len(self.predicates))), ops.number(math.nan)
        if self.default is not None:
            default = ops.number(float(self.default))
        for place, predicate in reversed(list(enumerate(self.predicates))):
            answer = predicate.run(scope)
            hit = ops.where(holds(ops, answer), ops.number(float(place)), found)
            found = ops.where(ops.known(answer), hit, default)
        return found


def grown(trees: Sequence[tuple[Tree, Scope[T]]]) -> Stand:
    """Trees, each in a scope, as one forest."""
    grower: _Grower[T] = _Grower()
    for number, (tree, scope) in enumerate(trees):
        grower.add(tree, scope, number)
    return grower.stand()


def read_tree(element: Element, dictionary: Mapping[str, DataField]) -> Tree:
    """The body of a TreeModel; raises Unsupported."""
    check_function(element, CLASSIFICATION, REGRESSION)
    penalty = element.number("missingValuePenalty", 1.0)
    if penalty != 1.0:
        raise Unsupported("TreeModel: a missingValuePenalty is not supported", element.line)
    root = _node(element.one("Node"))
    found = Tree(
        root=root,
        strategy=element.choice("missingValueStrategy", _NONE, _LAST, _NULL, _DEFAULT, *WEIGHTED),
        keeps_last=element.choice("noTrueChildStrategy", "returnNullPrediction", "returnLastPrediction")
        == "returnLastPrediction",
        labels=list(dict.fromkeys(_labels(root))) if element.need("functionName") == CLASSIFICATION else [],
    )
    if element.need("functionName") == REGRESSION:
        for node in _nodes(root):
            _score(node)
    return found


def _node(element: Element) -> Node:
    element.only(*PREDICATES, "Node", "ScoreDistribution", "Partition")
    shares = element.all("ScoreDistribution")
    for each in shares:
        each.only()
    counts = {
        each.need("value"): each.number("probability" if "probability" in each.attributes else "recordCount")
        for each in shares
    }
    records = element.number("recordCount") if "recordCount" in element.attributes else None
    return Node(
        predicate=predicate_in(element),
        children=[_node(each) for each in element.all("Node")],
        score=element.attributes.get("score"),
        counts=counts,
        records=records,
        default=element.attributes.get("defaultChild"),
        id=element.attributes.get("id"),
        line=element.line,
    )


def _nodes(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(found.children)


def _labels(root: Node) -> Iterator[str]:
    for node in _nodes(root):
        yield from node.counts
        if node.score is not None:
            yield node.score


def _data(scope: Scope[T], source: Predicate | tuple[str, int]) -> T:
    return scope.get(*source).data if isinstance(source, tuple) else source.run(scope)


def _two_ways(test: _Test) -> _Test:
    """Where missing values go a third way, they are told from others first."""
    if test.missing is test.yes or test.missing is test.no:
        return test
    inner = _Test(test.column, test.threshold, test.yes, test.no, test.no)
    return _Test(test.column, math.inf, lambda: inner, test.missing, test.missing)


def _opposite(one: Predicate, other: Predicate) -> bool:
    """Whether the other is true wherever one is false."""
    if isinstance(other, Always):
        return bool(other.value)
    if not (isinstance(one, Simple) and isinstance(other, Simple)):
        return False
    same = one.field == other.field and (one.value == other.value or one.operator in MISSING)
    return same and (_OPPOSITE.get(one.operator) == other.operator or _OPPOSITE.get(other.operator) == one.operator)


def _field(predicate: Predicate) -> str | None:
    """The field whose missing value makes an answer unknown."""
    if isinstance(predicate, Simple) and predicate.operator not in MISSING:
        return predicate.field
    return predicate.field if isinstance(predicate, Among) else None


def _asks_apart(node: Node) -> bool:
    """Whether children are more than the two sides of one question."""
    first, last = node.children[0].predicate, node.children[-1].predicate
    two = len(node.children) == 2 and _opposite(first, last)
    return not two and any(not isinstance(child.predicate, Always) for child in node.children)


def _score(node: Node | None) -> float:
    if node is None or node.score is None:
        return math.nan
    try:
        return decimal(node.score)
    except ValueError:
        raise BadPmml(f"score {node.score!r} is no number", node.line) from None


def _label(node: Node | None) -> str | None:
    if node is None:
        return None
    return node.score if node.score is not None else max(node.counts, key=node.counts.__getitem__, default=None)


def _shares(node: Node | None, labels: Sequence[str]) -> list[float]:
    total = sum(node.counts.values()) if node is not None else 0.0
    if node is None or not total:
        return [math.nan] * len(labels)
    return [node.counts.get(label, 0.0) / total for label in labels]
