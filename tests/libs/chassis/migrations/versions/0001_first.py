"""The tables of delivery, and one of the test's own."""

import sqlalchemy as sa
from alembic import op

from headrace.bus import migrations as delivery
from headrace.bus.tables import Number

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    delivery.create_first()
    op.create_table(
        "note",
        sa.Column("number", Number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
    )


def downgrade() -> None:
    op.drop_table("note")
    delivery.drop_first()
