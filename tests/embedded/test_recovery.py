"""What is left behind by kill -9, a full disk or another machine never blocks a start and never hurts a stranger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgboss import embedded
from pgboss.embedded.account import choose_account
from pgboss.embedded.binaries import find_binaries
from pgboss.errors import EmbeddedServerError
from support.embedded_client import AS_ROOT, EmbeddedClient, is_free, is_ready, postmaster_pid
from support.eventually import eventually_sync
from support.postgres import sql, sql_value

pytestmark = pytest.mark.slow

LEFTOVER = "{pid}\n{data}\n1700000000\n5432\n{sockets}\n\n  1234567    9999999\nready\n"


@contextmanager
def stranger(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A living process that has nothing to do with any server, but runs as the same user."""
    # PostgreSQL would see through the pid of another user's process by itself.
    owner = (root / "data").stat().st_uid
    with subprocess.Popen(
        ["/bin/sh", "-c", "read line"],
        stdin=subprocess.PIPE,
        user=owner if AS_ROOT else None,
        extra_groups=[] if AS_ROOT else None,
    ) as process:
        yield process
        process.kill()


def leave_pid_file(root: Path, text: str) -> None:
    file = root / "data" / "postmaster.pid"
    file.write_text(text)
    owner = file.parent.stat()
    os.chown(file, owner.st_uid, owner.st_gid)
    file.chmod(0o600)


def test_after_a_killed_postmaster_the_next_client_starts_the_server_again(root: Path) -> None:
    with EmbeddedClient(root) as client:
        sql(client.dsn, "CREATE TABLE kept (value int)")
        sql(client.dsn, "INSERT INTO kept VALUES (42)")
        os.kill(postmaster_pid(root), signal.SIGKILL)
        # At once, while what is left of the old server may still be ending, and though its client still lives.
        with embedded.start(root=root) as server:
            assert sql_value(server.dsn, "SELECT value FROM kept") == 42
        assert is_ready(root), "the first client holds the new server as well"
    eventually_sync(lambda: is_free(root))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_killed_supervisor_takes_the_server_down_cleanly(root: Path) -> None:
    with embedded.start(root=root):
        status = Path(f"/proc/{postmaster_pid(root)}/status").read_text()
        supervisor = int(status.split("PPid:")[1].split()[0])
        os.kill(supervisor, signal.SIGKILL)
        eventually_sync(lambda: is_free(root), within=10)
        assert "database system is shut down" in (root / "log").read_text()
        with embedded.start(root=root) as again:
            assert sql_value(again.dsn, "SELECT 1") == 1


def test_a_pid_file_that_names_a_stranger_is_no_obstacle_and_the_stranger_lives(root: Path) -> None:
    with embedded.start(root=root):
        pass
    with stranger(root) as process:
        leave_pid_file(root, LEFTOVER.format(pid=process.pid, data=root / "data", sockets=root / "s"))
        with embedded.start(root=root) as server:
            assert sql_value(server.dsn, "SELECT 1") == 1
            assert postmaster_pid(root) != process.pid
        assert process.poll() is None


def test_a_server_on_the_same_data_that_we_did_not_start_is_left_alone(root: Path) -> None:
    with embedded.start(root=root) as server:
        programs = find_binaries(None, choose_account(None, server.data_dir), runtimes=root / "unused")
    sockets = root / "s"
    owner = (root / "data").stat().st_uid
    command: list[str | Path] = [
        programs.postgres,
        "-D",
        root / "data",
        "-k",
        sockets,
        "-p",
        "5433",
        "-c",
        "listen_addresses=",
    ]
    with (
        (root / "log").open("ab") as log,
        subprocess.Popen(
            command,
            cwd="/",
            stderr=log,
            user=owner if AS_ROOT else None,
            extra_groups=[] if AS_ROOT else None,
        ) as other,
    ):
        eventually_sync((sockets / ".s.PGSQL.5433").exists)
        with pytest.raises(EmbeddedServerError, match="pre-existing shared memory block"):
            embedded.start(root=root)
        assert other.poll() is None
        other.terminate()
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1


@pytest.mark.parametrize("text", ["", "\n", "no number\n"], ids=["empty", "blank", "garbage"])
def test_a_pid_file_without_a_pid_is_no_obstacle(root: Path, text: str) -> None:
    with embedded.start(root=root):
        pass
    leave_pid_file(root, text)
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1


def test_a_starter_killed_while_the_cluster_is_made_leaves_no_half_cluster(root: Path) -> None:
    with EmbeddedClient(root) as client:
        eventually_sync((root / "data.new").exists)
        client.kill()
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1
    assert not (root / "data.new").exists()


def test_the_remains_of_a_broken_initdb_are_cleared_away(root: Path) -> None:
    (root / "data.new" / "base").mkdir(parents=True)
    root.chmod(0o755)
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1
    assert not (root / "data.new").exists()
