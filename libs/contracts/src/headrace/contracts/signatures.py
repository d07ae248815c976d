"""What a signature says of the answers: which labels there are, and which of them a probability is of."""

from headrace.contracts.generated.models import Signature
from headrace.contracts.labels import Label


def labels_of(signature: Signature) -> list[Label] | None:
    """The labels of the first output that has some, in the model's order; None where it gives no labels."""
    found = next((tensor.labels for tensor in signature.outputs if tensor.labels is not None), None)
    return None if found is None else list(found)


def positive_of(signature: Signature) -> Label | None:
    """The label that the first output with one is the probability of."""
    return next((tensor.label for tensor in signature.outputs if tensor.label is not None), None)
