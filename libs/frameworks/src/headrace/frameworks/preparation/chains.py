"""Which steps each column takes: as declared, else as usual for the estimator; columns with equal steps go together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.contracts import Column, Preparation
from headrace.contracts.preparation import (
    BOOLEAN,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    Wanted,
    chain_problems,
    declared_chain,
    is_left_out,
    kind_of_type,
)
from headrace.frameworks.errors import BadEstimator, BadTrainingData
from headrace.frameworks.preparation.steps import STEPS

_SOURCES = {NUMERIC: "numbers", BOOLEAN: "numbers", TIMESTAMP: "times"}
_ORDER = ("numbers", "strings", "times", "hashes", "words")


@dataclass(frozen=True)
class Usual:
    """What an estimator is given where nothing is declared."""

    numbers: tuple[Wanted, ...]
    text: tuple[Wanted, ...]
    keeps_nan: bool
    """Whether it learns from missing numbers by itself; else none reaches it."""


def for_trees(keeps_nan: bool) -> Usual:
    """Text as ordinals; numbers as they are, missing ones imputed where the trees cannot tell them."""
    return Usual((), (Wanted("ordinal"),), keeps_nan)


def for_distances() -> Usual:
    """Text as one column a category; numbers imputed and scaled: what linear models and neighbours need."""
    return Usual((Wanted("impute"), Wanted("standard")), (Wanted("one-hot"),), keeps_nan=False)


def for_embeddings() -> Usual:
    """Text as ordinals, which embeddings take; numbers imputed and scaled: what networks need."""
    return Usual((Wanted("impute"), Wanted("standard")), (Wanted("ordinal"),), keeps_nan=False)


@dataclass(frozen=True)
class Block:
    """Columns that are read from one matrix and take the same steps."""

    source: str
    """A field of headrace.runtimes.layout.Layout."""
    columns: tuple[str, ...]
    chain: tuple[Wanted, ...]
    usual: bool


def learned_from(features: Sequence[Column], declared: Preparation | None) -> list[Column]:
    """The features without those that are dropped."""
    kept = [each for each in features if not is_left_out(declared_chain(declared, each.name, each.type))]
    if not kept:
        raise BadTrainingData("the model has no features; name them in data.features")
    return kept


def blocks_of(features: Sequence[Column], declared: Preparation | None, usual: Usual) -> list[Block]:
    """The blocks of all features, in the order in which the estimator sees them."""
    found: dict[tuple[str, str, bool, str], list[str]] = {}
    chains: dict[tuple[str, str, bool, str], tuple[Wanted, ...]] = {}
    for feature in features:
        chain, is_usual = _chain(feature, declared, usual)
        source = _source(feature, chain)
        shape = json.dumps([(each.step, dict(each.params)) for each in chain])
        key = (source, shape, is_usual, feature.name if source == "words" else "")
        found.setdefault(key, []).append(feature.name)
        chains[key] = chain
    blocks = [Block(key[0], tuple(names), chains[key], key[2]) for key, names in found.items()]
    return sorted(blocks, key=lambda block: _ORDER.index(block.source))


def _chain(feature: Column, declared: Preparation | None, usual: Usual) -> tuple[tuple[Wanted, ...], bool]:
    chain = declared_chain_checked(feature, declared)
    kind = kind_of_type(feature.type)
    if chain is None and kind == TIMESTAMP:
        raise BadTrainingData(
            f"feature {feature.name} is a timestamp; say in training.preparation what matters of it, or give that "
            "(hour, weekday) as columns"
        )
    whole = chain if chain is not None else usual.text if kind == TEXT else usual.numbers
    gaps = kind != TEXT
    for each in whole:
        gaps = {"keeps": gaps, "closes": False, "opens": True}[STEPS[each.step].gaps]
    return (*whole, *((Wanted("impute"),) if gaps and not usual.keeps_nan else ())), chain is None


def declared_chain_checked(feature: Column, declared: Preparation | None) -> tuple[Wanted, ...] | None:
    """What is declared for a column; raises BadEstimator where that cannot be done."""
    for entries in _entries(feature, declared):
        if found := list(chain_problems(entries, (feature.name,), kind_of_type(feature.type))):
            raise BadEstimator("; ".join(map(str, found)))
    return declared_chain(declared, feature.name, feature.type)


def _entries(feature: Column, declared: Preparation | None) -> list[Sequence[object]]:
    if declared is None:
        return []
    kind = declared.kinds.get(kind_of_type(feature.type))
    entries = declared.columns.get(feature.name, kind)
    return [] if entries is None else [entries]


def _source(feature: Column, chain: Sequence[Wanted]) -> str:
    kind = kind_of_type(feature.type)
    return _SOURCES.get(kind) or STEPS[chain[0].step].source
