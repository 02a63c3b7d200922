"""A server by name: where it lives, that it keeps its data, and what it says when it cannot be had."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from pgboss import embedded
from pgboss.embedded.folder import persistent_root
from pgboss.errors import EmbeddedServerError
from support.embedded_client import AS_ROOT, is_free
from support.postgres import sql, sql_value


def test_data_stay_when_the_server_stops(root: Path) -> None:
    with embedded.start(root=root) as server:
        sql(server.dsn, "CREATE TABLE kept (value int)")
        sql(server.dsn, "INSERT INTO kept VALUES (42)")
    assert is_free(root)
    with embedded.start(root=root) as server:
        assert sql_value(server.dsn, "SELECT value FROM kept") == 42
        assert sql_value(server.dsn, "SHOW fsync") == "on"


def test_the_server_tells_where_it_is(root: Path) -> None:
    with embedded.start(root=root, database="shop") as server:
        assert server.data_dir == root / "data"
        assert server.socket_dir == root / "s"
        assert server.log_path.read_text()
        assert server.dsn == f"postgresql://postgres@/shop?host={root}/s&port=5432"
        assert sql_value(server.dsn, "SELECT current_database()") == "shop"
        assert sql_value(server.dsn, "SHOW server_version").startswith(server.version)
        assert sql_value(server.dsn, "SHOW listen_addresses") == ""
        assert sql_value(server.dsn, "SHOW server_encoding") == "UTF8"
        assert sql_value(server.dsn, "SHOW timezone") in ("UTC", "Etc/UTC")
        assert sql_value(server.dsn, "SELECT upper('é')") == "É"


def test_a_name_is_a_folder_below_the_data_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGBOSS_DATA_DIR", str(place / "data"))
    with embedded.start("shop") as server:
        assert server.data_dir == place / "data" / "postgres" / "shop" / "data"


def test_without_a_data_folder_it_is_the_users_or_for_root_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGBOSS_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    users = tmp_path / "pgboss" / "postgres" / "default"
    assert persistent_root("default") == (Path("/var/lib/pgboss/postgres/default") if AS_ROOT else users)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "é"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(EmbeddedServerError, match="may hold only letters"):
        embedded.start(name)


@pytest.mark.parametrize(
    "name", ["long-" + "x" * 120, "with space, comma & 'quotes\"", "per%cent+plus?ünder#"], ids=["long", "odd", "url"]
)
def test_any_path_will_do(place: Path, name: str) -> None:
    with embedded.start(root=place / name) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1
        sockets = server.socket_dir
        assert sockets.stat().st_mode & 0o777 == 0o700
        with embedded.start(root=place / name) as attached:
            assert attached.dsn == server.dsn
    assert sockets.is_relative_to(place) or not sockets.exists(), "a socket folder elsewhere goes with the server"
    with embedded.start(root=place / name) as server:
        assert sql_value(server.dsn, "SELECT 1") == 1


def test_data_of_another_major_version_are_left_alone(root: Path) -> None:
    with embedded.start(root=root):
        pass
    (root / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 9.*PGBOSS_POSTGRES_BIN"):
        embedded.start(root=root)
    assert is_free(root)


def test_a_server_that_does_not_start_says_why(root: Path) -> None:
    with embedded.start(root=root):
        pass
    (root / "data" / "postgresql.conf").write_text("no_such_setting = on\n")
    with pytest.raises(EmbeddedServerError, match=r'(?s)did not start.*"no_such_setting"'):
        embedded.start(root=root)
    assert is_free(root)


def test_a_file_in_the_folders_place_is_refused(root: Path) -> None:
    root.touch()
    with pytest.raises(EmbeddedServerError, match="not a folder"):
        embedded.start(root=root)


def test_a_long_log_is_put_aside(root: Path) -> None:
    with embedded.start(root=root):
        pass
    with (root / "log").open("ab") as log:
        log.truncate(9 * 1024 * 1024)
    with embedded.start(root=root):
        assert (root / "log").stat().st_size < 1024 * 1024
        assert (root / "log.old").stat().st_size > 8 * 1024 * 1024


def test_databases_are_made_and_dropped(root: Path) -> None:
    with embedded.start(root=root) as server:
        plain = server.create_database("plain")
        sql(plain, "CREATE TABLE here (value int)")
        copy = server.create_database('a "copy"', template="plain")
        assert sql_value(copy, "SELECT count(*) FROM here") == 0
        with pytest.raises(EmbeddedServerError, match="already exists"):
            server.create_database("plain")
        with pytest.raises(EmbeddedServerError, match='template database "none" does not exist'):
            server.create_database("other", template="none")

        with psycopg.connect(copy) as session:
            server.drop_database('a "copy"')
            server.drop_database('a "copy"')
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")


@pytest.mark.node
def test_nodes_driver_takes_the_same_dsn(root: Path) -> None:
    from support.node_process import FOLDER, node_binary

    program = """
        import pg from 'pg'
        const client = new pg.Client({ connectionString: process.argv[1] })
        await client.connect()
        console.log((await client.query('SELECT current_database() AS name')).rows[0].name)
        await client.end()
    """
    with embedded.start(root=root, database="Shop & Söhne") as server:
        answer = subprocess.run(
            [node_binary(), "--input-type=module", "-e", program, server.dsn],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.stdout == "Shop & Söhne\n", answer.stderr
