"""Text of very many values: by its hash, or by its words. No graph can take a text apart, so the layout does that."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from headrace.contracts.preparation import NUMERIC, TEXT, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import DOUBLE, FLOAT, WHOLE, Nodes, Value
from headrace.frameworks.preparation.steps.base import About, Learned, Step

_TINY = 1e-12  # below any weight: a text without a known word is all zeros, and stays that


def _hash(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """One column for each remainder of the text's CRC-32; a missing text has none."""
    buckets, columns = params["buckets"], values.shape[1]

    def write(nodes: Nodes, value: Value) -> Value:
        return nodes.beside([_bucket(nodes, nodes.columns(value, [at]), buckets) for at in range(columns)])

    names = [(at, f" # {bucket}") for at in range(columns) for bucket in range(buckets)]
    return Learned(write, {"buckets": [buckets] * columns}, names)


def _bucket(nodes: Nodes, column: Value, buckets: int) -> Value:
    rest = nodes.add("Mod", [column.name, nodes.constant(np.int64(buckets))], WHOLE)
    there = nodes.add("GreaterOrEqual", [column.name, nodes.constant(np.int64(0))], 0)
    place = nodes.where(there, rest.name, nodes.constant(np.int64(-1)), WHOLE)
    flags = nodes.add("Equal", [place.name, nodes.constant(np.arange(buckets, dtype=np.int64)[None, :])], 0)
    return nodes.add("Cast", [flags.name], FLOAT, to=FLOAT)


def _tf_idf(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """How often each term stands in the text, by how rare it is, to the length 1; as TfidfVectorizer weighs."""
    vectorizer = TfidfVectorizer(
        analyzer=_terms(params["together"]), max_features=params["terms"], min_df=min(params["least"], len(values))
    )
    texts = [[word for word in row if word] for row in values.tolist()]
    try:
        vectorizer.fit(texts)
    except ValueError:  # no text has a word, or none that is not too rare
        return Learned(_nothing, {"terms": [0]}, [(0, " : no word")])
    terms = [term.split(" ") for term in vectorizer.get_feature_names_out()]
    weights = vectorizer.idf_

    def write(nodes: Nodes, value: Value) -> Value:
        counted = _weighed(nodes, value, terms, weights, params["together"])
        squares = nodes.add("ReduceSumSquare", [counted.name], DOUBLE, axes=[1], keepdims=1)
        length = nodes.add("Sqrt", [squares.name], DOUBLE)
        length = nodes.add("Max", [length.name, nodes.constant(np.float64(_TINY))], DOUBLE)
        return nodes.add("Div", [counted.name, length.name], DOUBLE)

    return Learned(write, {"terms": [len(terms)]}, [(0, f" : {' '.join(term)}") for term in terms])


def _weighed(nodes: Nodes, value: Value, terms: list[list[str]], weights: np.ndarray, together: int) -> Value:
    """Counts of terms, shorter ones first as the operator wants them, in the vectorizer's order, by their weights."""
    pool: list[str] = []
    starts, places = [], []
    for size in range(1, together + 1):
        starts.append(len(pool))
        for place, term in enumerate(terms):
            if len(term) == size:
                pool += term
                places.append(place)
    counted = nodes.add(
        "TfIdfVectorizer",
        [value.name],
        FLOAT,
        mode="TF",
        min_gram_length=1,
        max_gram_length=together,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=places,
        pool_strings=pool,
    )
    return nodes.add("Mul", [nodes.double(counted).name, nodes.constant(weights[None, :])], DOUBLE)


def _nothing(nodes: Nodes, value: Value) -> Value:
    """0 for every text."""
    return nodes.lookup(nodes.columns(value, [0]), [""], [0.0], 0.0)


def _terms(together: int) -> Any:
    def analyze(words: list[str]) -> list[str]:
        sizes = range(1, together + 1)
        return [" ".join(words[at : at + size]) for size in sizes for at in range(len(words) - size + 1)]

    return analyze


HASH = Step(
    StepInfo(
        "one of some columns, by a hash of the text",
        {TEXT: NUMERIC},
        {"buckets": StepParam("how many columns", [{"type": "integer", "min": 2, "max": 4096}], default=64)},
    ),
    _hash,
    gaps="closes",
    source="hashes",
)
TF_IDF = Step(
    StepInfo(
        "how often words stand in the text, by how rare they are",
        {TEXT: NUMERIC},
        {
            "terms": StepParam(
                "how many at most, the commonest", [{"type": "integer", "min": 1, "max": 10_000}], default=200
            ),
            "together": StepParam(
                "how many words beside each other are one term, too",
                [{"type": "integer", "min": 1, "max": 3}],
                default=1,
            ),
            "least": StepParam("in how many texts at least a term stands", [{"type": "integer", "min": 1}], default=1),
        },
    ),
    _tf_idf,
    gaps="closes",
    source="words",
)
