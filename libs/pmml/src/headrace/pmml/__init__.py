"""PMML 4.0 to 4.4: read without trusting the bytes, evaluated with numpy, compiled to ONNX where that is exact."""

from headrace.pmml.document import Document, load
from headrace.pmml.errors import BadPmml, NotExact, Unsupported

__all__ = ["BadPmml", "Document", "NotExact", "Unsupported", "load"]
