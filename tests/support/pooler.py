"""A real PgBouncer between us and the server, that a test can restart."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from pgboss.embedded.account import choose_account
from support.eventually import eventually
from support.proxy import Proxy

__all__ = ["PGBOUNCER", "PgBouncer"]

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


class PgBouncer:
    """Pools connections to the server of a DSN, in transaction mode unless told otherwise."""

    def __init__(self, dsn: str, **settings: object) -> None:
        # PgBouncer refuses to be root, and a server of ours lets in by its socket only whom it was started by: so the
        # way to the server leads through a door of this process.
        self.server = Proxy(dsn)
        # Not the test's own folder: nobody else can enter those above it.
        self._folder = Path(tempfile.mkdtemp(prefix="pgboss-pooler-"))
        self._account = choose_account(None, self._folder / "no data yet")
        self._settings = {"pool_mode": "transaction", "default_pool_size": 2} | settings
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    @property
    def dsn(self) -> str:
        return f"postgresql://{self.server.user}@127.0.0.1:{self._port}/{self.server.database}"

    async def __aenter__(self) -> Self:
        await self.server.open()
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        await self.server.shut()
        shutil.rmtree(self._folder)

    async def start(self) -> None:
        """Start, or start again on the same port."""
        self._folder.chmod(0o755)
        # Not asyncio's: uvloop cannot start a program as somebody else.
        self._process = subprocess.Popen(  # noqa: ASYNC220
            [PGBOUNCER or "", str(self._configure())], stderr=subprocess.DEVNULL, **self._account.drop_options()
        )
        await eventually(self._answers, within=10)

    async def stop(self) -> None:
        """End it at once: every client's connection breaks."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            await asyncio.to_thread(process.wait)

    def _configure(self) -> Path:
        file = self._folder / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in self._settings.items()]
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.server.port} user='{self.server.user}'\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self._port}\nauth_type = any\nunix_socket_dir =\n"
            + "\n".join(lines)
            + "\n"
        )
        file.chmod(0o644)
        return file

    async def _answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(self.dsn, connect_timeout=3)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True
