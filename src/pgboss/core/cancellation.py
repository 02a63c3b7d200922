"""What a handler that nobody can interrupt looks at: whether it should stop."""

from __future__ import annotations

from threading import Event, Lock

__all__ = ["Cancellable", "Cancellation"]

_making = Lock()


class Cancellation:
    """Tells a handler that its work is no longer wanted; read like a ``threading.Event``, and free until waited for."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: Event | None = None

    def is_set(self) -> bool:
        """Whether to stop: the time is over, the job is no longer ours, or its worker stops and waits no longer."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is time to stop, at most so many seconds; whether it is.

        It blocks its thread, so within an ``async def`` it is no good: there the cancellation comes by itself.
        """
        with _making:
            event = self._event = self._event or Event()
        # Whoever sets it does so before looking for somebody to wake.
        return self._is_set or event.wait(timeout)

    def set(self) -> None:
        """Ask the handler to stop; workers do this, and tests of handlers may."""
        self._is_set = True
        if self._event is not None:
            self._event.set()


class Cancellable:
    """Has a :class:`Cancellation`, made when it is first asked for, and no part of the value: it is not compared, nor
    copied or pickled.
    """

    __slots__ = ("_cancellation",)

    _cancellation: Cancellation

    @property
    def cancelled(self) -> Cancellation:
        """Set when the handler should stop, for those that cannot be interrupted: plain functions look at it now and
        then, or sleep by ``job.cancelled.wait(seconds)``.
        """
        try:
            return self._cancellation
        except AttributeError:
            pass
        with _making:
            if not hasattr(self, "_cancellation"):
                object.__setattr__(self, "_cancellation", Cancellation())
        return self._cancellation
