"""The folder of one server: what lies where, and how it is made without touching anything that was there before."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pgboss.embedded.account import Account
from pgboss.errors import EmbeddedServerError
from pgboss.settings import load_settings

__all__ = ["PORT", "ServerFolder", "data_home", "make_folder", "persistent_root", "remove_tree"]

PORT = 5432
"""No port is opened; the number is part of the socket's file name, and clients look for this one by themselves."""

SOCKET_NAME = f".s.PGSQL.{PORT}"
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
PRIVATE_PREFIX = "pgboss-socket-"
_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def data_home() -> Path:
    """Where embedded servers live: ``PGBOSS_DATA_DIR``, or a folder of this user's, or of the machine's for root.

    Raises:
        EmbeddedServerError: nothing says where, for the user has no home.
    """
    configured = load_settings().pgboss_data_dir
    if configured:
        return Path(configured).expanduser().absolute()
    if os.geteuid() == 0:
        # Not root's home: that one is closed to the user PostgreSQL runs as.
        return Path("/var/lib/pgboss")
    xdg = Path(os.environ.get("XDG_DATA_HOME", ""))
    if xdg.is_absolute():
        return xdg / "pgboss"
    try:
        return Path.home() / ".local" / "share" / "pgboss"
    except RuntimeError as error:
        raise EmbeddedServerError(
            "This user has no home folder to keep the server's data in. Name a folder by PGBOSS_DATA_DIR."
        ) from error


def persistent_root(name: str) -> Path:
    """The folder of the server with this name.

    Raises:
        EmbeddedServerError: the name would not do as a folder's name.
    """
    if not _SERVER_NAME.fullmatch(name):
        raise EmbeddedServerError(
            f"The server name {name!r} may hold only letters, digits, underscores, hyphens and periods, "
            "and starts with a letter or a digit."
        )
    return data_home() / "postgres" / name


def make_folder(path: Path) -> None:
    """Make a folder and the missing ones above it; what exists keeps its mode.

    As root they may be passed through by everybody (0711), for PostgreSQL runs as somebody else; otherwise 0700.

    Raises:
        EmbeddedServerError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        for folder in reversed(missing):
            try:
                folder.mkdir(mode)
            except FileExistsError:
                continue
            # Only on what we have made ourselves this moment: a strict umask would close it to PostgreSQL's user.
            folder.chmod(mode)
    except OSError as error:
        raise EmbeddedServerError(f"The folder {path} for the server cannot be made: {error}.") from error
    if not path.is_dir():
        raise EmbeddedServerError(f"{path} is not a folder; the server needs one of its own.")


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """The paths of one server's folder; see the package's docstring for what each is for."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def new_data(self) -> Path:
        """Where initdb works; renamed to ``data`` when it is done, so that ``data`` is always a whole cluster."""
        return self.root / "data.new"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def host_rules(self) -> Path:
        """PostgreSQL's ``pg_hba.conf``; here and not in ``data``, where PostgreSQL's own user could change it."""
        return self.root / "pg_hba.conf"

    @property
    def user_map(self) -> Path:
        """PostgreSQL's ``pg_ident.conf``."""
        return self.root / "pg_ident.conf"

    @property
    def clients_lock(self) -> Path:
        return self.root / "clients.lock"

    @property
    def server_lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def closing_lock(self) -> Path:
        return self.root / "closing.lock"

    @property
    def _sockets(self) -> Path:
        return self.root / "s"

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket: inside this one, or a private one that the link ``s`` names."""
        try:
            return Path(os.readlink(self._sockets))
        except OSError:  # it is no link, or not there yet
            return self._sockets

    @property
    def socket(self) -> Path:
        return self.socket_dir / SOCKET_NAME

    @property
    def private_socket_dir(self) -> Path | None:
        """The socket's folder when it lies outside this one, and has to be removed by itself."""
        return self.socket_dir if self._sockets.is_symlink() else None

    def major(self) -> str | None:
        """The major version of the cluster in here, such as ``18``; ``None`` when there is none yet."""
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return None

    def prepare_sockets(self, account: Account) -> None:
        """Make the socket's folder, for this account alone. Only the holder of the server's lock may call this."""
        if self._sockets.is_symlink() and not _is_private(self.socket_dir, account):
            # A cleaner of /tmp took it away, or it is no longer ours.
            self._sockets.unlink()
        if not self._sockets.exists():
            if _is_usable(self._sockets):
                self._sockets.mkdir(0o700)
            else:
                self._sockets.symlink_to(_make_private_dir())
        if account.dropped:
            os.chown(self.socket_dir, account.uid, account.gid)

    def require_open_to(self, account: Account) -> None:
        """Make sure that the account can pass through to this folder.

        Raises:
            EmbeddedServerError: it cannot; names the folder that is closed.
        """
        if not account.dropped:
            return
        # Asked of the kernel, by trying: mode bits do not tell the whole truth where access lists are in use.
        attempt = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(self.root)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **account.drop_options(),
        )
        if attempt.returncode != 0:
            closed = _first_closed(self.root, account)
            raise EmbeddedServerError(
                f"PostgreSQL runs as {account.name!r} here, because this process is root, and that user cannot pass "
                f"through {closed} to {self.root}. Choose another folder (PGBOSS_DATA_DIR), "
                f"or open that one yourself: chmod o+x {closed}"
            )


def remove_tree(path: Path) -> None:
    """Remove a folder of ours, whatever of it is left."""
    shutil.rmtree(path, ignore_errors=True)


def _is_usable(socket_dir: Path) -> bool:
    # libpq takes what stands after a comma for another host.
    return len(os.fsencode(socket_dir / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES and "," not in str(socket_dir)


def _make_private_dir() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a folder of its own in it, 0700
        private = Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX, dir=parent))
        if _is_usable(private):
            return private
        private.rmdir()
    raise EmbeddedServerError(
        f"There is no folder with a path short enough for a Unix socket ({MAX_SOCKET_PATH_BYTES} bytes)."
    )


def _is_private(path: Path, account: Account) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    ours = status.st_uid in (account.uid, os.geteuid())
    return stat.S_ISDIR(status.st_mode) and ours and stat.S_IMODE(status.st_mode) == 0o700


def _first_closed(path: Path, account: Account) -> Path:
    for folder in (*reversed(path.parents), path):
        status = folder.stat()
        if status.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return folder
    return path
