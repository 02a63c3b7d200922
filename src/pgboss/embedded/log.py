"""The server's log: put aside when it has grown long, and read from where an attempt to start began."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

__all__ = ["ServerLog"]

MAX_BYTES = 8 * 1024 * 1024
TAIL_LINES = 15


class ServerLog:
    """The open log, whose :meth:`tail` holds what was written since it was opened.

    It stays readable when its file is removed, as a throwaway server's is when the server has failed. Its
    ``descriptor`` is where the server and its supervisor write.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_name(f"{path.name}.old"))
        # Root may be asked to use another user's folder, and must not be led elsewhere by a link planted in it.
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._beginning = os.fstat(self.descriptor).st_size

    def tail(self) -> str:
        """The last lines since this was opened."""
        written = os.fstat(self.descriptor).st_size - self._beginning
        text = os.pread(self.descriptor, written, self._beginning).decode(errors="replace")
        return "\n".join(text.splitlines()[-TAIL_LINES:]) or "(nothing)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
