"""A door in front of PostgreSQL that a test can shut: for databases that go away, come back, or fall silent."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

__all__ = ["Proxy"]

# Linux only: a filter of one instruction, "return 0", takes a socket's packets away before TCP sees them.
SO_ATTACH_FILTER = 26
DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))


@dataclass(eq=False)
class _Link:
    """One connection; of a lost one nothing gets through any more, not even its end."""

    downstream: socket.socket
    is_lost: bool = False

    def drop_packets(self) -> None:
        self.is_lost = True
        program = struct.pack("HP", 1, ctypes.addressof(DROP_ALL))
        self.downstream.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


class Proxy:
    """Forwards connections on a loopback port to the server of a DSN."""

    def __init__(self, dsn: str) -> None:
        self._target = conninfo_to_dict(dsn)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shut()

    @property
    def dsn(self) -> str:
        return f"postgresql://{quote(self.user)}@127.0.0.1:{self.port}/{self.database}"

    @property
    def port(self) -> int:
        """Where it listens, once it was opened."""
        return self._port

    @property
    def count(self) -> int:
        """Connections there are."""
        return len(self._connections)

    @property
    def user(self) -> str:
        return str(self._target.get("user", "postgres"))

    @property
    def database(self) -> str:
        return str(self._target["dbname"])

    async def open(self) -> None:
        """Let connections through, always on the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Refuse new connections and break those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def fall_silent(self) -> None:
        """Keep connections open and pass nothing on: what a network does that drops packets."""
        self._flowing.clear()

    def lose(self) -> None:
        """Pass nothing on any more over the connections there are, which are half-open from now on. New ones work."""
        for link in self._links:
            link.is_lost = True

    def drop_packets(self) -> None:
        """Lose the connections there are like :meth:`lose`, and leave their packets unanswered, as a cut wire does."""
        for link in self._links:
            link.drop_packets()

    def speak_again(self) -> None:
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            # It came in before the door was shut, and is told of after.
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # Also when it is ended before it has begun, or while it reaches for the server.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await self._reach()
        except OSError:
            return
        link = _Link(writer.get_extra_info("socket"))
        self._links.add(link)
        try:
            ways = [self._pump(link, reader, up_writer), self._pump(link, up_reader, writer)]
            _, rest = await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
        finally:
            self._links.discard(link)
            up_writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._target["host"]), str(self._target.get("port", "5432"))
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                if not link.is_lost:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if link.is_lost:
            await asyncio.Event().wait()
