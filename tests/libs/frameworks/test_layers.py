"""What networks are made of, as it is declared and as it is saved; no torch is needed to say it."""

import json
from typing import Any

import pytest

from headrace.frameworks import BadEstimator
from headrace.frameworks.layers import ACTIVATIONS, MOST_UNITS, Design, Embedded, Layer, layers_of, width_of

LARGEST = Design(4, (Layer(8, "tanh", 0.5, True), Layer(3)), 2, (Embedded(1, 6, 3), Embedded(3, 2, 1)))


def test_a_number_is_a_layer_of_so_many_units_with_what_is_said_of_all() -> None:
    """The short form; activation, dropout and batch normalisation are those of the whole network."""
    assert layers_of([8, 4], "tanh", 0.1, True) == (Layer(8, "tanh", 0.1, True), Layer(4, "tanh", 0.1, True))


def test_a_layer_says_for_itself_what_is_otherwise_for_it() -> None:
    """What it leaves out is that of the whole network."""
    found = layers_of([{"units": 8, "dropout": 0.3}, {"units": 4, "activation": "relu"}, 2], "tanh", 0.0, False)

    assert found == (Layer(8, "tanh", 0.3), Layer(4, "relu"), Layer(2, "tanh"))


def test_no_layers_are_a_linear_model() -> None:
    """Nothing lies between the columns and the answer."""
    assert layers_of([], "relu", 0.0, False) == ()
    assert Design(3, (), 0).weights == 3


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ([0], r"layers\[0\] has 0 units; it takes a whole number from 1 to 65536"),
        ([8, MOST_UNITS + 1], r"layers\[1\] has 65537 units"),
        ([True], r"layers\[0\] has True units"),
        ([2.5], r"layers\[0\] has 2.5 units"),
        (["8"], r"layers\[0\] has '8' units"),
        ([[8]], r"layers\[0\] has \[8\] units"),
        ([None], r"layers\[0\] has None units"),
        ([{}], r"layers\[0\] has None units"),
        ([{"activation": "relu"}], r"layers\[0\] has None units"),
        ([{"units": 8, "unit": 8}], r"layers\[0\] has no 'unit'; it knows units, activation, dropout, batch_norm"),
        ([8, {"units": 8, "activation": "rel"}], r"layers\[1\].activation: 'rel' is not among elu, gelu"),
        ([{"units": 8, "dropout": 1.0}], r"layers\[0\].dropout: 1.0 is no share"),
        ([{"units": 8, "dropout": -0.1}], r"layers\[0\].dropout: -0.1 is no share"),
    ],
)
def test_what_is_no_layer_is_refused_by_its_place(declared: list[Any], told: str) -> None:
    """A declaration may have many layers; the author reads which one is wrong, and what would be right."""
    with pytest.raises(BadEstimator, match=told):
        layers_of(declared, "relu", 0.0, False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_can_be_named_for_all_layers_or_for_one(activation: str) -> None:
    """The same names in both places."""
    assert layers_of([{"units": 2, "activation": activation}], "relu", 0.0, False) == layers_of(
        [2], activation, 0.0, False
    )


def test_an_activation_for_all_layers_that_nobody_knows_is_refused_where_it_is_used() -> None:
    """A layer that names its own is not concerned."""
    assert layers_of([{"units": 2, "activation": "relu"}], "nonsense", 0.0, False) == (Layer(2),)
    with pytest.raises(BadEstimator, match="'nonsense' is not among"):
        layers_of([2], "nonsense", 0.0, False)


@pytest.mark.parametrize(
    ("codes", "declared", "width"),
    [(1, None, 1), (2, None, 1), (3, None, 2), (9, None, 5), (5000, None, 50), (9, 3, 3)],
)
def test_a_category_is_half_as_many_numbers_as_there_are_of_them(codes: int, declared: int | None, width: int) -> None:
    """One at least and fifty at most; a declared width is taken as it is."""
    assert width_of(codes, declared) == width


def test_a_network_says_what_reaches_its_first_layer() -> None:
    """Numbers in their order, without the codes; each code becomes the numbers of its embedding."""
    assert LARGEST.numbers == [0, 2]
    assert LARGEST.width == 2 + 3 + 1
    assert LARGEST.outputs == 2
    assert LARGEST.weights == 6 * 8 + 8 * 3 + 3 * 2


def test_a_network_of_a_number_has_one_output() -> None:
    """No class is told apart."""
    assert Design(3, (Layer(2),), 0).outputs == 1


@pytest.mark.parametrize("design", [LARGEST, Design(1, (), 0), Design(2, (Layer(5),), 3)], ids=["all", "least", "some"])
def test_a_design_is_read_back_as_it_was_written(design: Design) -> None:
    """The same design is the same text, so that the same fit gives the same file."""
    assert Design.loads(design.dumps()) == design
    assert Design.loads(design.dumps()).dumps() == design.dumps()


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("layers"),
        lambda told: told.pop("embedded"),
        lambda told: told.pop("inputs"),
        lambda told: told.update(layers=[{"unit": 3}]),
        lambda told: told.update(layers=3),
        lambda told: told.update(more=1),
    ],
)
def test_what_is_no_design_is_not_read(change: Any) -> None:
    """Whoever reads a file of another origin is told at once, and not by a network that answers nonsense."""
    told = json.loads(LARGEST.dumps())
    change(told)

    with pytest.raises((KeyError, TypeError, ValueError)):
        Design.loads(json.dumps(told))
