"""What every generated model is: frozen, strict about types, and refusing what no schema names."""

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Strict

Timestamp = Annotated[AwareDatetime, Strict(False)]  # JSON has no timestamps; everything else is taken as it is


class Model(BaseModel):
    """A value of the wire. Writers refuse unknown fields; `decode` lets readers ignore them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())


class Event(Model):
    """A fact or a request: `TYPE` names it on the wire, `KEY` the property that is its subject key."""

    TYPE: ClassVar[str]
    KEY: ClassVar[str]

    @property
    def key(self) -> str:
        """The entity that the event is about; the last token of its subject."""
        return str(getattr(self, self.KEY))


class OpenEvent(Event):
    """A request that carries a document as it was written; who receives it judges the document as a whole."""

    model_config = ConfigDict(extra="allow")

    @property
    def document(self) -> dict[str, Any]:
        """The document: every field, known or not, with nothing filled in."""
        return self.model_dump(mode="python")
