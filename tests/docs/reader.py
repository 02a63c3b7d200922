"""A reader who does what a section says: saves its files, runs its commands, and looks whether it told the truth.

What a block is for shows in the block itself:

- A first line such as ``# hello.py`` names a file, which is saved in the reader's folder.
- Other ``python`` blocks are programs, run by themselves; they must end well.
- Each line of a ``sh`` block is a command. One whose comment says "until Ctrl-C" is left running, and is ended with
  Ctrl-C after the section; all others must end well. A database that ``pgboss dev`` announces is used from then on.
- ``sql`` is run as the database's owner.
- Each line of an ``output`` block must turn up in what the section's programs print; ``…`` stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from docs.pages import Block
from support.eventually import eventually_sync
from support.node_process import FOLDER as NODE_FOLDER
from support.node_process import node_binary
from support.postgres import sql

__all__ = ["ELSEWHERE", "UNTIL_CTRL_C", "Reader"]

UNTIL_CTRL_C = "until Ctrl-C"
ELSEWHERE = ("pip install ", "npm install ", "make ")
"""Commands that change the machine: their words are checked by tests of their own."""

PATIENCE_SECONDS = 30.0


class Reader:
    """Follows one section, in a folder of its own; everything left running is ended with the block."""

    def __init__(self, folder: Path, database_url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._folder = folder
        self._url = database_url
        self._patience_seconds = patience_seconds
        self._log = folder / "printed.log"
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        (folder / "node_modules").symlink_to(NODE_FOLDER / "node_modules")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for command, process in reversed(self._running):
            was_running = process.poll() is None
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(self._patience_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = -signal.SIGKILL
            if error is None:
                assert was_running, f"{command} ended by itself:\n{self.printed}"
                assert code in self._good_ends(command), f"{command} ended with {code}:\n{self.printed}"

    def follow(self, block: Block) -> None:
        """Do what one block says."""
        if block.file_name:
            (self._folder / block.file_name).write_text(block.text)
        elif block.language == "python":
            script = self._folder / f"block_{block.line}.py"
            script.write_text(block.text)
            self._run(f"python {script.name}")
        elif block.language == "sh":
            for line in filter(None, map(str.strip, block.text.splitlines())):
                self._command(line)
        elif block.language == "sql":
            sql(self._url, block.text)
        elif block.language == "output":
            for line in block.text.splitlines():
                self._expect(line)

    @property
    def printed(self) -> str:
        """What all programs of the section have printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _command(self, line: str) -> None:
        command, _, comment = (part.strip() for part in line.partition("  #"))
        if UNTIL_CTRL_C in comment:
            # The port that readers have for themselves may be another test's here.
            command = command.replace("pgboss serve", "pgboss serve --port 0")
            self._running.append((command, self._start(command)))
            if command.startswith("pgboss dev"):
                self._expect("export DATABASE_URL=…")
                self._url = self._announced_url()
        elif command.strip() and not command.startswith(("#", *ELSEWHERE)):
            self._run(command)

    def _announced_url(self) -> str:
        return shlex.split(self.printed.rpartition("export DATABASE_URL=")[2])[0]

    def _run(self, command: str) -> None:
        process = self._start(command)
        try:
            code = process.wait(self._patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{command} does not end:\n{self.printed}") from None
        assert code == 0, f"{command} ended with {code}:\n{self.printed}"

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            # exec, so that a signal reaches the program and not a shell around it.
            return subprocess.Popen(
                ["bash", "-c", f"exec {command}" if "|" not in command else command],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "PYTHON", "NODE", "DATABASE_URL", "XDG"))
        }
        programs = [str(Path(sys.executable).parent), str(Path(node_binary()).parent), inherited["PATH"]]
        return inherited | {
            "PATH": os.pathsep.join(programs),
            "DATABASE_URL": self._url,
            "PGBOSS_DATA_DIR": str(self._folder / "data"),
            "HOME": str(self._folder),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "error",
            # The reader's pytest, without the plugins of this suite, but with ours and one that runs async tests.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p pytest_asyncio.plugin -p pgboss.testing.plugin "
            "-o asyncio_mode=auto -o asyncio_default_fixture_loop_scope=function",
        }

    def _expect(self, line: str) -> None:
        wanted = re.compile(".*".join(map(re.escape, line.strip().split("…"))))

        def turned_up() -> bool:
            assert wanted.search(self.printed), f"{line!r} is not among what was printed:\n{self.printed}"
            return True

        eventually_sync(turned_up, within=self._patience_seconds)

    @staticmethod
    def _good_ends(command: str) -> tuple[int, ...]:
        # Node without a handler for it is ended by the signal; ours stop in good order.
        return (-signal.SIGINT,) if command.startswith("node ") else (0,)
