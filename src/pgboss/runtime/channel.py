"""Messages between processes of ours: pickles of plain values, each with its length before it."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

__all__ = ["LENGTH_BYTES", "Channel", "end_now", "framed", "unframed"]

LENGTH_BYTES = 8


def framed(message: object) -> bytes:
    """A message as it is sent."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(LENGTH_BYTES) + body


def unframed(body: bytes) -> Any:
    """The message within; both ends are the same program, so what comes is trusted."""
    return pickle.loads(body)  # noqa: S301  from the process that we started, or that started us


class Channel:
    """The spawned process's end: it sends from any thread, and hears in a thread of its own."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._sending = threading.Lock()

    def send(self, message: object) -> None:
        """Send a message, and wait until it is on its way.

        Raises:
            OSError: nobody is there any more.
        """
        frame = framed(message)
        with self._sending:
            self._socket.sendall(frame)

    def receive(self) -> Any:
        """Wait for the next message.

        Raises:
            EOFError: the other process has ended, or closed its end.
        """
        return unframed(self._exactly(int.from_bytes(self._exactly(LENGTH_BYTES))))

    def listen(self, on_message: Callable[[Any], None]) -> None:
        """Call back, from a thread, with each message; the end of the other process is the end of this one."""
        threading.Thread(target=self._listen, args=(on_message,), name="pgboss-channel", daemon=True).start()

    def _listen(self, on_message: Callable[[Any], None]) -> None:
        while True:
            try:
                message = self.receive()
            except (EOFError, OSError):
                end_now()
            on_message(message)

    def _exactly(self, count: int) -> bytes:
        received = bytearray(count)
        view = memoryview(received)
        while view:
            size = self._socket.recv_into(view)
            if not size:
                raise EOFError
            view = view[size:]
        return bytes(received)


def end_now() -> NoReturn:
    """End this process, and whatever it has started in its session, without another word."""
    with suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
