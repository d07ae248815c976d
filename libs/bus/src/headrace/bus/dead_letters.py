"""What could not be handled: kept whole with its reason, shown to people, said again or given up."""

import re
from typing import Any
from uuid import uuid4

from sqlmodel import col, delete, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.errors import Refused
from headrace.bus.messages import RawMessage, type_of
from headrace.bus.outbox import put
from headrace.bus.tables import DeadLetter, LoopItem
from headrace.bus.unit_of_work import ID_HEADER, LARGEST, UnitOfWork
from headrace.contracts import ContractError, MessageReplayed, RequestRefused, derive_id
from headrace.contracts.subjects import unattributed
from headrace.contracts.topology import load_topology

LONGEST_REASON = 2_000
LOOPS = "loops"  # where an item of a loop came from, in place of a stream
UNREAD = "/unread"  # after the place of a message whose own id cannot be trusted, so that it is no other message's id


def set_aside_message(work: UnitOfWork, message: RawMessage, message_id: str, reason: str, attempts: int) -> DeadLetter:
    """Put a message aside, in the table and in the stream PARKED; a request is answered with its refusal."""
    _, aggregate, fact, key = _parts(plain(message.subject))
    row = DeadLetter(
        id=derive_id(message_id, "dead_letter", work.service, message.seq),
        message_id=message_id,
        stream=message.stream,
        seq=message.seq,
        subject=plain(message.subject),
        type=f"headrace.{aggregate}.{fact}",
        key=key,
        headers={plain(name): plain(value) for name, value in message.headers.items()},
        body=message.data,
        reason=plain(reason)[:LONGEST_REASON],
        attempts=attempts,
        taken_at=message.time,
        set_aside_at=work.now,
    )
    work.session.add(row)
    if message.stream != "PARKED":  # whoever reads PARKED would read the copy, and might fail over it again
        _copy(work, row, f"headrace.parked.{work.service}.{aggregate}.{fact}.{key}")
    if aggregate == "request" and fact != "refused":
        work.emit(_refusal(work, row, type_of(message, row.type)))
    return row


async def listed(session: AsyncSession, *, after: str = "", limit: int = 100) -> list[DeadLetter]:
    """What is set aside now, by id."""
    query = select(DeadLetter).where(col(DeadLetter.dropped_at).is_(None), col(DeadLetter.replayed_at).is_(None))
    found = await session.exec(query.where(col(DeadLetter.id) > after).order_by(col(DeadLetter.id)).limit(limit))
    return list(found.all())


async def failures(session: AsyncSession, attempts: int, *, most: int) -> list[DeadLetter]:
    """The newest of the dead letters because handling it failed, `attempts` times where it was a request.

    Requests that were refused are left out: their sender was told, and it is no fault of the service.
    """
    open_ = (col(DeadLetter.dropped_at).is_(None), col(DeadLetter.replayed_at).is_(None))
    ours = or_(col(DeadLetter.stream) != "REQUESTS", col(DeadLetter.attempts) >= attempts)
    found = await session.exec(
        select(DeadLetter).where(*open_, ours).order_by(col(DeadLetter.set_aside_at).desc()).limit(most)
    )
    return list(found.all())


async def replay(work: UnitOfWork, row: DeadLetter) -> str:
    """Have a dead letter handled again, by this service alone; returns the id under which it will be.

    What is said names the message and carries nothing of it: the service handles what it has kept itself. An item of
    a loop is not said again: its loop tries it anew, from the first attempt. Raises Refused of a service that handles
    nothing again, because it only records.
    """
    if row.stream == LOOPS:
        return await release(work, row)
    if MessageReplayed.TYPE not in load_topology().heard_by(work.service):
        raise Refused(f"{work.service} handles no message again; drop it, once it was looked at")
    row.replayed_at = work.now
    work.session.add(row)
    return work.emit(
        MessageReplayed(
            service=work.service,
            dead_letter=row.id,
            stream=row.stream,
            seq=row.seq,
            message_id=row.message_id,
            subject=row.subject,
        )
    )


async def kept(session: AsyncSession, replayed: MessageReplayed) -> RawMessage:
    """The message that a replay names, as its stream gave it; raises ContractError where none is set aside here."""
    row = await session.get(DeadLetter, replayed.dead_letter)
    if row is None or (row.stream, row.seq) != (replayed.stream, replayed.seq):
        place = f"{replayed.stream}-{replayed.seq} as {replayed.dead_letter!r}"
        raise ContractError(
            f"replay: there are no dead letters here from {place}; `headrace dead-letters list` shows what is"
        )
    return RawMessage(row.stream, row.seq, row.subject, row.headers, row.body, row.taken_at)


def drop(work: UnitOfWork, row: DeadLetter) -> None:
    """Give a dead letter up; the row and the copy in the stream stay as the record that it was."""
    row.dropped_at = work.now
    work.session.add(row)


def shown(row: DeadLetter) -> dict[str, Any]:
    """Everything about a dead letter, and what to do."""
    advice = "mend the cause, then replay it; drop it if it will never be right"
    return {**row.as_document(), "headers": row.headers, "body": row.body.decode(errors="replace"), "advice": advice}


async def release(work: UnitOfWork, row: DeadLetter) -> str:
    """Let the loop of an item that was set aside try it again; returns the dead letter's id."""
    await work.session.exec(delete(LoopItem).where(col(LoopItem.dead_letter) == row.id))
    row.replayed_at = work.now
    work.session.add(row)
    return row.id


def set_aside(work: UnitOfWork, item: LoopItem, about: bytes, reason: str) -> DeadLetter:
    """Put an item of a loop aside as a dead letter, in the table and in the stream PARKED."""
    place = f"{item.loop}/{item.key}"
    row = DeadLetter(
        id=str(uuid4()),
        message_id=place,
        stream=LOOPS,
        seq=0,
        subject=f"headrace.loop.{_token(item.loop)}.{_token(item.key)}",
        type=f"headrace.loop.{item.loop}",
        key=item.key,
        body=about,
        reason=plain(reason)[:LONGEST_REASON],
        attempts=item.attempts,
        taken_at=work.now,
        set_aside_at=work.now,
    )
    item.dead_letter = row.id
    work.session.add(item)
    work.session.add(row)
    _copy(work, row, f"headrace.parked.{work.service}.{row.subject.removeprefix('headrace.')}")
    return row


def _token(text: str) -> str:
    """Text as one token of a subject."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:128] or "item"


def _copy(work: UnitOfWork, row: DeadLetter, subject: str) -> None:
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


def _refusal(work: UnitOfWork, row: DeadLetter, request_type: str) -> RequestRefused:
    return RequestRefused(
        about=row.key,
        request_id=row.message_id.removesuffix(UNREAD),
        request_type=request_type,
        subject=f"{row.type}.{row.key}",
        reason=row.reason,
        by=work.service,
    )


def plain(text: str) -> str:
    """Text that every database keeps: without NUL and without half characters."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _parts(subject: str) -> tuple[str, str, str, str]:
    """A subject's tokens, without who said it."""
    parts = [*unattributed(subject).split("."), "unknown", "unknown", "unknown"][:4]
    return parts[0], parts[1], parts[2], parts[3]


async def set_aside_once(work: UnitOfWork, message: RawMessage, reason: str) -> None:
    """Set a message aside that a batch subscription cannot handle; delivered again, it is not set aside twice."""
    message_id = f"{message.stream}-{message.seq}"
    dead_letter_id = derive_id(message_id, "dead_letter", work.service, message.seq)
    if await work.session.get(DeadLetter, dead_letter_id) is None:
        set_aside_message(work, message, message_id, reason, 1)
