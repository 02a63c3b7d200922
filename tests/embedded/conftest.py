"""Folders for servers, and who uses them."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.embedded_client import AS_ROOT, ORDINARY_USER, is_free, python_for
from support.eventually import eventually_sync

ROOM_BYTES = 512 * 1024 * 1024


def folder_for_servers() -> Path:
    """In memory where there is room and programs may be run: making a cluster takes half the time there."""
    memory = Path("/dev/shm")
    if memory.is_dir():
        status = os.statvfs(memory)
        if status.f_bavail * status.f_frsize >= ROOM_BYTES and not status.f_flag & os.ST_NOEXEC:
            return memory
    return Path("/tmp")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path that everybody may pass through (pytest's own ones are closed, and long)."""
    path = Path(tempfile.mkdtemp(prefix="test-pgboss-", dir=folder_for_servers()))
    path.chmod(0o755)
    yield path
    for lock in path.glob("**/server.lock"):
        eventually_sync(partial(is_free, lock.parent), within=20)
    shutil.rmtree(path)


@pytest.fixture
def root(place: Path) -> Path:
    """A server's folder, which is not there yet."""
    return place / "server"


@pytest.fixture(params=["ourselves", "ordinary user"])
def user(request: pytest.FixtureRequest, place: Path) -> str | None:
    """Who starts servers in a test that runs twice: we, and an ordinary user when we are root."""
    if request.param == "ourselves":
        return None
    if not AS_ROOT:
        pytest.skip("the suite runs as an ordinary user already")
    if not python_for(ORDINARY_USER):
        pytest.skip(f"no Python that the user {ORDINARY_USER} can run finds this package")
    os.chown(place, pwd.getpwnam(ORDINARY_USER).pw_uid, -1)
    return ORDINARY_USER
