"""Spawning processes of ours: started anew and never forked, spoken to in messages, watched until they have ended.

Forking a process with threads and connections copies locks that nobody will release and sockets that two would use;
a spawned one begins clean, at the price of importing what it needs. :mod:`pgboss.runtime.spawned` is how it begins.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pgboss.runtime.addresses import Address
from pgboss.runtime.channel import LENGTH_BYTES, framed, unframed
from pgboss.runtime.records import levels_here, log_here
from pgboss.runtime.spawned import Boot

__all__ = ["Spawned", "how_it_ended", "spawn"]

# What a process has sent before its end is read, also when others hold its end of the socket open.
LAST_WORDS_SECONDS = 0.5

# The package is found first, wherever this process has it from; the rest of the path comes with the first message.
_BEGIN = "import sys; sys.path.insert(0, {home!r}); from pgboss.runtime.spawned import main; main({socket}, {parent})"
_HOME = str(Path(__file__).parent.parent.parent)

logger = logging.getLogger("pgboss.runtime")


class Spawned:
    """A process that was spawned. Use :func:`spawn`.

    Attributes:
        pid: its number.
        ended: done when it has ended and everything that it sent has been heard; the exit code, as subprocess gives it.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        on_message: Callable[[Any], None],
        log_extra: dict[str, Any],
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._reader, self._writer = streams
        self._on_message = on_message
        self._log_extra = log_extra
        loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = loop.create_future()
        threading.Thread(target=self._wait, args=(loop,), name=f"pgboss-wait-{self.pid}", daemon=True).start()
        self._listening = asyncio.create_task(self._listen(), name=f"pgboss process {self.pid}")
        self.ended: asyncio.Task[int] = asyncio.create_task(self._until_end(), name=f"pgboss end of {self.pid}")

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet, as far as we know."""
        return not self._exit.done()

    def send(self, message: object) -> None:
        """Send a message soon; nobody hears it when the process has ended."""
        if not self._writer.is_closing():
            self._writer.write(framed(message))

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL, also to what it has started in its session."""
        if self.is_alive:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._process.wait()
        # A closed loop means that this process is ending, too.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._exit.set_result, code)

    async def _until_end(self) -> int:
        try:
            code = await asyncio.shield(self._exit)
            await asyncio.wait([self._listening], timeout=LAST_WORDS_SECONDS)
            return code
        finally:
            self._listening.cancel()
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _listen(self) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
                self._hear(unframed(await self._reader.readexactly(size)))

    def _hear(self, message: Any) -> None:
        try:
            if message[0] == "log":
                log_here(message[1], **self._log_extra)
            else:
                self._on_message(message)
        except Exception:
            logger.exception("a message of process %d could not be handled", self.pid)


async def spawn(
    target: Address,
    arguments: dict[str, Any],
    *,
    title: str,
    on_message: Callable[[Any], None],
    log_extra: dict[str, Any] | None = None,
) -> Spawned:
    """Start a process that runs ``target(channel, **arguments)``, and dies with this one.

    The thread that calls this must live for as long as the process shall: to the kernel it is the parent.

    Args:
        target: a function of ours.
        arguments: plain data.
        title: what ``ps`` shows behind the command.
        on_message: called with what it sends.
        log_extra: fields for the records that it logs.

    Raises:
        OSError: the system gives us no process.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = _start(theirs, title)
        except BaseException:
            ours.close()
            raise
    try:
        streams = await asyncio.open_unix_connection(sock=ours)
    except BaseException:
        process.kill()
        process.wait()
        raise
    spawned = Spawned(process, streams, on_message, log_extra or {})
    spawned.send(Boot(target, arguments, list(sys.path), list(sys.argv), levels_here()))
    return spawned


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name} (signal {-code})"
    return f"was killed by signal {-code}"


def _start(theirs: socket.socket, title: str) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise OSError("this Python does not know its own program (sys.executable), which a new process needs")
    begin = _BEGIN.format(home=_HOME, socket=theirs.fileno(), parent=os.getpid())
    # What multiprocessing hands on as well: -O, -W, -X and the like.
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  no public one exists
    return subprocess.Popen(  # noqa: S603  this very interpreter, and code of ours
        [sys.executable, *flags, "-c", begin, title],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
