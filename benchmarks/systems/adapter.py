"""What every system's adapter offers to ``benchmarks.child``: the calls that its own users would make, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

QUEUE = "q"

Handled = Callable[[int], None]
"""To be called first of all in a handler, with the job's number."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system keeps its jobs: its own database on PostgreSQL, or Redis."""

    dsn: str
    redis: str = ""


class Adapter:
    """One system. Jobs carry ``{"n": number}`` and nothing else.

    Attributes:
        place: where its jobs are.
        settings: those of the registry, tuned or default, perhaps changed on the command line.
    """

    uses_uvloop = False
    """Whether it runs on uvloop, because the system's own command does."""

    def __init__(self, place: Place, settings: dict[str, Any]) -> None:
        self.place = place
        self.settings = settings

    async def install(self) -> None:
        """Make what the system needs in an empty database."""

    async def open(self, connections: int) -> None:
        """Open a client to send with, of so many connections."""

    async def close(self) -> None:
        """Close that client."""

    async def enqueue(self, first: int, count: int) -> None:
        """Create jobs of consecutive numbers in the fastest way that the system documents; return when committed."""
        raise NotImplementedError

    async def send(self, number: int) -> None:
        """Create one job; return when it is committed."""
        raise NotImplementedError

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        """Work the queue in this process until stopped; call ``ready`` just before looking for jobs."""
        raise NotImplementedError

    def sender(self, threads: int) -> AbstractContextManager[Callable[[int], object]]:
        """A function for so many threads that creates one job; systems without a client for threads have none."""
        raise NotImplementedError


def chunks(first: int, count: int, size: int) -> list[range]:
    """The numbers from ``first`` on, in ranges of so many."""
    return [range(start, min(start + size, first + count)) for start in range(first, first + count, size)]
