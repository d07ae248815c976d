"""A document as one ONNX graph, where a graph answers exactly as the document does."""

from headrace.pmml.document import Document
from headrace.pmml.graph import GraphOps


def graph_of(document: Document) -> bytes:
    """The graph, all in float64: a matrix of numbers and one of texts in, the signature's outputs out.

    Raises NotExact, which says what the graph cannot do.
    """
    signature = document.signature
    numbers = [tensor.name for tensor in signature.inputs if tensor.datatype != "BYTES"]
    strings = [tensor.name for tensor in signature.inputs if tensor.datatype == "BYTES"]
    ops = GraphOps(numbers, strings, document.words)
    inputs = {name: ops.number_input(name) for name in numbers} | {name: ops.text_input(name) for name in strings}
    answers = document.run(ops, inputs)
    words = {name: list(answer.words) for name, answer in answers.items() if answer.words is not None}
    return ops.finish({name: answer.data for name, answer in answers.items()}, signature.outputs, words)
