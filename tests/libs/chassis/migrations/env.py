"""Alembic's entry; everything is in the chassis."""

from headrace.chassis.migrations import run_migrations

run_migrations()
