"""How commands fail: one line on stderr, an exit code that means something, and no traceback."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from pgboss.cli.exits import EXIT_CODES, exit_code
from pgboss.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseError,
    DatabaseUnavailableError,
    EmbeddedServerError,
    PayloadError,
    PgBossError,
    QueueNotFoundError,
    SchemaMissingError,
    SchemaVersionError,
    ValidationError,
)
from support.command_line import CommandLine, Outcome, RunningProgram
from support.postgres import fresh_database_name, sql, sql_value

PASSWORD = "s3cr3t-Password"
ID = "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"
NEED_A_SCHEMA = [
    ["send", "mail", "1"],
    ["send", "mail", "1", "--create-queue"],
    ["jobs", "list", "mail"],
    ["jobs", "show", ID],
    ["jobs", "retry", ID],
    ["jobs", "cancel", ID],
    ["jobs", "resume", ID],
    ["jobs", "delete", ID],
    ["queues", "list"],
    ["queues", "show", "mail"],
    ["queues", "create", "mail"],
    ["queues", "delete", "mail", "--yes"],
    ["doctor"],
    ["uninstall", "--yes"],
]
CONNECT = [*NEED_A_SCHEMA, ["migrate"]]


def one_line(outcome: Outcome) -> str:
    """The error of a command that printed it in one line and nothing else."""
    [line] = outcome.err.splitlines()
    assert outcome.out == ""
    assert line.startswith("Error: ")
    return line


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """The address of something that speaks as a PostgreSQL that refuses every password."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=refuse_logins, args=(listening,), daemon=True).start()
        host, port = listening.getsockname()
        yield f"postgresql://ada:{PASSWORD}@{host}:{port}/app"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def refuse_logins(listening: socket.socket) -> None:
    fields = [b"SFATAL", b"VFATAL", b"C28P01", b'Mpassword authentication failed for user "ada"', b""]
    message = b"\0".join(fields) + b"\0"
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            # Whether encryption is wanted, by TLS or by Kerberos, is asked before: no.
            while len(asked := connection.recv(4096)) == 8:
                assert struct.unpack("!ii", asked)[1] in (80877103, 80877104)
                connection.sendall(b"N")
            connection.sendall(b"E" + struct.pack("!i", len(message) + 4) + message)


