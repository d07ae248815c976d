"""When API keys were last used."""

from headrace.chassis.migrations import create_key_use, drop_key_use

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_key_use()


def downgrade() -> None:
    drop_key_use()
