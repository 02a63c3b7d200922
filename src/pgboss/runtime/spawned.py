"""The beginning of a process that we spawned: it binds its life to its parent's, and runs what it is told.

Theory. Nothing may outlive the process that started it, however that one ends. On Linux the kernel sees to it
(``PR_SET_PDEATHSIG``), also while this process computes in C and holds the interpreter. Everywhere, a socket whose
other end only the parent holds tells of its end; the thread that listens there ends the process.

The process has a session of its own. So Ctrl-C at a terminal reaches the parent alone, which then decides what becomes
of its children; and killing it takes along what it has started itself.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from pgboss.runtime.addresses import Address, find
from pgboss.runtime.channel import Channel, end_now
from pgboss.runtime.records import Levels, RecordSender, log_through

__all__ = ["Boot", "main", "own_loggers_again"]

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Boot:
    """What a spawned process is told first.

    Attributes:
        target: the function to run; it takes the channel and the arguments.
        arguments: by keyword, plain data.
        path: where modules are looked for.
        argv: the parent's command line, which some modules read.
        levels: below which nothing needs to be logged.
    """

    target: Address
    arguments: dict[str, Any]
    path: list[str]
    argv: list[str]
    levels: Levels


_logging: tuple[RecordSender, Levels] | None = None


def main(descriptor: int, parent: int) -> None:
    """Run what the parent says through this socket."""
    global _logging
    _die_with(parent)
    # What this process starts must not hold the end of ours open.
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        boot: Boot = channel.receive()
    except EOFError:
        end_now()
    sys.path[:], sys.argv[:] = boot.path, boot.argv
    _logging = RecordSender(channel.send), boot.levels
    own_loggers_again()
    find(boot.target)(channel, **boot.arguments)


def own_loggers_again() -> None:
    """Log through the parent alone, also after modules were imported that set up logging."""
    if _logging is not None:
        log_through(*_logging)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # It may have ended before it could be told to the kernel.
    if os.getppid() != parent:
        end_now()
