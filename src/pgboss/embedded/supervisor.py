"""Runs one PostgreSQL and stops it when its last client is gone.

Started by file path as ``python -I -S supervisor.py ROOT`` with its plan as JSON on standard input, so it must import
nothing but the standard library, and little of that: it lives as long as the server and should cost some 12 MB.
It detaches itself at once; whoever started it waits for nothing but the detaching.

One thread acts: the main one, which waits for signals and alone starts, signals and reaps children, so that no pid can
have become somebody else's between two of its steps. A second thread only waits for the clients' lock and then says
so by a signal. Signals are blocked and taken with ``sigwait``; a handler could be missed between a look and a wait.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TypedDict

STOP_SECONDS = 30
"""How long a shutdown may take its time to end sessions and write everything before it is cut short."""

PR_SET_PDEATHSIG = 1
LAST_CLIENT_GONE = signal.SIGUSR1
STOP_SIGNALS = {LAST_CLIENT_GONE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
AWAITED = {*STOP_SIGNALS, signal.SIGCHLD, signal.SIGALRM}
SHELLS_IGNORE = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""What a shell starts in the background may inherit that the first two are ignored; ``nohup`` ignores the third."""


class Plan(TypedDict):
    """What the starter asks for; everything is resolved already, nothing is looked up here.

    ``lock`` is the descriptor of the server's lock, taken by the starter and handed on to every process of the
    server. ``user`` and ``group`` are set when the server must run as somebody else. ``remove`` lists the folders
    that go when the server has ended.
    """

    lock: int
    clients_lock: str
    root: str
    data: str
    new_data: str
    socket: str
    initdb: list[str]
    server: list[str]
    user: int | None
    group: int | None
    immediate: bool
    remove: list[str]


class InitdbError(Exception):
    """initdb failed; it has said why in the log."""


def main() -> None:
    plan: Plan = json.load(sys.stdin)
    if os.fork():
        # The starter reaps this process now, and never has a child of ours to care for.
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    for ignored in SHELLS_IGNORE:
        # Our children inherit it from us. A server would be deaf to a stop until it has set up handlers of its own.
        signal.signal(ignored, signal.SIG_DFL)
    # On BSD a signal that is ignored by default is dropped although it is awaited; a handler keeps it.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        if not os.path.isdir(plan["data"]):
            make_cluster(plan)
        supervise(run_server(plan), plan)
    except (OSError, subprocess.SubprocessError, InitdbError) as error:
        print(f"pgboss supervisor: {error}", file=sys.stderr, flush=True)  # noqa: T201 - this is the log
    finally:
        for path in plan["remove"]:
            shutil.rmtree(path, ignore_errors=True)


def make_cluster(plan: Plan) -> None:
    """Run initdb beside the final place; a killed attempt leaves nothing that looks like a cluster."""
    new_data = plan["new_data"]
    if os.path.isdir(new_data):
        shutil.rmtree(new_data)
    os.mkdir(new_data, 0o700)
    if plan["user"] is not None and plan["group"] is not None:
        os.chown(new_data, plan["user"], plan["group"])
    if start(plan, plan["initdb"]).wait() != 0:
        raise InitdbError("initdb failed")
    os.rename(new_data, plan["data"])


def run_server(plan: Plan) -> subprocess.Popen[bytes]:
    """Start the postmaster, past whatever a server that was killed has left behind."""
    # We hold the server's lock, so nothing of an older server lives and its socket is nobody's.
    for leftover in (plan["socket"], plan["socket"] + ".lock"):
        remove_file(leftover)
    return start(plan, plan["server"], stale_pid(os.path.join(plan["data"], "postmaster.pid")))


def stale_pid(path: str) -> str | None:
    """The pid in a left-over pid file; a file without one, which PostgreSQL would stumble over, is removed."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            first = file.readline().strip().lstrip("-")
    except FileNotFoundError:
        return None
    if first.isdigit():
        return first
    remove_file(path)
    return None


def start(plan: Plan, command: list[str], stranger: str | None = None) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL's as the user it has to run as, holding the server's lock."""
    environment = dict(os.environ)
    if stranger is not None:
        # PostgreSQL takes a living process of that pid for a running server, unless it is its own grandparent: so we
        # say that it is. Should it be a server after all, started by hand, its shared memory gives it away still.
        environment["PG_GRANDPARENT_PID"] = stranger
    supervisor = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if prctl is not None:
            # Follows the thread that forked, which is the main one and ends last.
            prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))
            if os.getppid() != supervisor:
                os._exit(1)

    return subprocess.Popen(
        command,
        cwd=plan["root"],
        env=environment,
        stdin=subprocess.DEVNULL,
        pass_fds=(plan["lock"],),
        preexec_fn=in_child,  # noqa: PLW1509 - safe: the second thread is started after the last child
        user=plan["user"],
        group=plan["group"],
        extra_groups=None if plan["user"] is None else [],
        umask=0o077,
    )


def supervise(server: subprocess.Popen[bytes], plan: Plan) -> None:
    """Wait for the server's end, and bring it about when nobody needs it any more or we are told to."""
    threading.Thread(target=await_last_client, args=(plan["clients_lock"],), daemon=True).start()
    while server.poll() is None:
        received = signal.sigwait(AWAITED)
        if received in STOP_SIGNALS:
            server.send_signal(signal.SIGQUIT if plan["immediate"] else signal.SIGINT)
            signal.alarm(STOP_SECONDS)
        elif received == signal.SIGALRM:
            # Loses nothing: the next start recovers from the log.
            server.send_signal(signal.SIGQUIT)


def await_last_client(path: str) -> None:
    # Kept open, and so locked, until this process ends: a client that comes now waits for the end and starts anew.
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.kill(os.getpid(), LAST_CLIENT_GONE)


def remove_file(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


if __name__ == "__main__":
    main()
