"""NeuralNetwork: layers of neurons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.expressions import Derived, FieldRef, NormContinuous, NormDiscrete, read_derived
from headrace.pmml.fields import DataField
from headrace.pmml.models.base import Head, check_function
from headrace.pmml.models.regression import normalized
from headrace.pmml.names import CLASSIFICATION, REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.result import Result, decided
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")
_ACTIVATIONS = (
    *("threshold", "logistic", "tanh", "identity", "exponential", "reciprocal", "square", "Gauss"),
    *("sine", "cosine", "Elliott", "arctan", "rectifier", "radialBasis"),
)


@dataclass(frozen=True)
class Layer:
    """Neurons that see what was computed before them."""

    sources: Sequence[str]
    weights: np.ndarray
    """[sources, neurons]"""
    bias: np.ndarray
    ids: Sequence[str]
    activation: str
    threshold: float
    normalization: str
    widths: np.ndarray
    altitudes: np.ndarray

    def run(self, ops: Ops[T], known: Mapping[str, T]) -> Mapping[str, T]:
        """The answer of each neuron."""
        inputs = ops.stack([known[name] for name in self.sources])
        if self.activation == "radialBasis":
            sums = self._distances(ops, inputs)
        else:
            sums = ops.plus(ops.product(inputs, self.weights), ops.row(self.bias))
        found = self._normalized(ops, activated(ops, self.activation, sums, self.threshold))
        return {name: ops.column(found, place) for place, name in enumerate(self.ids)}

    def _normalized(self, ops: Ops[T], found: T) -> T:
        if self.normalization == "softmax":
            powers = ops.function("exp", ops.minus(found, ops.upright(ops.greatest(found))))
            return ops.divided(powers, ops.upright(ops.total(powers)))
        if self.normalization == "simplemax":
            return ops.divided(found, ops.upright(ops.total(found)))
        return found

    def _distances(self, ops: Ops[T], inputs: T) -> T:
        """exp(fan-in * ln(altitude) - squared distance / (2 width^2)): what is above the exponential."""
        columns = []
        for neuron in range(len(self.ids)):
            apart = ops.minus(inputs, ops.row(self.weights[:, neuron]))
            squared = ops.total(ops.times(apart, apart))
            scaled = ops.divided(squared, ops.number(2.0 * self.widths[neuron] ** 2))
            height = len(self.sources) * math.log(self.altitudes[neuron])
            columns.append(ops.minus(ops.number(height), scaled))
        return ops.stack(columns)


@dataclass(frozen=True)
class Network:
    """The body of a NeuralNetwork."""

    inputs: Sequence[tuple[str, Derived]]
    layers: Sequence[Layer]
    outputs: Sequence[tuple[str, Derived]]
    line: int

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """The last neurons' answers, as the outputs say what they mean."""
        ops = scope.ops
        known = {name: derived.run(scope).data for name, derived in self.inputs}
        for layer in self.layers:
            known.update(layer.run(ops, known))
        if not head.classifies:
            return Result(value=self._number(scope, known))
        labels = [_label(derived) for _, derived in self.outputs]
        return decided(ops, labels, ops.stack([known[name] for name, _ in self.outputs]))

    def _number(self, scope: Scope[T], known: Mapping[str, T]) -> T:
        name, derived = self.outputs[0]
        expression = derived.expression
        if isinstance(expression, NormContinuous):
            return expression.inverse(scope, known[name])
        return known[name]


def activated(ops: Ops[T], name: str, value: T, threshold: float) -> T:
    """An activation function, by the standard's name."""
    one, zero = ops.number(1.0), ops.number(0.0)
    if name == "threshold":
        return ops.where(ops.known(value), ops.flag(ops.less(ops.number(threshold), value)), value)
    if name == "logistic":
        return normalized(ops, "logit", value)
    if name in ("tanh", "sine", "cosine"):
        return ops.function({"sine": "sin", "cosine": "cos"}.get(name, name), value)
    if name in ("exponential", "radialBasis"):
        return ops.function("exp", value)
    if name == "reciprocal":
        return ops.divided(one, value)
    if name == "square":
        return ops.times(value, value)
    if name == "Gauss":
        return ops.function("exp", ops.minus(zero, ops.times(value, value)))
    if name == "Elliott":
        return ops.divided(value, ops.plus(one, ops.function("abs", value)))
    if name == "arctan":
        ops.only_arrays("the arc tangent")
        return ops.times(ops.number(2.0 / math.pi), ops.function("arctan", value))
    return ops.where(ops.less(value, zero), zero, value) if name == "rectifier" else value


