"""What a service's migrations/env.py calls: three lines there, everything here."""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel


def run_migrations() -> None:
    """Run on the connection that the service hands over, or on `-x url=...` from Alembic's own command line."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    url = context.get_x_argument(as_dictionary=True)["url"].replace("+aiosqlite", "").replace("+asyncpg", "")
    with create_engine(url).begin() as own:
        _run(own)


def _run(connection: Connection) -> None:
    batch = connection.dialect.name == "sqlite"  # SQLite alters a table by copying it
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=batch)
    with context.begin_transaction():
        context.run_migrations()
