"""Processes that hold an embedded server, for tests that kill them.

This file is both sides: imported, it gives :class:`EmbeddedClient`; run as a program, it is the client. The program
says in one line of JSON what it got, and holds the server until its standard input ends.
"""

from __future__ import annotations

import functools
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

import pgboss
from pgboss import embedded
from pgboss.embedded.folder import ServerFolder
from pgboss.embedded.locks import open_lock, try_alone
from pgboss.embedded.probe import State, probe
from pgboss.errors import EmbeddedServerError

AS_ROOT = os.geteuid() == 0

ORDINARY_USER = "daemon"
"""There on Linux and macOS alike, and with no rights to speak of."""


class EmbeddedClient:
    """Another process that starts or shares a server; as another user when told so.

    Args:
        root: the server's folder; a throwaway server when ``None``.
        user: whom to run the process as.
        environment: variables on top of ours.
        in_background: as a shell does that has no job control, with the keyboard's signals ignored.
    """

    def __init__(
        self,
        root: Path | None,
        *,
        user: str | None = None,
        environment: dict[str, str] | None = None,
        in_background: bool = False,
    ) -> None:
        command = [python_for(user), __file__, *([str(root)] if root else [])]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh", *command] if in_background else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment_for(user) | (environment or {}),
            cwd="/",
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        self.pid = self._process.pid
        self._greeting: dict[str, Any] | None = None

    @property
    def greeting(self) -> dict[str, Any]:
        """What the process got, once it has it: ``dsn``, ``version`` and ``root``; or ``error``."""
        if self._greeting is None:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line, f"the client ended without a word: {self._complaint()}"
            self._greeting = json.loads(line)
        return self._greeting

    @property
    def dsn(self) -> str:
        """The server's DSN; waits until the server is there."""
        assert "dsn" in self.greeting, self.greeting
        return str(self.greeting["dsn"])

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        self._process.kill()
        self._process.wait()

    def say_goodbye(self) -> None:
        """Have the process close the server and end, without waiting for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def leave(self) -> None:
        """Let the process close the server and end, and make sure that it did so without a complaint."""
        self.say_goodbye()
        assert self._process.wait(timeout=20) == 0, self._complaint()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _complaint(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()


def is_free(root: Path) -> bool:
    """Whether no process of a server is left in this folder; a folder that is gone has none."""
    try:
        descriptor = open_lock(ServerFolder(root).server_lock)
    except FileNotFoundError:
        return True
    try:
        return try_alone(descriptor)
    finally:
        os.close(descriptor)


def is_ready(root: Path) -> bool:
    """Whether a server answers in this folder."""
    return probe(ServerFolder(root).socket).state is State.READY


def postmaster_pid(root: Path) -> int:
    """The pid of a running server; for tests only, which know that it runs."""
    return int((ServerFolder(root).data / "postmaster.pid").read_text().split()[0])


def environment_for(user: str | None) -> dict[str, str]:
    """Our environment; for another user with a home of theirs, and with the path to what we have installed."""
    if user is None:
        return dict(os.environ)
    roots = {str(Path(module.__path__[0]).parent) for module in (pgboss, psycopg)}
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(sorted(roots))}


@functools.cache
def python_for(user: str | None) -> str:
    """A Python that the user can run and that finds this package; ``""`` when there is none."""
    if user is None:
        return sys.executable
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}", "/usr/bin/python3"):
        try:
            subprocess.run(
                [python, "-c", "import pgboss.embedded"],
                user=user,
                extra_groups=[],
                env=environment_for(user),
                cwd="/",
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return ""


def main() -> None:
    try:
        server = embedded.start(root=sys.argv[1]) if sys.argv[1:] else embedded.throwaway()
    except EmbeddedServerError as error:
        say({"error": str(error)})
        return
    with server:
        say({"dsn": server.dsn, "version": server.version, "root": str(server.data_dir.parent)})
        sys.stdin.read()


def say(greeting: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(greeting) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
