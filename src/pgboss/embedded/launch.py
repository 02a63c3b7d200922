"""Reach a server: attach to the one that runs, or start it, in a race with others that want the same.

Nobody decides by looking and then acting. Whoever gets the server's lock starts the server; everybody else waits
until it answers, or until the lock falls free again because the start failed, and then has a try of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pgboss.embedded import supervisor
from pgboss.embedded.account import Account, choose_account
from pgboss.embedded.binaries import Binaries, find_binaries
from pgboss.embedded.cluster import initdb_arguments, server_arguments, write_access_rules
from pgboss.embedded.folder import ServerFolder, data_home
from pgboss.embedded.locks import (
    POLL_SECONDS,
    open_lock,
    try_alone,
    try_shared,
    unlock,
    wait_alone,
    wait_shared,
)
from pgboss.embedded.log import ServerLog
from pgboss.embedded.probe import Answer, State, probe
from pgboss.errors import EmbeddedServerError

__all__ = ["Order", "leave", "reach", "take_reference"]

SILENCE_SECONDS = 120
"""How long a starting server may give no sign of life; one that says it is recovering has all the time it needs."""

STOPPING_SECONDS = supervisor.STOP_SECONDS + 30
"""How long a server that others have left may take to stop."""

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "ICU_DATA", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Order:
    """What to start when no server runs; means nothing when one does."""

    postgres_bin: str | os.PathLike[str] | None = None
    user: str | None = None
    throwaway: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


def take_reference(folder: ServerFolder) -> int:
    """Become a client: as long as the returned descriptor is open, here or in a forked child, the server stays.

    Raises:
        EmbeddedServerError: the folder is closed to us, or the server is being stopped and does not end.
    """
    try:
        descriptor = open_lock(folder.clients_lock)
    except OSError as error:
        raise EmbeddedServerError(
            f"The server's folder {folder.root} cannot be used by this user: {error}. "
            "Name another one, for example by PGBOSS_DATA_DIR."
        ) from error
    if wait_shared(descriptor, seconds=STOPPING_SECONDS):
        return descriptor
    os.close(descriptor)
    raise EmbeddedServerError(
        f"The server in {folder.root} is being stopped and has not ended for {STOPPING_SECONDS} s; see {folder.log}."
    )


def reach(folder: ServerFolder, order: Order) -> str:
    """Wait for the server, starting it when nobody has, and return its version. Needs a reference taken before.

    Raises:
        EmbeddedServerError: it cannot be started, or does not answer.
    """
    with ExitStack() as opened:
        log: ServerLog | None = None
        deadline = time.monotonic() + SILENCE_SECONDS
        while (answer := probe(folder.socket)).state is not State.READY:
            if log is None:
                log = _start_unless_held(folder, order, opened)
            elif not _is_held(folder):
                raise EmbeddedServerError(
                    f"PostgreSQL did not start in {folder.root}. The end of its log says:\n{log.tail()}"
                )
            if answer.state is State.STARTING:
                deadline = time.monotonic() + SILENCE_SECONDS
            _check_deadline(folder, deadline)
            time.sleep(POLL_SECONDS)
    return _version(folder, answer)


def leave(folder: ServerFolder, reference: int) -> None:
    """Give the reference back; when it was the last one, wait until the server has ended.

    Raises:
        EmbeddedServerError: it was the last one, and the server does not end.
    """
    with ExitStack() as opened:
        try:
            # Opened while the folder is there: a throwaway server's goes away with it, and open files stay usable.
            closing, clients, server = (
                _opened(opened, path) for path in (folder.closing_lock, folder.clients_lock, folder.server_lock)
            )
            # One at a time: our looks at the clients' lock below would pass for a client to others who look.
            wait_alone(closing)
        except FileNotFoundError:
            # Somebody has removed the folder under the server; there is nothing to wait for.
            return
        finally:
            os.close(reference)
        deadline = time.monotonic() + STOPPING_SECONDS
        while not try_alone(server) and not _has_clients(clients):
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"The server in {folder.root} does not stop; see {folder.log}.")
            time.sleep(POLL_SECONDS)


def _opened(stack: ExitStack, path: Path) -> int:
    descriptor = open_lock(path)
    stack.callback(os.close, descriptor)
    return descriptor


def _has_clients(clients: int) -> bool:
    if not try_shared(clients):
        # The supervisor has it for itself, and is stopping the server.
        return False
    try:
        return not try_alone(clients)
    finally:
        unlock(clients)


def _is_held(folder: ServerFolder) -> bool:
    try:
        lock = open_lock(folder.server_lock)
    except FileNotFoundError:
        # A throwaway server's supervisor has ended, and has taken the folder with it.
        return False
    try:
        return not try_alone(lock)
    finally:
        os.close(lock)


def _start_unless_held(folder: ServerFolder, order: Order, opened: ExitStack) -> ServerLog | None:
    """Start the server if nobody holds its lock; returns the log of this attempt if so."""
    try:
        lock = open_lock(folder.server_lock)
        try:
            if not try_alone(lock):
                return None
            log = opened.enter_context(ServerLog(folder.log))
            _start(folder, order, lock, log)
            return log
        finally:
            # The supervisor has its copy, and with it the lock, now.
            os.close(lock)
    except OSError as error:
        raise EmbeddedServerError(f"The server in {folder.root} cannot be started: {error}.") from error


def _start(folder: ServerFolder, order: Order, lock: int, log: ServerLog) -> None:
    account = choose_account(order.user, folder.data)
    folder.require_open_to(account)
    binaries = find_binaries(order.postgres_bin, account, runtimes=data_home() / "runtime")
    _require_same_major(folder, binaries)
    write_access_rules(folder)
    folder.prepare_sockets(account)
    _spawn_supervisor(_plan(folder, order, account, binaries, lock), log)


def _plan(folder: ServerFolder, order: Order, account: Account, binaries: Binaries, lock: int) -> supervisor.Plan:
    private = folder.private_socket_dir
    return supervisor.Plan(
        lock=lock,
        clients_lock=str(folder.clients_lock),
        root=str(folder.root),
        data=str(folder.data),
        new_data=str(folder.new_data),
        socket=str(folder.socket),
        initdb=initdb_arguments(binaries, folder, throwaway=order.throwaway),
        server=server_arguments(binaries, folder, order.settings),
        user=account.uid if account.dropped else None,
        group=account.gid if account.dropped else None,
        immediate=order.throwaway,
        remove=[str(path) for path in (private, folder.root if order.throwaway else None) if path is not None],
    )


def _spawn_supervisor(plan: supervisor.Plan, log: ServerLog) -> None:
    if not sys.executable:
        raise EmbeddedServerError("This Python does not know its own program, so it cannot start the supervisor.")
    # Nothing of our environment but what programs need to run: a server keeps no copy of its starter's secrets.
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"TZ": "UTC"}
    try:
        subprocess.run(
            [sys.executable, "-I", "-S", supervisor.__file__, plan["root"]],
            input=json.dumps(plan).encode(),
            stdout=log.descriptor,
            stderr=log.descriptor,
            cwd="/",
            env=environment,
            pass_fds=(plan["lock"],),
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(f"The server's supervisor could not be started: {error}.") from error


def _require_same_major(folder: ServerFolder, binaries: Binaries) -> None:
    major = folder.major()
    if major is not None and major != str(binaries.major):
        raise EmbeddedServerError(
            f"The data in {folder.data} were made by PostgreSQL {major}, and the programs in {binaries.folder} are "
            f"{binaries.version}. Name the programs of {major} by PGBOSS_POSTGRES_BIN, or move the data over with "
            "pg_dump or pg_upgrade, or use another folder."
        )


def _check_deadline(folder: ServerFolder, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise EmbeddedServerError(
            f"The server in {folder.root} is held by a running process and has not answered for {SILENCE_SECONDS} s; "
            f"see {folder.log}."
        )


def _version(folder: ServerFolder, answer: Answer) -> str:
    # A server whose connections are all taken is ready, but says no more than that.
    return answer.version or folder.major() or ""
