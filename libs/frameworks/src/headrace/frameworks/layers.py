"""What a network is made of, as it is declared and as it is saved; no torch is needed to say it."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from headrace.frameworks.errors import BadEstimator

USUAL_LAYERS = (64, 32)
ACTIVATIONS = ("elu", "gelu", "identity", "leaky_relu", "relu", "selu", "sigmoid", "silu", "softplus", "tanh")
"""The names that a layer may have its activation by; `torch/activations.py` says what each of them does."""
MOST_UNITS = 65_536  # of one layer: far above what tables need, and what one weight matrix may take of memory
_MOST_WIDTH = 50  # numbers that stand for a category where no width is declared


@dataclass(frozen=True)
class Layer:
    """One hidden layer: weights, batch normalisation where asked for, activation, dropout."""

    units: int
    activation: str = "relu"
    dropout: float = 0.0
    batch_norm: bool = False


LAYER_FIELDS = tuple(each.name for each in fields(Layer))


@dataclass(frozen=True)
class Embedded:
    """A column of codes: its place in the matrix, how many codes were learned, and how many numbers stand for one."""

    place: int
    codes: int
    width: int


@dataclass(frozen=True)
class Design:
    """A whole network, from the prepared matrix to its outputs."""

    inputs: int
    """Columns of the prepared matrix."""
    layers: tuple[Layer, ...]
    classes: int
    """How many classes it tells apart; 0 where it answers a number."""
    embedded: tuple[Embedded, ...] = ()

    @property
    def outputs(self) -> int:
        """Numbers that the last layer gives."""
        return self.classes or 1

    @property
    def numbers(self) -> list[int]:
        """The places of the columns that are no codes."""
        codes = {each.place for each in self.embedded}
        return [place for place in range(self.inputs) if place not in codes]

    @property
    def width(self) -> int:
        """Numbers that reach the first layer."""
        return len(self.numbers) + sum(each.width for each in self.embedded)

    @property
    def weights(self) -> int:
        """Weights of the layers, which every row is multiplied with."""
        widths = [self.width, *(layer.units for layer in self.layers), self.outputs]
        return sum(one * other for one, other in itertools.pairwise(widths))

    def dumps(self) -> str:
        """As JSON, the same text for the same network."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> "Design":
        """Read back; raises ValueError, KeyError or TypeError where the text is none."""
        found = json.loads(text)
        layers = tuple(Layer(**each) for each in found.pop("layers"))
        embedded = tuple(Embedded(**each) for each in found.pop("embedded"))
        return cls(layers=layers, embedded=embedded, **found)


def layers_of(declared: Sequence[Any], activation: str, dropout: float, batch_norm: bool) -> tuple[Layer, ...]:
    """The hidden layers as declared: a number of units, or a mapping that says more; raises BadEstimator.

    What a layer does not say of itself it has from the other three.
    """
    usual = {"activation": activation, "dropout": dropout, "batch_norm": batch_norm}
    return tuple(_layer(place, each, usual) for place, each in enumerate(declared))


def _layer(place: int, declared: Any, usual: Mapping[str, Any]) -> Layer:
    told = dict(declared) if isinstance(declared, Mapping) else {"units": declared}
    if strangers := [name for name in told if name not in LAYER_FIELDS]:
        raise BadEstimator(f"layers[{place}] has no {strangers[0]!r}; it knows {', '.join(LAYER_FIELDS)}")
    units = told.get("units")
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= MOST_UNITS:
        raise BadEstimator(f"layers[{place}] has {units!r} units; it takes a whole number from 1 to {MOST_UNITS}")
    layer = Layer(**{**usual, **told})
    if layer.activation not in ACTIVATIONS:
        raise BadEstimator(f"layers[{place}].activation: {layer.activation!r} is not among {', '.join(ACTIVATIONS)}")
    if not 0 <= layer.dropout < 1:
        raise BadEstimator(f"layers[{place}].dropout: {layer.dropout!r} is no share from 0 on and below 1")
    return layer


def width_of(codes: int, declared: int | None) -> int:
    """How many numbers stand for one of so many categories: half as many, 50 at most, where nothing is declared."""
    return declared or max(1, min(_MOST_WIDTH, (codes + 1) // 2))
