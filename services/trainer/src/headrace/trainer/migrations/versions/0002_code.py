"""Packages of code."""

import sqlalchemy as sa
from alembic import op

from headrace.bus.tables import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trainer_code_package",
        sa.Column("package", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("object", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("commit", sa.String(), nullable=True),
        sa.Column("dirty", sa.Boolean(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("package", "version"),
    )


def downgrade() -> None:
    op.drop_table("trainer_code_package")
