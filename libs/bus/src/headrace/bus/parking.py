"""What could not be handled: kept whole with its reason, shown to people, said again or given up."""

from dataclasses import replace
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.messages import RawMessage
from headrace.bus.outbox import put
from headrace.bus.tables import Parked
from headrace.bus.work import ID_HEADER, LARGEST, Work
from headrace.contracts import CONTENT_TYPE, ContractError, RequestRefused, derive_id, encode

LONGEST_REASON = 2_000
UNREAD = "/unread"  # after the place of a message whose own id cannot be trusted, so that it is no other message's id


def park(work: Work, message: RawMessage, message_id: str, reason: str, attempts: int) -> Parked:
    """Put a message aside, in the table and in the stream PARKED; a request is answered with its refusal."""
    _, aggregate, fact, key = _parts(plain(message.original_subject))
    row = Parked(
        id=derive_id(message_id, "parked", work.service, message.seq),
        message_id=message_id,
        stream=message.stream,
        seq=message.seq,
        subject=plain(message.original_subject),
        type=f"headrace.{aggregate}.{fact}",
        key=key,
        headers={plain(name): plain(value) for name, value in message.headers.items()},
        body=message.data,
        reason=plain(reason)[:LONGEST_REASON],
        attempts=attempts,
        parked_at=work.now,
    )
    work.session.add(row)
    _copy(work, row, f"headrace.parked.{work.service}.{aggregate}.{fact}.{key}")
    if aggregate == "request" and fact != "refused":
        work.emit(_refusal(work, row))
    return row


async def listed(session: AsyncSession, *, after: str = "", limit: int = 100) -> list[Parked]:
    """What is parked now, by id."""
    query = select(Parked).where(col(Parked.dropped_at).is_(None), col(Parked.replayed_at).is_(None))
    found = await session.exec(query.where(col(Parked.id) > after).order_by(col(Parked.id)).limit(limit))
    return list(found.all())


def replay(work: Work, row: Parked) -> str:
    """Say a parked message again, to this service alone: under a new id whose cause is the old one."""
    new_id = derive_id(row.id, "replay", row.key, 0)
    body, headers = _again(row, new_id)
    subject = f"headrace.replay.{work.service}.{row.subject.removeprefix('headrace.')}"
    put(work.session, event_id=new_id, subject=subject, body=body, headers=headers, now=work.now)
    row.replayed_at = work.now
    work.session.add(row)
    return new_id


def drop(work: Work, row: Parked) -> None:
    """Give a parked message up; the row and the copy in the stream stay as the record that it was."""
    row.dropped_at = work.now
    work.session.add(row)


def shown(row: Parked) -> dict[str, Any]:
    """Everything about a parked message, and what to do."""
    advice = "mend the cause, then replay it; drop it if it will never be right"
    return {**row.as_document(), "headers": row.headers, "body": row.body.decode(errors="replace"), "advice": advice}


def _again(row: Parked, new_id: str) -> tuple[bytes, dict[str, str]]:
    message = RawMessage(row.stream, row.seq, row.subject, row.headers, row.body, row.parked_at)
    try:
        envelope = message.envelope()
    except ContractError:  # what cannot be read is said again as it came: a newer version may understand it
        return row.body, {**row.headers, ID_HEADER: new_id}
    again = replace(envelope, id=new_id, causationid=envelope.id)
    return encode(again), {ID_HEADER: new_id, "Content-Type": CONTENT_TYPE}


def _copy(work: Work, row: Parked, subject: str) -> None:
    """The same in the stream PARKED; what is too large for one more header is cut there, and whole in the table."""
    headers = {
        ID_HEADER: row.id,
        "Headrace-Reason": " ".join(row.reason.split())[:500].encode("ascii", "replace").decode(),
        "Headrace-Attempts": str(row.attempts),
        "Headrace-Subject": row.subject,
        "Headrace-Stream": row.stream,
        "Headrace-Seq": str(row.seq),
        "Headrace-Message-Id": row.message_id,
    }
    if len(row.body) > LARGEST:
        headers["Headrace-Cut"] = f"{LARGEST} of {len(row.body)} bytes"
    put(work.session, event_id=row.id, subject=subject, body=row.body[:LARGEST], headers=headers, now=work.now)


def _refusal(work: Work, row: Parked) -> RequestRefused:
    return RequestRefused(
        about=row.key,
        request_id=row.message_id.removesuffix(UNREAD),
        request_type=row.type,
        subject=row.subject,
        reason=row.reason,
        by=work.service,
    )


def plain(text: str) -> str:
    """Text that every database keeps: without NUL and without half characters."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _parts(subject: str) -> tuple[str, str, str, str]:
    parts = [*subject.split("."), "unknown", "unknown", "unknown"][:4]
    return parts[0], parts[1], parts[2], parts[3]


async def park_once(work: Work, message: RawMessage, reason: str) -> None:
    """Park a message that a tap cannot read; the same message delivered again is not parked twice."""
    message_id = f"{message.stream}-{message.seq}"
    parked_id = derive_id(message_id, "parked", work.service, message.seq)
    if await work.session.get(Parked, parked_id) is None:
        park(work, message, message_id, reason, 1)
