"""The experiment that a run belongs to, and who had it promoted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trainer_run", sa.Column("experiment", sa.String(), nullable=True))
    op.add_column("trainer_run", sa.Column("promoted_by", sa.String(), nullable=True))
    op.create_index(op.f("ix_trainer_run_experiment"), "trainer_run", ["experiment"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_trainer_run_experiment"), "trainer_run")
    with op.batch_alter_table("trainer_run") as table:
        for name in ("experiment", "promoted_by"):
            table.drop_column(name)
