"""The tables of delivery, and one of the test's own."""

import sqlalchemy as sa
from alembic import op

from headrace.bus import migrations as delivery

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    delivery.create_first()
    op.create_table("note", sa.Column("id", sa.String(), primary_key=True))


def downgrade() -> None:
    op.drop_table("note")
    delivery.drop_first()
