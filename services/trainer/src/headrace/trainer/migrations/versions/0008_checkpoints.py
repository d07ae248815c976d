"""The checkpoints of runs, and from which one an attempt goes on."""

import sqlalchemy as sa
from alembic import op

from headrace.bus.tables import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trainer_checkpoint",
        sa.Column("run", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("removed_at", UtcTime(), nullable=True),
    )
    op.add_column("trainer_run", sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("trainer_run", sa.Column("resumed_from", sa.JSON(), nullable=True))
    op.add_column("trainer_run", sa.Column("checkpoint", sa.JSON(), nullable=True))
    op.add_column("trainer_run", sa.Column("checkpoints_until", UtcTime(), nullable=True))
    op.create_index(op.f("ix_trainer_run_checkpoints_until"), "trainer_run", ["checkpoints_until"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_trainer_run_checkpoints_until"), "trainer_run")
    with op.batch_alter_table("trainer_run") as table:
        for name in ("losses", "resumed_from", "checkpoint", "checkpoints_until"):
            table.drop_column(name)
    op.drop_table("trainer_checkpoint")
