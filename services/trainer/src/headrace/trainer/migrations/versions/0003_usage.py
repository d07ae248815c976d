"""What each run took, what an hour of it costs, and whose it is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trainer_run", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("trainer_run", sa.Column("rate", sa.JSON(), nullable=True))
    op.add_column("trainer_run", sa.Column("usage", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("trainer_run") as table:
        for name in ("owner", "rate", "usage"):
            table.drop_column(name)
