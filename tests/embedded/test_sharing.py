"""Several processes, one server: it is there while anyone needs it, and gone soon after, however they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pgboss import embedded
from support.embedded_client import EmbeddedClient, is_free, is_ready
from support.eventually import eventually_sync
from support.postgres import sql_value

START_TIME = "SELECT pg_postmaster_start_time()"


@contextmanager
def racing(count: int, root: Path, user: str | None) -> Iterator[list[EmbeddedClient]]:
    with ExitStack() as stack:
        yield [stack.enter_context(EmbeddedClient(root, user=user)) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_racing_starters_share_one_server_which_ends_with_the_last_of_them(root: Path, user: str | None) -> None:
    with racing(4, root, user) as clients:
        assert {client.dsn for client in clients} == {clients[0].dsn}
        log = (root / "log").read_text()
        assert log.count("starting PostgreSQL") == 1

        for client in clients[:3]:
            client.kill()
        # The same server all the time: a fifth client finds it, and it has started once.
        with EmbeddedClient(root, user=user) as fifth:
            assert fifth.dsn == clients[3].dsn
            fifth.leave()
        assert is_ready_to(root, user)
        assert (root / "log").read_text().count("starting PostgreSQL") == 1

        clients[3].kill()
    eventually_sync(lambda: is_free(root), within=5)
    assert "database system is shut down" in (root / "log").read_text()


def is_ready_to(root: Path, user: str | None) -> bool:
    """Whether a server answers; only whom it lets in can ask."""
    return is_ready(root) if user is None else not is_free(root)


@pytest.mark.slow
def test_of_several_that_leave_at_once_the_last_waits_for_the_servers_end(root: Path) -> None:
    with racing(3, root, None) as clients:
        assert len({client.dsn for client in clients}) == 1
        for client in clients:
            client.say_goodbye()
        for client in clients:
            client.leave()
        assert is_free(root)


@pytest.mark.slow
def test_a_terminated_client_ends_the_server_too(root: Path) -> None:
    with EmbeddedClient(root) as client:
        assert client.dsn
        os.kill(client.pid, signal.SIGTERM)
        eventually_sync(lambda: is_free(root), within=5)
    assert "database system is shut down" in (root / "log").read_text()


def test_a_second_start_attaches_and_the_first_to_close_leaves_the_server_running(root: Path) -> None:
    with embedded.start(root=root) as second:
        with embedded.start(root=root) as first:
            assert first.dsn == second.dsn
            started = sql_value(first.dsn, START_TIME)
        assert sql_value(second.dsn, START_TIME) == started
    assert is_free(root)


def test_closing_twice_is_closing_once(root: Path) -> None:
    server = embedded.start(root=root)
    server.close()
    server.close()
    assert is_free(root)
    assert "(closed)" in repr(server)


FORKING = """
import os, sys
from pgboss import embedded
server = embedded.start(root=sys.argv[1])
if os.fork():
    server.close()
else:
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_forked_process_holds_the_server_as_well(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", FORKING, str(root)], stdin=subprocess.PIPE) as parent:
        # It closed the server, and did not wait for an end that its child prevents.
        assert parent.wait(timeout=20) == 0
        assert is_ready(root)
        assert parent.stdin is not None
        parent.stdin.close()
        eventually_sync(lambda: is_free(root))


@pytest.mark.slow
def test_a_client_that_comes_while_the_server_stops_gets_a_new_one(root: Path) -> None:
    for _ in range(3):
        with EmbeddedClient(root) as client:
            assert client.dsn
            client.kill()
            with embedded.start(root=root) as server:
                assert sql_value(server.dsn, "SELECT 1") == 1
