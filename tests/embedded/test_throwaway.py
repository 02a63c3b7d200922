"""A server for one test run: fast, alone, and gone without a trace."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from pgboss import embedded
from pgboss.embedded import throwaways
from pgboss.embedded.folder import ServerFolder
from pgboss.embedded.throwaways import MEMORY, ROOM_IN_MEMORY_BYTES, make_throwaway_folder, sweep
from pgboss.errors import EmbeddedServerError
from support.embedded_client import EmbeddedClient, postmaster_pid
from support.eventually import eventually_sync
from support.postgres import sql_value


def shared_memory() -> set[str]:
    """The segments that PostgreSQL servers have in the machine's shared memory now."""
    return {path.name for path in MEMORY.glob("PostgreSQL.*")}


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


def test_without_room_in_memory_it_lives_with_the_temporary_files(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaways, "MEMORY", place / "missing")
    # So deep that the socket must go elsewhere: it too is cleared away.
    deep = place / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with embedded.throwaway() as server:
        assert server.data_dir.is_relative_to(deep)
        assert sql_value(server.dsn, "SELECT 1") == 1
        sockets = server.socket_dir
        assert not sockets.is_relative_to(server.data_dir.parent)
    assert not sockets.exists()
    assert list(deep.iterdir()) == []


def test_one_that_does_not_start_says_why_and_leaves_nothing_behind() -> None:
    before = set(MEMORY.glob("pgboss-*"))
    with pytest.raises(EmbeddedServerError, match=r"(?s)did not start.*no_such_setting"):
        embedded.throwaway(settings={"no_such_setting": "on"})
    assert set(MEMORY.glob("pgboss-*")) <= before


def test_one_that_cannot_be_tried_leaves_nothing_behind(place: Path) -> None:
    before = set(MEMORY.glob("pgboss-*"))
    with pytest.raises(EmbeddedServerError, match="does not hold the programs"):
        embedded.throwaway(postgres_bin=place)
    assert set(MEMORY.glob("pgboss-*")) <= before


@pytest.mark.slow
def test_kill_9_leaves_nothing_behind(user: str | None) -> None:
    segments = shared_memory()
    with EmbeddedClient(None, user=user) as client:
        root = Path(client.greeting["root"])
        assert root.exists()
        client.kill()
    eventually_sync(lambda: not root.exists())
    assert shared_memory() <= segments


@pytest.mark.slow
def test_kill_9_before_the_server_is_up_leaves_nothing_behind(place: Path) -> None:
    with EmbeddedClient(None, environment={"TMPDIR": str(place)}) as client:
        memory = place if not MEMORY.is_dir() else MEMORY
        before = set(memory.glob("pgboss-*"))
        eventually_sync(lambda: [path for path in memory.glob("pgboss-*/data.new") if path.parent not in before])
        made = set(memory.glob("pgboss-*")) - before
        client.kill()
    eventually_sync(lambda: not any(path.exists() for path in made), within=10)


@pytest.mark.slow
def test_a_killed_server_leaves_no_shared_memory_behind() -> None:
    segments = shared_memory()
    with embedded.throwaway() as server:
        root = server.data_dir.parent
        os.kill(postmaster_pid(root), signal.SIGKILL)
        eventually_sync(lambda: not root.exists())
    assert shared_memory() <= segments


def test_what_a_killed_supervisor_left_is_swept_and_what_is_in_use_is_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throwaways, "MEMORY", place / "missing")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    abandoned = ServerFolder(place / f"{throwaways.PREFIX}abandoned")
    abandoned.data.mkdir(parents=True)
    sockets = place / "sockets"
    sockets.mkdir()
    (abandoned.root / "s").symlink_to(sockets)
    unrelated = place / "pgboss-other"
    unrelated.mkdir()

    used, reference = make_throwaway_folder()
    try:
        sweep(place)
        assert {path.name for path in place.iterdir()} == {"pgboss-other", used.root.name}
    finally:
        os.close(reference)
    sweep(place)
    assert [path.name for path in place.iterdir()] == ["pgboss-other"]
