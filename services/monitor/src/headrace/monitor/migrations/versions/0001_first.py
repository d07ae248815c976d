"""The first tables of monitor, and those of delivery."""

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
        "asked",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version"),
    )
    op.create_table(
        "declared",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("declaration", sa.JSON(), nullable=False),
        sa.Column("newest", UtcTime(), nullable=True),
        sa.Column("arrived", UtcTime(), nullable=True),
        sa.Column("judged_until", UtcTime(), nullable=True),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("silent_since", UtcTime(), nullable=True),
        sa.Column("late_predictions", sa.Integer(), nullable=False),
        sa.Column("late_truths", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_table(
        "logged",
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("first_row", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "first_row", "route"),
    )
    op.create_index("ix_logged_time", "logged", ["model", "time"], unique=False)
    op.create_table(
        "registered",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("registered", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version"),
    )
    op.create_table(
        "truths",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("reported_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("model", "prediction_id", "row"),
    )
    op.create_index("ix_truths_at", "truths", ["model", "reported_at"], unique=False)
    op.create_table(
        "keys",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("model", "key"),
    )
    op.create_index("ix_keys_time", "keys", ["model", "time"], unique=False)
    op.create_table(
        "key_truths",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("reported_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("model", "key"),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("given_up", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("delivery"),
    )
    op.create_index("ix_deliveries_model", "deliveries", ["model", "number"], unique=False)
    op.create_index("ix_deliveries_waiting", "deliveries", ["sent_at"], unique=False)
    op.create_table(
        "windows",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start", UtcTime(), nullable=False),
        sa.Column("end", UtcTime(), nullable=False),
        sa.Column("judged_at", UtcTime(), nullable=False),
        sa.Column("failed", sa.String(), nullable=True),
        sa.Column("late_predictions", sa.Integer(), nullable=False),
        sa.Column("late_truths", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("model", "number"),
    )
    op.create_table(
        "judgements",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model", "number", "version"),
    )
    op.create_table(
        "findings",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "about"),
    )
    op.create_table(
        "schedules",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("due", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_index(op.f("ix_schedules_due"), "schedules", ["due"], unique=False)


def downgrade() -> None:
    op.drop_table("schedules")
    op.drop_table("findings")
    op.drop_table("judgements")
    op.drop_table("windows")
    op.drop_table("deliveries")
    op.drop_table("key_truths")
    op.drop_table("keys")
    op.drop_table("truths")
    op.drop_table("registered")
    op.drop_table("logged")
    op.drop_table("declared")
    op.drop_table("asked")
    drop_key_use()
    delivery.drop_first()
