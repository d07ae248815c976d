"""Priorities of runs, what they ask for by name, and runs that give their place to others."""

import sqlalchemy as sa
from alembic import op

from headrace.bus.tables import UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("priority", "preemptions"):
        op.add_column("trainer_run", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("trainer_run", sa.Column("custom", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("trainer_run", sa.Column("yields", sa.JSON(), nullable=True))
    op.add_column("trainer_run", sa.Column("queued_at", UtcTime(), nullable=True))
    op.add_column("trainer_run", sa.Column("left_s", sa.Float(), nullable=True))
    op.add_column("trainer_run", sa.Column("paused_s", sa.Float(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("trainer_run") as table:
        for name in ("priority", "preemptions", "custom", "yields", "queued_at", "left_s", "paused_s"):
            table.drop_column(name)
