"""What a service's migrations call: three lines in env.py, one line for each table that every service has."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel

from headrace.bus.tables import UtcTime


def run_migrations() -> None:
    """Run on the connection that the service hands over, or on `-x url=...` from Alembic's own command line."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    url = context.get_x_argument(as_dictionary=True)["url"].replace("+aiosqlite", "").replace("+asyncpg", "")
    with create_engine(url).begin() as own:
        _run(own)


def create_key_use() -> None:
    """Create the table of when API keys were last used."""
    op.create_table(
        "key_use",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def drop_key_use() -> None:
    """Take it back."""
    op.drop_table("key_use")


def _run(connection: Connection) -> None:
    batch = connection.dialect.name == "sqlite"  # SQLite alters a table by copying it
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=batch)
    with context.begin_transaction():
        context.run_migrations()