def read_network(element: Element, dictionary: Mapping[str, DataField]) -> Network:
    """The body of a NeuralNetwork; raises Unsupported."""
    check_function(element, CLASSIFICATION, REGRESSION)
    inputs = [
        (each.need("id"), read_derived(each.only("DerivedField").one("DerivedField"), each.need("id")))
        for each in element.one("NeuralInputs").only("NeuralInput").all("NeuralInput")
    ]
    known = [name for name, _ in inputs]
    previous, layers = list(known), []
    for each in element.all("NeuralLayer"):
        layer = _layer(each, element, known, previous)
        layers.append(layer)
        known += layer.ids
        previous = list(layer.ids)
    outputs = [_output(each, known) for each in element.one("NeuralOutputs").only("NeuralOutput").all("NeuralOutput")]
    if element.need("functionName") == REGRESSION and len(outputs) != 1:
        raise Unsupported("NeuralNetwork: a regression with several outputs", element.line)
    return Network(inputs, layers, outputs, element.line)


def _layer(element: Element, network: Element, known: Sequence[str], previous: Sequence[str]) -> Layer:
    neurons = element.only("Neuron").all("Neuron")
    used = {con.need("from"): con for neuron in neurons for con in neuron.only("Con").all("Con")}
    for name, con in used.items():
        if name not in known:
            raise BadPmml(f"Con comes from {name!r}, which is no neuron before it", con.line)
    sources = [name for name in (previous if set(used) <= set(previous) else known) if name in used]
    weights = np.zeros((len(sources), len(neurons)))
    for at, neuron in enumerate(neurons):
        for con in neuron.all("Con"):
            weights[sources.index(con.need("from")), at] = con.number("weight")
    activation = _inherited(element, network, "activationFunction", "", _ACTIVATIONS)
    radial = activation == "radialBasis"
    if radial and any({con.need("from") for con in neuron.all("Con")} != set(sources) for neuron in neurons):
        raise Unsupported("a radialBasis neuron that does not see all inputs of its layer", element.line)
    return Layer(
        sources=sources,
        weights=weights,
        bias=np.array([neuron.number("bias", 0.0) for neuron in neurons]),
        ids=[neuron.need("id") for neuron in neurons],
        activation=activation,
        threshold=element.number("threshold", network.number("threshold", 0.0)),
        normalization=_inherited(element, network, "normalizationMethod", "none", ("softmax", "simplemax")),
        widths=np.array([_of_neuron(neuron, element, network, "width") if radial else 1.0 for neuron in neurons]),
        altitudes=np.array(
            [
                neuron.number("altitude", element.number("altitude", network.number("altitude", 1.0)))
                for neuron in neurons
            ]
        ),
    )


def _inherited(layer: Element, network: Element, name: str, default: str, allowed: Sequence[str]) -> str:
    owner = layer if name in layer.attributes else network
    found = owner.choice(name, default, *allowed)
    if not found:
        raise BadPmml(f"NeuralLayer has no {name}", layer.line)
    return found


def _of_neuron(neuron: Element, layer: Element, network: Element, name: str) -> float:
    owner = next((each for each in (neuron, layer, network) if name in each.attributes), neuron)
    return owner.number(name)


def _output(element: Element, known: Sequence[str]) -> tuple[str, Derived]:
    name = element.need("outputNeuron")
    if name not in known:
        raise BadPmml(f"NeuralOutput names {name!r}, which is no neuron", element.line)
    derived = read_derived(element.only("DerivedField").one("DerivedField"), name)
    if not isinstance(derived.expression, FieldRef | NormContinuous | NormDiscrete):
        raise Unsupported("NeuralOutput: an expression other than FieldRef, NormContinuous, NormDiscrete", element.line)
    return name, derived


def _label(derived: Derived) -> str:
    if not isinstance(derived.expression, NormDiscrete):
        raise Unsupported("NeuralOutput of a classification that is no NormDiscrete", derived.line)
    return derived.expression.value
