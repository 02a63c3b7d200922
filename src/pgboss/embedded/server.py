"""The front door: start a server or share one that runs, and make and drop databases in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from pgboss.embedded.cluster import SUPERUSER, THROWAWAY_SETTINGS
from pgboss.embedded.folder import PORT, ServerFolder, make_folder, persistent_root, remove_tree
from pgboss.embedded.launch import Order, leave, reach, take_reference
from pgboss.embedded.throwaways import make_throwaway_folder
from pgboss.errors import EmbeddedServerError

__all__ = ["EmbeddedServer", "start", "throwaway"]

MAINTENANCE_DATABASE = "postgres"

AnyPath = str | os.PathLike[str]


def start(
    name: str = "default",
    *,
    root: AnyPath | None = None,
    postgres_bin: AnyPath | None = None,
    user: str | None = None,
    database: str = "pgboss",
) -> EmbeddedServer:
    """Start the server of this name, or attach to it where it runs already, and make its database if it is missing.

    Its data stay when it stops. It runs for as long as any process holds it: until the last one has called ``close()``
    or has ended in whatever way. Blocks for about a second when the cluster has to be made, and some 10 ms when
    the server runs.

        with embedded.start() as server:
            print(server.dsn)

    Args:
        name: which server; each name has data of its own.
        root: the server's folder, instead of ``NAME`` below ``PGBOSS_DATA_DIR/postgres`` (by default
            ``~/.local/share/pgboss/postgres``, and ``/var/lib/pgboss/postgres`` for root).
        postgres_bin: the folder of the programs ``postgres`` and ``initdb``, instead of the ones that are found.
        user: whom root runs PostgreSQL as. This and ``postgres_bin`` mean nothing when the server runs already.
        database: the database that ``dsn`` names.

    Raises:
        EmbeddedServerError: there are no binaries, or they do not fit the data, or the folder cannot be used, or the
            server does not start; the message says which and what to do, and ends with the server's log.
    """
    path = Path(root).expanduser().absolute() if root is not None else persistent_root(name)
    make_folder(path)
    folder = ServerFolder(path)
    reference = take_reference(folder)
    try:
        version = reach(folder, Order(postgres_bin, user))
        server = EmbeddedServer(folder, reference, version, database)
        server.ensure_database(database)
    except BaseException:
        os.close(reference)
        raise
    return server


def throwaway(
    *,
    postgres_bin: AnyPath | None = None,
    user: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> EmbeddedServer:
    """Start a server for this process alone, fast and forgetful, which is removed with its data when it is closed.

    It lives in memory where 256 MB are free there, else in the folder for temporary files. It is removed as well when
    this process ends without closing it, by kill -9 too. Blocks for about half a second.

    Args:
        postgres_bin: see :func:`start`.
        user: see :func:`start`.
        settings: PostgreSQL's settings by name, on top of the defaults for throwaway servers, which favour speed:
            no fsync, no autovacuum, the least write-ahead log.

    Raises:
        EmbeddedServerError: as for :func:`start`.
    """
    folder, reference = make_throwaway_folder()
    order = Order(postgres_bin, user, throwaway=True, settings={**THROWAWAY_SETTINGS, **(settings or {})})
    try:
        version = reach(folder, order)
    except BaseException:
        os.close(reference)
        # A supervisor that got as far as running removes it too; one that did not cannot.
        remove_tree(folder.root)
        raise
    return EmbeddedServer(folder, reference, version, MAINTENANCE_DATABASE, throwaway=True)


class EmbeddedServer:
    """A running server, held: it stays at least until :meth:`close`, which the ``with`` statement calls.

    Forgetting the object does not let go of the server, so a DSN taken from it stays good until the process ends. A
    process forked while the server is held (a web server's workers, ``multiprocessing``) holds it too.

    Attributes:
        version: the server's version, such as ``18.6``.
    """

    def __init__(
        self, folder: ServerFolder, reference: int, version: str, database: str, *, throwaway: bool = False
    ) -> None:
        self._folder = folder
        self._reference: int | None = reference
        self._database = database
        self._throwaway = throwaway
        # Where a server runs does not change while it is held; later its folder may be gone.
        self._socket_dir = folder.socket_dir
        self.version = version

    def __repr__(self) -> str:
        return f"<EmbeddedServer {self.version} in {self._folder.root}{' (closed)' if self._reference is None else ''}>"

    @property
    def dsn(self) -> str:
        """The address of the server's database, see :meth:`dsn_for`."""
        return self.dsn_for(self._database)

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self._folder.data

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket: libpq's ``host``."""
        return self._socket_dir

    @property
    def log_path(self) -> Path:
        """The log of the server and its supervisor."""
        return self._folder.log

    def dsn_for(self, database: str) -> str:
        """The address of a database on this server: ``postgresql://postgres@/DATABASE?host=/SOCKET/DIR&port=5432``.

        A URI that names a Unix socket in a form that libpq (psycopg, psql), asyncpg, SQLAlchemy and Node's ``pg``
        understand alike. It works for the operating system's user that started the server only; no password is asked.
        """
        # Node's pg leaves escapes of these characters undecoded in a path; they need none there.
        path = quote(database, safe="&=+$,;:@")
        return f"postgresql://{SUPERUSER}@/{path}?host={quote(str(self.socket_dir))}&port={PORT}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of another one that nobody is connected to, and return its DSN.

        Raises:
            EmbeddedServerError: it exists already, or the template does not or is in use.
        """
        parts: list[sql.Composable] = [sql.SQL("CREATE DATABASE"), sql.Identifier(name)]
        if template is not None:
            parts += [sql.SQL("TEMPLATE"), sql.Identifier(template)]
        if self._throwaway and _major(self.version) >= 15:
            # Copying files costs a checkpoint, which is nothing without fsync, and beats writing a log by far.
            parts.append(sql.SQL("STRATEGY file_copy"))
        self._execute(sql.SQL(" ").join(parts), f"The database {name!r} could not be made")
        return self.dsn_for(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions in it; a missing one is fine."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self._execute(statement, f"The database {name!r} could not be dropped")

    def ensure_database(self, name: str) -> None:
        """Make an empty database unless it is there, whoever else does the same at this moment."""
        try:
            with self._connect() as connection:
                if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
                    return
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
        except psycopg.Error as error:
            raise EmbeddedServerError(f"The database {name!r} could not be made: {error}") from error

    def close(self) -> None:
        """Let go of the server; when we were the last, it stops, and this returns when it has. May be called again.

        Raises:
            EmbeddedServerError: we were the last, and the server does not stop.
        """
        reference, self._reference = self._reference, None
        if reference is not None:
            leave(self._folder, reference)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.dsn_for(MAINTENANCE_DATABASE), autocommit=True)

    def _execute(self, statement: sql.Composed, complaint: str) -> None:
        try:
            with self._connect() as connection:
                connection.execute(statement)
        except psycopg.Error as error:
            raise EmbeddedServerError(f"{complaint}: {error}") from error


def _major(version: str) -> int:
    # "18.6", and "19beta1" as well.
    number = re.match(r"\d+", version)
    return int(number[0]) if number else 0
