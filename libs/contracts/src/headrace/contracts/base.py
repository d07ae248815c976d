"""What every generated model is: frozen, strict about types, and refusing what no schema names."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from headrace.contracts.times import plausible, rfc3339


def _moment(value: object) -> datetime:
    """One reader of times for all schemas; JSON has none, so they come as text."""
    return plausible(value) if isinstance(value, datetime) else rfc3339(value)


Timestamp = Annotated[AwareDatetime, BeforeValidator(_moment)]


class Model(BaseModel):
    """A value of the wire. Writers refuse unknown fields; `decode` lets readers ignore them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


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
