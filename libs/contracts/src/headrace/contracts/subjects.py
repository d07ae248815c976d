"""The subjects of messages at the broker: which stream carries one, who says it, and where an outsider hears an answer.

What several identities may say lies under the name of who says it, which the broker lets nobody else use.
"""

# Aggregates whose events several identities say; their subjects name who does, after a word that tells the stream.
ATTRIBUTED = {"request": "from", "message": "from", "alert": "by"}
ANONYMOUS = "outsider"  # the one identity of all programs that were given no name of their own
ANSWERS = "ANSWERS"

FROM, TO = "headrace.from.", "headrace.to."
OWN = "headrace.message."  # what an identity says to itself alone
HEARD = "headrace.answers.>"  # in an outsider's account: what its requests caused, as it comes
LAST = "headrace.last.>"  # there: asking for the last answer of a subject


def stream_of(kind: str) -> str:
    """The stream that carries a type, or a subject."""
    aggregate = kind.split(".")[1]
    streams = {"from": "REQUESTS", "prediction": "PREDICTIONS", "parked": "PARKED", "to": ANSWERS}
    return streams.get(ATTRIBUTED.get(aggregate, aggregate), "EVENTS")


def subject(name: str, key: str, speaker: str) -> str:
    """The subject of an event: headrace.training.completed and a key; who says it, where several may."""
    _, aggregate, fact = name.split(".")
    who = f"{ATTRIBUTED[aggregate]}.{speaker}." if aggregate in ATTRIBUTED else ""
    return f"headrace.{who}{aggregate}.{fact}.{key}"


def unattributed(subject: str) -> str:
    """A subject without who says it: headrace.request.training.flights."""
    parts = subject.split(".")
    return ".".join([parts[0], *parts[3:]]) if parts[1:2] and parts[1] in ATTRIBUTED.values() else subject


def pattern(kind: str, speaker: str = "*") -> str:
    """The subjects of a type, whatever the key, from one speaker or from any."""
    return subject(kind.rpartition(".")[0], "*", speaker)


def local(kind: str) -> str:
    """The subjects of a request in the account of an outsider, whatever the key."""
    return f"{kind.rpartition('.')[0]}.*"


def answer_subject(outsider: str, subject: str) -> str:
    """Where the copy of an event lies that an outsider's request caused."""
    return f"{TO}{outsider}.{subject.removeprefix('headrace.')}"
