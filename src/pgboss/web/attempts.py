"""Slows down whoever guesses keys: too many wrong ones from an address, and it is not listened to for a while."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic

from starlette.requests import HTTPConnection

from pgboss.web.problems import Problem

__all__ = ["Attempts"]

MOST_ATTEMPTS = 20
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10_000


class Attempts:
    """Remembers, in this process, which addresses have shown wrong keys within the last minute.

    Sessions are not guessed, so those who have logged in are never kept out.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, connection: HTTPConnection) -> None:
        """Whether a key of this address is looked at.

        Raises:
            Problem: it is not.
        """
        times = self._recent(_address(connection))
        if len(times) < MOST_ATTEMPTS:
            return
        wait_seconds = max(1, int(times[0] + WINDOW_SECONDS - self._clock()))
        message = f"Too many wrong keys came from this address. Try again in {wait_seconds} seconds."
        raise Problem(429, "too_many_attempts", message, headers={"Retry-After": str(wait_seconds)})

    def failed(self, connection: HTTPConnection) -> None:
        """A wrong key was shown."""
        address = _address(connection)
        times = self._recent(address)
        times.append(self._clock())
        self._failures[address] = times
        self._failures.move_to_end(address)
        # The address that has been silent for the longest time makes room.
        while len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._failures.get(address, deque(maxlen=MOST_ATTEMPTS))
        while times and times[0] <= self._clock() - WINDOW_SECONDS:
            times.popleft()
        return times


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client is not None else ""
