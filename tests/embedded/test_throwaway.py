"""A server for one test run: fast, alone, and gone without a trace."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from pgboss import embedded
from pgboss.embedded import throwaways
from pgboss.embedded.folder import ServerFolder
from pgboss.embedded.supervisor import STOP_SECONDS
from pgboss.embedded.throwaways import MEMORY, ROOM_IN_MEMORY_BYTES, make_throwaway_folder, sweep
from pgboss.errors import EmbeddedServerError
from support.embedded_client import EmbeddedClient, postmaster_pid
from support.eventually import eventually_sync
from support.postgres import sql_value


@pytest.fixture
def on_disk(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes throwaway servers live in a folder that only this test uses, as on a machine without room in memory."""
    folder = place / "temporary"
    folder.mkdir()
    monkeypatch.setattr(throwaways, "MEMORY", place / "missing")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def folder_held_by(client: EmbeddedClient, temporary: Path) -> Path | None:
    """The folder of the throwaway server that a process is starting, when initdb has begun in it."""
    held = list(temporary.glob("*/clients.lock"))
    if sys.platform == "linux":
        for link in Path(f"/proc/{client.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since the listing
                held.append(Path(os.readlink(link)))
    roots = [path.parent for path in held if path.name == "clients.lock"]
    return roots[0] if roots and (roots[0] / "data.new").exists() else None


def test_it_answers_and_leaves_nothing_behind() -> None:
    with embedded.throwaway() as server:
        root = server.data_dir.parent
        assert sql_value(server.dsn, "SELECT 1") == 1
        assert sql_value(server.dsn, "SHOW fsync") == "off"
        assert sql_value(server.dsn, "SHOW dynamic_shared_memory_type") == "mmap"
        assert sql_value(server.create_database("copy", template="template0"), "SELECT current_database()") == "copy"
    assert not root.exists()


def test_settings_win_over_the_fast_defaults_but_not_over_who_gets_in() -> None:
    wishes = {"autovacuum": "on", "work_mem": "7MB", "listen_addresses": "*"}
    with embedded.throwaway(settings=wishes) as server:
        assert sql_value(server.dsn, "SHOW autovacuum") == "on"
        assert sql_value(server.dsn, "SHOW work_mem") == "7MB"
        assert sql_value(server.dsn, "SHOW listen_addresses") == ""


def test_it_lives_in_memory_where_there_is_room() -> None:
    with embedded.throwaway() as server:
        status = os.statvfs(MEMORY) if MEMORY.is_dir() else None
        roomy = status is not None and status.f_bavail * status.f_frsize >= ROOM_IN_MEMORY_BYTES
        assert server.data_dir.is_relative_to(MEMORY if roomy else Path(tempfile.gettempdir()))


def test_without_room_in_memory_it_lives_with_the_temporary_files(
    on_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So deep that the socket must go elsewhere: it too is cleared away.
    deep = on_disk / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with embedded.throwaway() as server:
        assert server.data_dir.is_relative_to(deep)
        assert sql_value(server.dsn, "SELECT 1") == 1
        sockets = server.socket_dir
        assert not sockets.is_relative_to(server.data_dir.parent)
    assert not sockets.exists()
    assert list(deep.iterdir()) == []


def test_one_that_does_not_start_says_why_and_leaves_nothing_behind(on_disk: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"(?s)did not start.*no_such_setting"):
        embedded.throwaway(settings={"no_such_setting": "on"})
    assert list(on_disk.iterdir()) == []


def test_one_that_cannot_be_tried_leaves_nothing_behind(place: Path, on_disk: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="does not hold the programs"):
        embedded.throwaway(postgres_bin=place)
    assert list(on_disk.iterdir()) == []


@pytest.mark.slow
def test_kill_9_leaves_nothing_behind(user: str | None) -> None:
    with EmbeddedClient(None, user=user) as client:
        root = Path(client.greeting["root"])
        assert root.exists()
        client.kill()
    eventually_sync(lambda: not root.exists())


@pytest.mark.slow
@pytest.mark.parametrize("in_background", [False, True], ids=["in the foreground", "in the background"])
def test_kill_9_before_the_server_is_up_leaves_nothing_behind(place: Path, in_background: bool) -> None:
    with EmbeddedClient(None, environment={"TMPDIR": str(place)}, in_background=in_background) as client:
        root = eventually_sync(lambda: folder_held_by(client, place))
        client.kill()
    # First initdb ends, which takes its time beside other tests; a stop that was not heard would be said again later.
    eventually_sync(lambda: not root.exists(), within=STOP_SECONDS - 5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory map from /proc")
def test_a_killed_server_leaves_nothing_behind() -> None:
    with embedded.throwaway() as server:
        root = server.data_dir.parent
        postmaster = postmaster_pid(root)
        # A segment in the machine's shared memory would outlive a server that is killed.
        assert "/dev/shm/PostgreSQL." not in Path(f"/proc/{postmaster}/maps").read_text()
        os.kill(postmaster, signal.SIGKILL)
        eventually_sync(lambda: not root.exists())


def test_what_a_killed_supervisor_left_is_swept_and_what_is_in_use_is_not(place: Path, on_disk: Path) -> None:
    abandoned = ServerFolder(on_disk / f"{throwaways.PREFIX}abandoned")
    abandoned.data.mkdir(parents=True)
    sockets = place / "sockets"
    sockets.mkdir()
    (abandoned.root / "s").symlink_to(sockets)
    unrelated = on_disk / "pgboss-other"
    unrelated.mkdir()

    used, reference = make_throwaway_folder()
    try:
        sweep(on_disk)
        assert {path.name for path in on_disk.iterdir()} == {"pgboss-other", used.root.name}
        assert not sockets.exists()
    finally:
        os.close(reference)
    sweep(on_disk)
    assert [path.name for path in on_disk.iterdir()] == ["pgboss-other"]
