"""A real worker process, to be signalled and killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["WorkerProcess"]

APP = Path(__file__).parent.parent / "worker" / "app.py"
READY_SECONDS = 15.0
END_SECONDS = 20.0


class WorkerProcess:
    """Runs ``tests/worker/app.py``, or another; killed when the block ends, if it still runs."""

    def __init__(self, dsn: str, *arguments: str, app: Path = APP, is_ready: bool = True) -> None:
        """``is_ready`` is whether to wait until it works."""
        self._is_ready = is_ready
        self._command = [sys.executable, str(app), dsn, *arguments]
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        self._reader = asyncio.create_task(self._read())
        self._errors = asyncio.create_task(self._read_errors())
        if self._is_ready:
            await self.said("READY")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(self._reader, self._errors)

    async def said(self, word: str, *, within: float = READY_SECONDS) -> str:
        """Wait for the next line that begins with a word, and return it."""
        async with asyncio.timeout(within):
            while True:
                line = await self._lines.get()
                if line.startswith(word):
                    return line

    async def all_said(self, word: str) -> list[str]:
        """The lines that begin with a word, of those that nobody has waited for, once the process has ended."""
        await self._reader
        lines = [self._lines.get_nowait() for _ in range(self._lines.qsize())]
        return [line for line in lines if line.startswith(word)]

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for the end; what it wrote to standard error is in :attr:`log` then."""
        async with asyncio.timeout(END_SECONDS):
            return await self._process.wait()

    async def log(self) -> str:
        """Everything it wrote to standard error, once it has ended."""
        return await self._errors

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._lines.put_nowait(line.decode().rstrip())

    async def _read_errors(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()
