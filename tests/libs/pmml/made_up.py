"""Random models as PMML, by a seed: trees of any shape, forests and scorecards."""

from collections.abc import Callable, Mapping

import numpy as np

from .examples import (
    ABC,
    LABELS,
    NUMBERS,
    THREE,
    among,
    compound,
    mining,
    node,
    output,
    outputs,
    pmml,
    schema,
    segment,
    simple,
    tree,
)

STRATEGIES = ("none", "lastPrediction", "nullPrediction", "defaultChild")
COLOURS = ("red", "green", "blue")


class _Maker:
    """Draws the parts of a model."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._ids = 0

    def number(self) -> float:
        """A threshold; few digits, so that fields share some."""
        return round(float(self.rng.normal(0, 1.5)), int(self.rng.integers(0, 4)))

    def simple(self) -> str:
        """A predicate on one field."""
        field = str(self.rng.choice(ABC))
        if self.rng.random() < 0.1:
            return simple(field, str(self.rng.choice(["isMissing", "isNotMissing"])))
        if field == "c":
            if self.rng.random() < 0.5:
                return simple(field, str(self.rng.choice(["equal", "notEqual"])), self.rng.choice(COLOURS))
            chosen = [colour for colour in COLOURS if self.rng.random() < 0.5] or ["red"]
            return among(field, str(self.rng.choice(["isIn", "isNotIn"])), *chosen)
        operators = ["lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual", "equal", "notEqual"]
        return simple(field, str(self.rng.choice(operators, p=[0.23, 0.23, 0.22, 0.22, 0.05, 0.05])), self.number())

    def predicate(self) -> str:
        """A simple predicate, or a few combined."""
        if self.rng.random() < 0.75:
            return self.simple()
        operator = str(self.rng.choice(["and", "or", "xor", "surrogate"]))
        return compound(operator, *(self.simple() for _ in range(int(self.rng.integers(2, 4)))))

    def node(self, predicate: str, depth: int, labels: tuple[str, ...]) -> str:
        """A node with the nodes below it."""
        self._ids += 1
        name = f"n{self._ids}"
        counts = {label: float(self.rng.integers(1, 30)) for label in labels}
        score: object = max(counts, key=counts.__getitem__) if labels else round(float(self.rng.normal(0, 5)), 3)
        if depth == 0 or self.rng.random() < 0.15:
            return node(predicate, score=score, counts=counts, id=name)
        children, chosen = self._children(depth - 1, labels)
        return node(predicate, *children, score=score, counts=counts, id=name, defaultChild=chosen)

    def _children(self, depth: int, labels: tuple[str, ...]) -> tuple[list[str], str]:
        predicates = self._split() if self.rng.random() < 0.6 else [self.predicate() for _ in range(3)]
        if self.rng.random() < 0.3:
            predicates.append("<True/>")
        children, ids = [], []
        for predicate in predicates:
            ids.append(f"n{self._ids + 1}")
            children.append(self.node(predicate, depth, labels))
        return children, str(self.rng.choice(ids))

    def _split(self) -> list[str]:
        field, at = str(self.rng.choice(["a", "b"])), self.number()
        pairs = [("lessOrEqual", "greaterThan"), ("lessThan", "greaterOrEqual"), ("greaterThan", "lessOrEqual")]
        return [simple(field, operator, at) for operator in pairs[int(self.rng.integers(3))]]

    def tree(self, labels: tuple[str, ...], target: str | None = "y", told: str = "") -> str:
        """A tree model."""
        return tree(
            "classification" if labels else "regression",
            ABC,
            self.node("<True/>", int(self.rng.integers(1, 5)), labels),
            told,
            target,
            missingValueStrategy=str(self.rng.choice(STRATEGIES)),
            noTrueChildStrategy=str(self.rng.choice(["returnNullPrediction", "returnLastPrediction"])),
        )


def regression_tree(seed: int) -> str:
    """A tree of numbers."""
    return pmml(NUMBERS, _Maker(seed).tree(()))


def classification_tree(seed: int) -> str:
    """A tree of three labels, with the id of the node that answers."""
    return pmml(THREE, _Maker(seed).tree(("low", "middle", "high"), told=outputs(output("node", "entityId"))))


def forest(seed: int) -> str:
    """Trees of numbers, combined."""
    maker = _Maker(seed)
    method = str(maker.rng.choice(["sum", "average", "weightedAverage", "weightedSum", "median"]))
    treatment = str(
        maker.rng.choice(["continue", "skipSegment", "returnMissing"] if method != "median" else ["returnMissing"])
    )
    segments = [segment(maker.tree(()), weight=round(float(maker.rng.uniform(0.1, 3)), 2)) for _ in range(5)]
    return pmml(
        NUMBERS, mining("regression", method, ABC, *segments, told=f' missingPredictionTreatment="{treatment}"')
    )


def votes(seed: int) -> str:
    """Trees of labels that vote, or whose probabilities are averaged."""
    maker = _Maker(seed)
    method = str(maker.rng.choice(["majorityVote", "weightedMajorityVote", "average", "weightedAverage"]))
    segments = [segment(maker.tree(("no", "yes")), weight=round(float(maker.rng.uniform(0.1, 3)), 2)) for _ in range(5)]
    return pmml(LABELS, mining("classification", method, ABC, *segments))


def scorecard(seed: int) -> str:
    """Characteristics with reasons."""
    maker = _Maker(seed)
    parts = []
    for number in range(4):
        attributes = [
            f'<Attribute partialScore="{int(maker.rng.integers(-20, 50))}">{maker.predicate()}</Attribute>'
            for _ in range(3)
        ]
        last = (
            f'<Attribute partialScore="{int(maker.rng.integers(0, 30))}" reasonCode="else {number}"><True/></Attribute>'
        )
        reason, baseline = f"reason {number % 3}", int(maker.rng.integers(0, 30))
        told = f'name="k{number}" reasonCode="{reason}" baselineScore="{baseline}"'
        parts.append(f"<Characteristic {told}>{''.join(attributes)}{last}</Characteristic>")
    algorithm = str(maker.rng.choice(["pointsAbove", "pointsBelow"]))
    reasons = outputs(*(output(f"reason{rank}", "reasonCode", rank=rank) for rank in (1, 2, 3)))
    return pmml(
        NUMBERS,
        f'<Scorecard functionName="regression" initialScore="{maker.number()}" reasonCodeAlgorithm="{algorithm}">'
        f"{schema(ABC)}{reasons}<Characteristics>{''.join(parts)}</Characteristics></Scorecard>",
    )


MADE_UP: Mapping[str, Callable[[int], str]] = {
    "regression trees": regression_tree,
    "classification trees": classification_tree,
    "forests": forest,
    "votes": votes,
    "scorecards": scorecard,
}
