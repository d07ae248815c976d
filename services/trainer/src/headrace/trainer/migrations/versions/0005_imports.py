"""Imports of models that were made elsewhere."""

import sqlalchemy as sa
from alembic import op

from headrace.bus.tables import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trainer_import",
        sa.Column("import_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("pinned", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("declared_revision", sa.Integer(), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=True),
        sa.Column("job", sa.JSON(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("due_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("correlation", sa.String(), nullable=True),
        sa.Column("causation", sa.String(), nullable=True),
        sa.Column("trace", sa.String(), nullable=True),
        sa.Column("lock", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("import_id"),
    )
    for column in ("asked_at", "dataset", "model", "state"):
        op.create_index(op.f(f"ix_trainer_import_{column}"), "trainer_import", [column], unique=False)


def downgrade() -> None:
    op.drop_table("trainer_import")
