"""A document as one ONNX graph, where a graph answers exactly as the document does."""

from collections.abc import Mapping
from types import MappingProxyType

from headrace.pmml.document import Document
from headrace.pmml.graph import GraphOps

SAME: Mapping[str, str] = MappingProxyType({})


def graph_of(document: Document, columns: Mapping[str, str] = SAME) -> bytes:
    """The graph, all in float64: a matrix of numbers and one of texts in, the signature's outputs out.

    `columns` are those of the fields that the matrices call otherwise. Raises NotExact, which says what the graph
    cannot do.
    """
    signature = document.signature
    numbers = {t.name: columns.get(t.name, t.name) for t in signature.inputs if t.datatype != "BYTES"}
    strings = {t.name: columns.get(t.name, t.name) for t in signature.inputs if t.datatype == "BYTES"}
    ops = GraphOps([*numbers.values()], [*strings.values()], document.words)
    inputs = {field: ops.number_input(name) for field, name in numbers.items()}
    inputs |= {field: ops.text_input(name) for field, name in strings.items()}
    answers = document.run(ops, inputs)
    words = {name: list(answer.words) for name, answer in answers.items() if answer.words is not None}
    return ops.finish({name: answer.data for name, answer in answers.items()}, signature.outputs, words)
