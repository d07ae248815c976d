"""The first tables of the trainer, and those of delivery."""

import sqlalchemy as sa
from alembic import op

from headrace.bus import migrations as delivery
from headrace.bus.tables import UtcTime
from headrace.chassis.migrations import create_key_use, drop_key_use

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    delivery.create_first()
    create_key_use()
    op.create_table(
        "trainer_dataset_version",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "version"),
    )
    op.create_table(
        "trainer_declaration",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("declaration", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_index(op.f("ix_trainer_declaration_dataset"), "trainer_declaration", ["dataset"], unique=False)
    op.create_table(
        "trainer_evaluation",
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("correlation", sa.String(), nullable=True),
        sa.Column("causation", sa.String(), nullable=True),
        sa.Column("trace", sa.String(), nullable=True),
        sa.Column("lock", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation"),
    )
    op.create_index(op.f("ix_trainer_evaluation_state"), "trainer_evaluation", ["state"], unique=False)
    op.create_table(
        "trainer_revision",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("declaration", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model", "revision"),
    )
    op.create_table(
        "trainer_run",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("declared_revision", sa.Integer(), nullable=False),
        sa.Column("pinned", sa.Integer(), nullable=True),
        sa.Column("newer_than", sa.Integer(), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=True),
        sa.Column("dataset_version", sa.Integer(), nullable=True),
        sa.Column("job", sa.JSON(), nullable=True),
        sa.Column("cpus", sa.Float(), nullable=False),
        sa.Column("gpus", sa.Float(), nullable=False),
        sa.Column("waits_for", sa.String(), nullable=False),
        sa.Column("waits_detail", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("said", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("due_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("progress", sa.JSON(), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("correlation", sa.String(), nullable=True),
        sa.Column("causation", sa.String(), nullable=True),
        sa.Column("trace", sa.String(), nullable=True),
        sa.Column("lock", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_index(op.f("ix_trainer_run_asked_at"), "trainer_run", ["asked_at"], unique=False)
    op.create_index(op.f("ix_trainer_run_dataset"), "trainer_run", ["dataset"], unique=False)
    op.create_index(op.f("ix_trainer_run_model"), "trainer_run", ["model"], unique=False)
    op.create_index(op.f("ix_trainer_run_state"), "trainer_run", ["state"], unique=False)
    op.create_table(
        "trainer_run_change",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_trainer_run_change_run"), "trainer_run_change", ["run"], unique=False)


def downgrade() -> None:
    op.drop_table("trainer_run_change")
    op.drop_table("trainer_run")
    op.drop_table("trainer_revision")
    op.drop_table("trainer_evaluation")
    op.drop_table("trainer_declaration")
    op.drop_table("trainer_dataset_version")
    drop_key_use()
    delivery.drop_first()
