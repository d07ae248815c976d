"""The outbox: what is said joins the transaction that says it, and is written just before its commit.

One executemany per commit costs a tenth of one mapped object per event; inside a savepoint the mapped object is used
after all, so that what is said there goes with the savepoint when that is rolled back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, event, insert
from sqlalchemy.orm import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import Outbox

OUTBOX: Table = Outbox.metadata.tables["outbox"]
_WAITING, _SAID = "headrace.outbox", "headrace.said"


def put(
    session: AsyncSession, *, event_id: str, subject: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> None:
    """Say something when `session` commits."""
    session.info[_SAID] = True
    if session.in_nested_transaction():
        session.add(Outbox(event_id=event_id, subject=subject, body=body, headers=dict(headers), created_at=now))
        return
    row = {"event_id": event_id, "subject": subject, "body": body, "headers": dict(headers), "created_at": now}
    session.info.setdefault(_WAITING, []).append(row)


def said(session: AsyncSession) -> bool:
    """Whether something was said in a session, by now perhaps committed."""
    return _SAID in session.info


def _write(session: Session) -> None:
    waiting = session.info.get(_WAITING)
    if waiting and not session.in_nested_transaction():
        session.info[_WAITING] = []
        session.execute(insert(OUTBOX), waiting)


def _forget(session: Session, transaction: Any) -> None:
    if not transaction.nested:
        session.info.pop(_WAITING, None)


event.listen(Session, "before_commit", _write)
event.listen(Session, "after_soft_rollback", _forget)
