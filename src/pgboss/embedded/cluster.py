"""How a cluster is made and configured: initdb's arguments, the server's settings, and who may connect."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pgboss.embedded.account import current_account
from pgboss.embedded.binaries import Binaries
from pgboss.embedded.folder import PORT, ServerFolder

__all__ = ["SUPERUSER", "THROWAWAY_SETTINGS", "initdb_arguments", "server_arguments", "write_access_rules"]

SUPERUSER = "postgres"
MAP = "embedded"

THROWAWAY_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    # Files in the data directory, so that a killed server leaves none in the machine's shared memory.
    "dynamic_shared_memory_type": "mmap",
    # The data may live in memory: keep the log of a heavy run from filling it.
    "min_wal_size": "8MB",
    "max_wal_size": "96MB",
}
"""Fast and forgetful: right for data that nobody misses after a crash."""


def initdb_arguments(binaries: Binaries, folder: ServerFolder, *, throwaway: bool) -> list[str]:
    """The command that makes an empty cluster in UTF-8 with byte order collation."""
    arguments = [
        str(binaries.initdb),
        f"--pgdata={folder.new_data}",
        f"--username={SUPERUSER}",
        "--auth-local=peer",
        "--auth-host=reject",
        "--encoding=UTF8",
        *_locale(),
    ]
    if binaries.major >= 14:
        arguments.append("--no-instructions")
    if throwaway:
        arguments += ["--no-sync", "--wal-segsize=1"]
    return arguments


def server_arguments(binaries: Binaries, folder: ServerFolder, settings: Mapping[str, str]) -> list[str]:
    """The command that runs the server: on a Unix socket only, with our rules and these settings."""
    ours = {
        "port": str(PORT),
        "listen_addresses": "",
        "unix_socket_directories": _as_list_element(folder.socket_dir),
        "unix_socket_permissions": "0700",
        "hba_file": str(folder.host_rules),
        "ident_file": str(folder.user_map),
        "logging_collector": "off",
    }
    arguments = [str(binaries.postgres), "-D", str(folder.data)]
    for name, value in {**settings, **ours}.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments


def write_access_rules(folder: ServerFolder) -> None:
    """Let the user of this process in as the superuser, and nobody else; the kernel vouches for who it is."""
    _replace(folder.host_rules, f"local all all peer map={MAP}\n")
    _replace(folder.user_map, f'{MAP} "{current_account().name}" {SUPERUSER}\n')


def _locale() -> list[str]:
    # macOS has no C.UTF-8; there the character classes are called UTF-8 and all the rest is C.
    return ["--locale=C", "--lc-ctype=UTF-8"] if sys.platform == "darwin" else ["--locale=C.UTF-8"]


def _as_list_element(path: Path) -> str:
    # The setting is a list: a comma or a space in the path would end the element.
    return '"' + str(path).replace('"', '""') + '"'


def _replace(path: Path, text: str) -> None:
    # Written beside and renamed, so that a starting server never reads half of it, and no link is followed.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        # Not secret; PostgreSQL reads it as another user when we are root.
        os.fchmod(file.fileno(), 0o644)
    Path(temporary).replace(path)
