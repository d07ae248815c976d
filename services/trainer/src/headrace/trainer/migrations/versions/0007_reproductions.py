"""Versions, and runs that make one again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trainer_version",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("registered", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version"),
    )
    op.add_column("trainer_run", sa.Column("reproduces", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("trainer_run", "reproduces")
    op.drop_table("trainer_version")
