"""Servers of our own, with data on disk and the durability that they have as installed; gone when the run is over."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

import psycopg
from psycopg import sql

from benchmarks.systems import JobTable
from benchmarks.systems.adapter import Place
from pgboss import embedded

__all__ = ["Postgres", "Redis", "Store", "postgres", "redis"]

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "200"}
"""What differs from PostgreSQL's own defaults. Durability is not touched: fsync and synchronous_commit stay on."""

DATABASE = "benchmark"


class Store(Protocol):
    """Where one system keeps its jobs while it is measured."""

    @property
    def pid(self) -> int:
        """The server's process."""
        ...

    @property
    def version(self) -> str: ...

    @property
    def place(self) -> Place: ...

    def fresh(self, key: str, install: Callable[[], None]) -> None:
        """Empty it, and have the system installed; what is installed under the same key is a copy of the first time."""
        ...

    def tidy(self, *, vacuum: bool = False) -> None:
        """Bring statistics up to date and dirty pages to disk, so that no run pays for another's."""
        ...

    def count(self, expression: str) -> int: ...


class Postgres:
    """A PostgreSQL of which each measurement gets an empty database."""

    def __init__(self, server: embedded.EmbeddedServer) -> None:
        self._server = server
        self._installed: set[str] = set()
        # Kept open, because a drain's end is asked for again and again, and a connection costs the server a process.
        self._counting: psycopg.Connection[Any] | None = None
        self.version = f"PostgreSQL {server.version}"
        self.place = Place(server.dsn_for(DATABASE))

    @property
    def pid(self) -> int:
        return int((self._server.data_dir / "postmaster.pid").read_text().splitlines()[0])

    def fresh(self, key: str, install: Callable[[], None]) -> None:
        self.close()
        self._server.drop_database(DATABASE)
        template = f"template_{key}"
        if key in self._installed:
            self._server.create_database(DATABASE, template)
            return
        self._server.create_database(DATABASE)
        install()
        self._server.create_database(template, DATABASE)
        self._installed.add(key)

    def tidy(self, *, vacuum: bool = False) -> None:
        self.execute("VACUUM ANALYZE" if vacuum else "ANALYZE")
        self.execute("CHECKPOINT")

    def count(self, expression: str) -> int:
        if self._counting is None:
            self._counting = self.connect()
        row = self._counting.execute(expression.encode()).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the connection that counts."""
        if self._counting is not None:
            self._counting.close()
            self._counting = None

    def execute(self, statement: str | sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode() if isinstance(statement, str) else statement)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.place.dsn, autocommit=True)

    @contextmanager
    def open_transaction(self) -> Iterator[None]:
        """A session that sits in a transaction with an xid, so that no dead row can be removed."""
        with psycopg.connect(self.place.dsn) as connection:
            connection.execute("SELECT pg_current_xact_id()")
            yield
            connection.rollback()

    def copy_jobs(self, table: JobTable, condition: str, copies: range) -> None:
        """Copy one job that meets the condition for each number."""
        schema, _, name = table.name.rpartition(".")
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
                " AND is_generated = 'NEVER' ORDER BY ordinal_position",
                (schema or "public", name),
            ).fetchall()
            columns = [row[0] for row in rows if row[0] not in table.left_out]
            values = [table.set.get(column, f'one."{column}"').replace("{n}", "copy") for column in columns]
            listed = ", ".join(f'"{column}"' for column in columns)
            connection.execute(
                f"INSERT INTO {table.name} ({listed}) SELECT {', '.join(values)}"
                f" FROM (SELECT * FROM {table.name} WHERE {condition} LIMIT 1) one,"
                f" generate_series({copies.start}, {copies.stop - 1}) copy".encode()
            )


class Redis:
    """A Redis as installed: it writes snapshots and no log, so that a crash loses what it has acknowledged."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._port = port
        self.pid = process.pid
        self.place = Place("", f"redis://127.0.0.1:{port}/0")
        self.version = "Redis " + self._ask("INFO server").partition("redis_version:")[2].split("\r\n")[0]

    def fresh(self, key: str, install: Callable[[], None]) -> None:
        self._ask("FLUSHALL")
        install()

    def tidy(self, *, vacuum: bool = False) -> None:
        pass

    def count(self, expression: str) -> int:
        return sum(int(self._ask(command)) for command in expression.split(" + "))

    def _ask(self, command: str) -> str:
        """The answer to a command: a number, a word, or a text whose length comes first."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection, connection.makefile("rb") as answers:
            connection.sendall(command.encode() + b"\r\n")
            line = answers.readline().decode().strip()
            return answers.read(int(line[1:])).decode() if line.startswith("$") else line[1:]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL on disk, to be removed when the run is over."""
    with ExitStack() as stack:
        # /var/tmp is on disk where /tmp may be memory.
        folder = Path(tempfile.mkdtemp(prefix="pgboss-benchmark-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Root runs PostgreSQL as somebody else, who has to get through.
        folder.chmod(0o711)
        with (
            embedded.start(root=folder / "server") as server,
            psycopg.connect(server.dsn, autocommit=True) as connection,
        ):
            for name, value in SETTINGS.items():
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        # Some of them need a start.
        store = Postgres(stack.enter_context(embedded.start(root=folder / "server")))
        stack.callback(store.close)
        yield store


@contextmanager
def redis() -> Iterator[Redis | None]:
    """Start the ``redis-server`` that is on PATH; ``None`` where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pgboss-benchmark-", dir="/var/tmp") as folder:
        port = _free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _await_answer(port)
            yield Redis(process, port)
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_answer(port: int) -> None:
    end = monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if monotonic() > end:
                raise
            sleep(0.02)
        else:
            return
