"""PMML as a tree of elements that know their lines, read without trusting the bytes.

A document type declaration is refused outright: entities, which can grow without bound or name files and addresses,
exist in no other place. Size, depth and the number of elements have limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from headrace.pmml.errors import BadPmml, Unsupported

MOST_BYTES = 256 << 20  # a forest of 500 deep trees has about 100 MB
MOST_ELEMENTS = 4_000_000  # about 2 GB as objects
MOST_DEPTH = 200  # trees nest one element a level; reading them calls itself as often
_EXTENSION = "Extension"


@dataclass(slots=True)
class Element:
    """One element, without its namespace."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, *tags: str) -> list["Element"]:
        """The children of some names, in their order."""
        return [child for child in self.children if child.tag in tags]

    def first(self, *tags: str) -> "Element | None":
        """The first child of some names."""
        return next((child for child in self.children if child.tag in tags), None)

    def one(self, *tags: str) -> "Element":
        """The first child of some names; raises BadPmml where there is none."""
        found = self.first(*tags)
        if found is None:
            raise BadPmml(f"{self.tag} has no {' or '.join(tags)}", self.line)
        return found

    def only(self, *tags: str) -> "Element":
        """Itself; raises Unsupported where a child has another name. Extensions say nothing that must be heeded."""
        for child in self.children:
            if child.tag not in tags and child.tag != _EXTENSION:
                raise Unsupported(f"element {child.tag} in {self.tag} is not supported", child.line)
        return self

    def get(self, name: str, default: str = "") -> str:
        """An attribute as text."""
        return self.attributes.get(name, default)

    def need(self, name: str) -> str:
        """An attribute that must be there; raises BadPmml."""
        if name not in self.attributes:
            raise BadPmml(f"{self.tag} has no attribute {name}", self.line)
        return self.attributes[name]

    def number(self, name: str, default: float | None = None) -> float:
        """An attribute as a number; raises BadPmml where it is none, or is absent and has no default."""
        if default is not None and name not in self.attributes:
            return default
        return self.parsed(self.need(name))

    def parsed(self, text: str) -> float:
        """A number that this element says; raises BadPmml with its line."""
        try:
            return decimal(text)
        except ValueError:
            raise BadPmml(f"{self.tag}: {text!r} is no number", self.line) from None

    def choice(self, name: str, default: str, *allowed: str) -> str:
        """An attribute that is one of some words; raises Unsupported."""
        found = self.attributes.get(name, default)
        if found not in (default, *allowed):
            raise Unsupported(f"{self.tag}: {name} {found!r} is not supported", self.line)
        return found

    def without(self, *names: str) -> "Element":
        """Itself; raises Unsupported where it has one of these attributes."""
        for name in names:
            if name in self.attributes:
                raise Unsupported(f"attribute {name} of {self.tag} is not supported", self.line)
        return self


def read(data: bytes) -> Element:
    """The root element; raises BadPmml where the bytes are no XML, hold a document type, or are too large."""
    if len(data) > MOST_BYTES:
        raise BadPmml(f"the document has {len(data)} bytes; {MOST_BYTES} are read at most")
    handler = _Builder()
    try:
        parseString(data, handler, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise BadPmml(
            f"a document type or entity is refused ({type(error).__name__}); save without <!DOCTYPE"
        ) from None
    except SAXParseException as error:
        raise BadPmml(f"this is no XML: {error.getMessage()}", error.getLineNumber()) from None
    except (ValueError, LookupError) as error:
        if isinstance(error, BadPmml):
            raise
        raise BadPmml(f"this is no XML: {error}") from None
    if handler.root is None:
        raise BadPmml("the document is empty")
    return handler.root


def decimal(text: str) -> float:
    """A number as XML writes it; raises ValueError. float() takes `1_000` and the digits of every script, too."""
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is no number")
    return float(text)


def words(text: str, line: int) -> list[str]:
    """The items of an array: separated by white space, in double quotes where they hold some; raises BadPmml."""
    return list(_words(text, line))


def _words(text: str, line: int) -> Iterator[str]:
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
        elif text[at] == '"':
            found, at = _quoted(text, at + 1, line)
            yield found
        else:
            start = at
            while at < end and not text[at].isspace():
                at += 1
            yield text[start:at]


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    """The item behind a quotation mark, and where it ends; a backslash makes the next mark part of it."""
    found = []
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] == '"':
            found.append('"')
            at += 2
        elif text[at] == '"':
            return "".join(found), at + 1
        else:
            found.append(text[at])
            at += 1
    raise BadPmml("an array's text ends within quotation marks", line)


class _Builder(ContentHandler):
    """Builds the tree; its locator says lines."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._text: list[str] = []

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802
        """One more element."""
        line = int(self._locator.getLineNumber() or 0)  # type: ignore[attr-defined]
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise BadPmml(f"more than {MOST_ELEMENTS} elements", line)
        if len(self._open) >= MOST_DEPTH:
            raise BadPmml(f"elements are nested deeper than {MOST_DEPTH}", line)
        element = Element(_local(name), dict(attrs.items()), line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.clear()

    def endElement(self, name: str) -> None:  # noqa: N802
        """The element is whole; text counts where an element has no children."""
        element = self._open.pop()
        if not element.children:
            element.text = "".join(self._text).strip()
        self._text.clear()

    def characters(self, content: str) -> None:
        """Text, in pieces."""
        self._text.append(content)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
