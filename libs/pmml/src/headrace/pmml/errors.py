"""What can be wrong with a PMML document, each error with the line where it stands."""


class BadPmml(ValueError):
    """A document that is no PMML, is damaged, or contradicts itself; the message names the line."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.line = line


class Unsupported(BadPmml):
    """An element, attribute or value of PMML that is not evaluated here."""


class NotExact(Exception):
    """Something that numpy answers and an ONNX graph cannot answer exactly; the message says what."""
