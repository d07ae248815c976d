"""The tables of delivery as steps of a service's own migrations: written once here, called from each service's scripts.

A step that was released never changes. What changes the tables later is a new pair of functions beside these, and a
new script in every service that calls them.
"""

import sqlalchemy as sa
from alembic import op

from headrace.bus.tables import Number, UtcTime

FIRST = ("loop_item", "deferred", "dead_letter", "outbox", "stream_checkpoint", "deduplication", "inbox")


def create_first() -> None:
    """Create the inbox with its memory, the outbox, dead letters, what waits, and the items of loops that failed."""
    _create_inbox()
    _create_outbox()
    _create_dead_letters()
    _create_deferred()
    _create_loop_item()


def drop_first() -> None:
    """Take back what `create_first` made, and with it all that was not yet sent."""
    for table in FIRST:
        op.drop_table(table)


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_seen", UtcTime(), nullable=False),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index(op.f("ix_inbox_done_at"), "inbox", ["done_at"])
    op.create_table(
        "deduplication",
        sa.Column("mark", sa.LargeBinary(length=16), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_deduplication_day"), "deduplication", ["day"])
    op.create_table(
        "stream_checkpoint",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", Number, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("ix_outbox_unsent", "outbox", ["sent_at", "seq"])


def _create_dead_letters() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("set_aside_at", UtcTime(), nullable=False),
        sa.Column("replayed_at", UtcTime(), nullable=True),
        sa.Column("dropped_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_dead_letter_message_id"), "dead_letter", ["message_id"])
    op.create_index("ix_dead_letter_open", "dead_letter", ["replayed_at", "dropped_at"])


def _create_deferred() -> None:
    op.create_table(
        "deferred",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("deferred_at", UtcTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq"),
    )
    op.create_index(op.f("ix_deferred_subject"), "deferred", ["subject"])


def _create_loop_item() -> None:
    op.create_table(
        "loop_item",
        sa.Column("loop", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_tried", UtcTime(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("dead_letter", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("loop", "key"),
    )
    op.create_index(op.f("ix_loop_item_dead_letter"), "loop_item", ["dead_letter"])
