"""The command ``pgboss``: within the test's process for most tests, and as a program of its own for some."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typer.testing import CliRunner

__all__ = ["CommandLine", "Outcome", "RunningProgram", "run_program"]

PROGRAM = (sys.executable, "-m", "pgboss.cli")
LONGEST_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to stdout, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class CommandLine:
    """Runs commands in this process, on one database."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def __call__(
        self, *arguments: object, input: str | bytes | None = None, env: Mapping[str, str | None] | None = None
    ) -> Outcome:
        """Run a command to its end; an exception that it lets through is the test's."""
        from pgboss.cli.app import app

        result = CliRunner().invoke(
            app,
            [str(argument) for argument in arguments],
            input=input,
            env={**environment(self.database_url), **(env or {})},
            prog_name="pgboss",
            catch_exceptions=False,
        )
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def ok(self, *arguments: object, input: str | bytes | None = None) -> str:
        """Run a command that must succeed without a remark, and return what it wrote."""
        outcome = self(*arguments, input=input)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        return outcome.out


def environment(database_url: str) -> dict[str, str | None]:
    """What commands read from the environment, and nothing of the developer's own."""
    settings = dict.fromkeys(name for name in os.environ if name.startswith("PGBOSS_"))
    return {**settings, "DATABASE_URL": database_url}


def program_environment(database_url: str) -> dict[str, str]:
    given = {name: value for name, value in environment(database_url).items() if value is not None}
    return {name: value for name, value in os.environ.items() if not name.startswith("PGBOSS_")} | given


def run_program(
    database_url: str, *arguments: object, cwd: Path, input: str | None = None, env: Mapping[str, str] | None = None
) -> Outcome:
    """Run a command as a program of its own, to its end."""
    ended = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        input=input,
        env=program_environment(database_url) | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


class RunningProgram:
    """A command that runs until it is told to stop; killed when the block ends, if it still runs."""

    def __init__(self, database_url: str, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._command = [*PROGRAM, *map(str, arguments)]
        self._cwd = cwd
        self._env = program_environment(database_url) | dict(env or {})
        self._said: list[str] = []
        self._news = asyncio.Condition()
        self._ended = False

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._cwd,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reader

    async def said(self, words: str) -> str:
        """Wait for a line, on stdout or stderr, with these words in it, and return it."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS), self._news:
                await self._news.wait_for(lambda: self._found(words) is not None or self._ended)
        except TimeoutError:
            raise AssertionError(f"{words!r} was never said:\n{self.output}") from None
        found = self._found(words)
        assert found is not None, f"It ended without saying {words!r}:\n{self.output}"
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return "\n".join(self._said)

    async def stop(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        async with asyncio.timeout(LONGEST_SECONDS):
            code = await self._process.wait()
            await self._reader
        return code

    def _found(self, words: str) -> str | None:
        return next((line for line in self._said if words in line), None)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self._said.append(line.decode().rstrip("\n"))
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()
