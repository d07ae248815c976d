"""Migrations as a job of their own, and copies that wait for it."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import text

from headrace.chassis.database import create_engine, is_migrated, migrate

MIGRATIONS = Path(__file__).with_name("migrations")


def started(command: str, url: str) -> "subprocess.Popen[str]":
    """One of the two commands, for the registry's database."""
    return subprocess.Popen(
        [sys.executable, "-m", "headrace.chassis", command, "headrace.registry"],
        env={**os.environ, "HEADRACE_DATABASE_URL": url, "HEADRACE_LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_database_is_migrated_or_it_is_not(database_url: str) -> None:
    """An empty one is not; the newest one is."""
    engine = create_engine(database_url)

    before = await is_migrated(engine, MIGRATIONS)
    await migrate(engine, MIGRATIONS)
    after = await is_migrated(engine, MIGRATIONS)

    await engine.dispose()
    assert (before, after) == (False, True)


def test_copies_wait_until_the_job_has_migrated(sqlite_url: str) -> None:
    """Whichever of them starts first."""
    with started("await-migration", sqlite_url) as copy:
        assert copy.stdout is not None
        first_words = copy.stdout.readline()
        assert copy.poll() is None

        with started("migrate", sqlite_url) as job:
            job_ended = job.wait(timeout=200)

        assert "waiting_for_migration" in first_words
        assert job_ended == 0
        assert copy.wait(timeout=200) == 0


@pytest.mark.parametrize("command", ["migrate", "await-migration"])
async def test_an_older_version_ends_at_a_newer_schema(command: str, sqlite_url: str) -> None:
    """It says what is the matter and what to do, and changes nothing."""
    engine = create_engine(sqlite_url)
    await migrate(engine, Path(str(files("headrace.registry") / "migrations")))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999_of_tomorrow'"))
    await engine.dispose()

    with started(command, sqlite_url) as copy:
        said, _ = copy.communicate(timeout=200)

    assert copy.returncode == 1
    assert "9999_of_tomorrow" in said
    assert "start the newer version again" in said
    assert "Traceback" not in said


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """The job may start before the database does."""
    place = tmp_path / "a-folder-where-the-file-should-be"
    place.mkdir()

    with started("migrate", f"sqlite+aiosqlite:///{place}") as job:
        assert job.stdout is not None
        first_words = job.stdout.readline()
        place.rmdir()

        assert "database_away" in first_words
        assert job.wait(timeout=200) == 0
