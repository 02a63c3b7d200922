"""Kernel locks on files (flock): the only memory of who uses a server.

A lock belongs to the open file, not to the process: a descriptor passed to a child passes the lock on, and it is
gone when the last copy of the descriptor is closed, however its holder ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

__all__ = ["POLL_SECONDS", "open_lock", "try_alone", "try_shared", "unlock", "wait_alone", "wait_shared"]

POLL_SECONDS = 0.005


def open_lock(path: Path) -> int:
    """Open (and create) a lock file without locking it; a new descriptor is a new, independent holder."""
    # Root may be asked to use another user's folder, and must not be led elsewhere by a link planted in it.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_alone(descriptor: int) -> bool:
    """Take the lock for ourselves if nobody holds it in any way."""
    return _try(descriptor, fcntl.LOCK_EX)


def try_shared(descriptor: int) -> bool:
    """Take the lock together with other sharers, unless somebody holds it alone."""
    return _try(descriptor, fcntl.LOCK_SH)


def wait_alone(descriptor: int) -> None:
    """Take the lock for ourselves, however long that takes."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def wait_shared(descriptor: int, *, seconds: float) -> bool:
    """Take the lock shared; ``False`` when somebody still held it alone after so many seconds."""
    deadline = time.monotonic() + seconds
    while not try_shared(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def unlock(descriptor: int) -> None:
    """Let go of the lock and keep the file open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
