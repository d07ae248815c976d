"""Searches for parameters, and their trials as runs."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trainer_run", sa.Column("search", sa.JSON(), nullable=True))
    op.add_column("trainer_run", sa.Column("trial_of", sa.String(), nullable=True))
    op.add_column("trainer_run", sa.Column("trial", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_trainer_run_trial_of"), "trainer_run", ["trial_of"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_trainer_run_trial_of"), "trainer_run")
    with op.batch_alter_table("trainer_run") as table:
        for name in ("search", "trial_of", "trial"):
            table.drop_column(name)
