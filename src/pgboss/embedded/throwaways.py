"""Where throwaway servers live: in memory where there is room, and swept up when nobody could clean up after them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgboss.embedded.folder import ServerFolder, remove_tree
from pgboss.embedded.launch import take_reference
from pgboss.embedded.locks import open_lock, try_alone

__all__ = ["make_throwaway_folder", "sweep"]

MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own in it
ROOM_IN_MEMORY_BYTES = 256 * 1024 * 1024
"""Containers often have 64 MB there, which a server with a small test's data outgrows."""

PREFIX = "pgboss-throwaway-"
UNFINISHED_PREFIX = ".pgboss-new-"


def make_throwaway_folder() -> tuple[ServerFolder, int]:
    """Make a new folder for one server and take the reference to it, in one step as seen from outside."""
    place = _place()
    sweep(place)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=place))
    if os.geteuid() == 0:
        # Our own new folder: PostgreSQL's user must pass through it.
        unfinished.chmod(0o711)
    reference = take_reference(ServerFolder(unfinished))
    # Under its final name it is referenced already, so another process's sweep leaves it alone.
    folder = unfinished.rename(place / unfinished.name.replace(UNFINISHED_PREFIX, PREFIX))
    return ServerFolder(folder), reference


def sweep(place: Path) -> None:
    """Remove what servers left whose supervisor was killed, or the machine switched off, before it could."""
    for root in place.glob(f"{PREFIX}*"):
        folder = ServerFolder(root)
        try:
            if root.lstat().st_uid != os.geteuid():
                continue
            with _unused(folder) as unused:
                if unused:
                    if folder.private_socket_dir is not None:
                        remove_tree(folder.private_socket_dir)
                    remove_tree(root)
        except OSError:
            # Somebody else is removing it at this moment.
            continue


def _place() -> Path:
    return MEMORY if _has_room(MEMORY) else Path(tempfile.gettempdir())


def _has_room(place: Path) -> bool:
    try:
        status = os.statvfs(place)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK) and status.f_bavail * status.f_frsize >= ROOM_IN_MEMORY_BYTES


@contextmanager
def _unused(folder: ServerFolder) -> Iterator[bool]:
    clients = open_lock(folder.clients_lock)
    try:
        server = open_lock(folder.server_lock)
        try:
            yield try_alone(clients) and try_alone(server)
        finally:
            os.close(server)
    finally:
        os.close(clients)
