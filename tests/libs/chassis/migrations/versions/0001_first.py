"""The tables of delivery, and one of the test's own."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import SQLModel

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    delivery = [SQLModel.metadata.tables[name] for name in ("inbox", "outbox", "parked")]
    SQLModel.metadata.create_all(op.get_bind(), tables=delivery)
    op.create_table("note", sa.Column("id", sa.String(), primary_key=True))


def downgrade() -> None:
    op.drop_table("note")