class SilentServer:
    """Takes connections and never says a word."""

    async def __aenter__(self) -> Self:
        self._asked = asyncio.Event()
        self._over = asyncio.Event()
        self._server = await asyncio.start_server(self._listen, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()
        return f"postgresql://ada@{host}:{port}/app"

    async def asked(self) -> None:
        """Wait until somebody has connected and asked for something."""
        async with asyncio.timeout(20):
            await self._asked.wait()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        self._asked.set()
        await self._over.wait()
        writer.close()


@pytest.mark.parametrize("command", CONNECT, ids=" ".join)
def test_no_server_at_that_address(command: list[str]) -> None:
    outcome = CommandLine(f"postgresql://ada:{PASSWORD}@127.0.0.1:1/app")(*command)

    line = one_line(outcome)
    assert outcome.code == 3
    assert "host 127.0.0.1, port 1, database app, user ada" in line
    assert "Connection refused" in line
    assert PASSWORD not in line


def test_a_wrong_password(refusing_server: str) -> None:
    outcome = CommandLine(refusing_server)("queues", "list")

    line = one_line(outcome)
    assert outcome.code == 3
    assert 'password authentication failed for user "ada"' in line
    assert PASSWORD not in line


async def test_an_interrupted_command_ends_without_a_traceback(empty_folder: Path) -> None:
    async with SilentServer() as server, RunningProgram(server.url, "queues", "list", cwd=empty_folder) as running:
        await server.asked()

        assert await running.stop(signal.SIGINT) == 130
        assert running.output == ""


def test_no_such_database(bare: CommandLine) -> None:
    outcome = bare("queues", "list", "--dsn", bare.database_url.replace("/pgboss_test_", "/no_such_"))

    assert outcome.code == 3
    assert 'database "no_such_' in one_line(outcome)


@pytest.mark.parametrize(
    ("dsn", "complaint"),
    [
        ("postgresql//localhost", "The connection string cannot be read"),
        ("host=localhost port", "The connection string cannot be read"),
        ("nonsense=1", 'invalid connection option "nonsense"'),
    ],
)
def test_an_unreadable_dsn(bare: CommandLine, dsn: str, complaint: str) -> None:
    outcome = bare("queues", "list", "--dsn", dsn)

    assert outcome.code == 2
    assert complaint in one_line(outcome)


def test_no_dsn_at_all(bare: CommandLine) -> None:
    outcome = bare("queues", "list", env={"DATABASE_URL": None})

    assert outcome.code == 2
    assert "Give --dsn, or set DATABASE_URL" in one_line(outcome)


@pytest.mark.parametrize("command", NEED_A_SCHEMA, ids=" ".join)
def test_a_missing_schema_is_said_and_not_installed(bare: CommandLine, command: list[str]) -> None:
    outcome = bare(*command)

    assert outcome.code == 4
    assert "schema pgboss" in one_line(outcome)
    assert sql_value(bare.database_url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgboss'") == 0


def test_a_half_installed_schema(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "DROP TABLE pgboss.schedule")

    outcome = pgboss("queues", "list")

    assert outcome.code == 4
    assert "pgboss doctor" in one_line(outcome)


@pytest.mark.parametrize("name", ["two words", "1st", "x" * 51, '"un"quotable"'])
def test_an_impossible_schema_name(bare: CommandLine, name: str) -> None:
    for outcome in (bare("queues", "list", "--schema", name), bare("plans", "create", env={"PGBOSS_SCHEMA": name})):
        assert outcome.code == 2
        assert "schema name" in one_line(outcome)


def test_an_unusable_setting_is_named(bare: CommandLine) -> None:
    outcome = bare("queues", "list", env={"PGBOSS_POOL_SIZE": "many"})

    assert outcome.code == 2
    assert "PGBOSS_POOL_SIZE='many'" in one_line(outcome)


def test_a_role_without_rights_is_told_which_it_needs(pgboss: CommandLine) -> None:
    role = fresh_database_name("role")
    sql(pgboss.database_url, f"CREATE ROLE {role}; GRANT {role} TO CURRENT_USER")
    try:
        outcome = pgboss("queues", "list", env={"PGOPTIONS": f"-c role={role}"})
    finally:
        sql(pgboss.database_url, f"DROP ROLE {role}")

    assert outcome.code == 4
    assert f'GRANT USAGE ON SCHEMA "pgboss" TO "{role}"' in one_line(outcome)


@pytest.mark.parametrize("arguments", [["--debug", "queues", "list"], ["queues", "list", "--debug"]])
def test_debug_shows_the_traceback(bare: CommandLine, arguments: list[str]) -> None:
    outcome = bare(*arguments, env={"DATABASE_URL": None})

    assert outcome.code == 2
    assert "Traceback (most recent call last):" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("Error: No database is named")


def test_options_behind_the_command_win(pgboss: CommandLine) -> None:
    assert pgboss("--schema", "elsewhere", "queues", "list").code == 4
    assert pgboss("--schema", "elsewhere", "queues", "list", "--schema", "pgboss").code == 0
    assert pgboss("--dsn", pgboss.database_url, "queues", "list", env={"DATABASE_URL": None}).code == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PgBossError("?"), 1),
        (DatabaseError("?"), 1),
        (ConflictError("?"), 1),
        (QueueNotFoundError("?", queue="?"), 1),
        (ConfigurationError("?"), 2),
        (ValidationError("?"), 2),
        (PayloadError("?"), 2),
        (DatabaseUnavailableError("?"), 3),
        (EmbeddedServerError("?"), 3),
        (SchemaMissingError("?"), 4),
        (SchemaVersionError("?", installed=1, expected=2), 4),
    ],
)
def test_every_error_has_a_code_that_the_help_explains(bare: CommandLine, error: PgBossError, code: int) -> None:
    assert exit_code(error) == code
    assert f"\n  {code} " in bare.ok("--help").split("Exit codes:")[1]
    assert code in EXIT_CODES


@pytest.mark.parametrize("arguments", [["frobnicate"], ["jobs", "frobnicate"], ["jobs", "list"], ["plans", "x"]])
def test_usage_errors(bare: CommandLine, arguments: list[str]) -> None:
    outcome = bare(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: pgboss" in outcome.err
