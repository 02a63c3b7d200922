"""A PostgreSQL that comes with pip: nothing to install, nothing to configure, nothing left behind.

:func:`start` gives a database that keeps its data under a name and is shared by every process that asks for it;
:func:`throwaway` gives one for a test run, kept in memory where there is room and gone afterwards. Both return an
:class:`EmbeddedServer`, whose ``dsn`` is what any PostgreSQL client takes.

This room finds binaries, starts and stops a server, and creates databases in it. It knows nothing of jobs or of
pg-boss's schema, and imports nothing of this package but the errors. It needs POSIX: Linux and macOS.

How it works
------------

One server has one folder, and every question about it is answered by a kernel lock on a file there::

    ROOT/data         the cluster: what initdb made; owned by whom PostgreSQL runs as
    ROOT/s            the socket's folder (0700), or a link to a private one where ROOT's path is too long for a socket
    ROOT/log          what the server and its supervisor say
    ROOT/clients.lock flock: shared by every client; taken alone by the supervisor before it stops the server
    ROOT/server.lock  flock: held by whoever may touch data/: the starter, then the supervisor and all of PostgreSQL
    ROOT/closing.lock flock: held by a client that says goodbye, so that one of two leaving at once knows it is the last

*References are locks, not pid files.* A client holds ``clients.lock`` shared for as long as it wants the server. A
kernel lock goes when its process goes, by exit, SIGTERM or kill -9 alike, and a forked child shares its parent's.
So there is no count that can be wrong, and no list of processes that may since have become others.

*The supervisor* is a small Python process of its own session (Ctrl-C in a terminal does not reach it) with
PostgreSQL as its child. It waits for ``clients.lock`` to itself. When it gets it, the last client is gone: it stops
the server and ends. A client that comes meanwhile finds the lock taken, waits for the end, and starts anew.

*Being alive is an answer, not a pid.* A server is there when it answers a start-up message on its socket (an SSL
request would be answered during start-up too). The cluster is free when ``server.lock`` is: the lock was passed on
by file descriptor from the starter to initdb, supervisor, postmaster and each backend, hence it outlives a kill -9
of any of them for exactly as long as something of the old server still runs. Whoever gets the lock therefore knows
that the pid in a left-over ``postmaster.pid`` is nobody of ours, and tells PostgreSQL so; no process is ever
signalled because of a number in a file.

*When somebody is killed.* A client: its lock goes, and if it was the last, the server stops. The postmaster: the
supervisor ends, ``server.lock`` falls free, and the next client starts the server again (clients that are connected
see their connections break). The supervisor: on Linux the kernel passes SIGINT on to the postmaster, which shuts
down cleanly; macOS knows no such request, there the server goes on and is found by the next client, but nobody
stops it any more. A starter, half-way through initdb: the cluster is made beside ``data`` and renamed when whole.

*As root* only initdb and PostgreSQL run as somebody else, for they refuse to be root: ``PGBOSS_POSTGRES_USER``, or the
owner of the data, or a user called pgboss or postgres, or nobody. Our own process and its files stay root's. No user
is ever created, and no folder that was there before is ever given another mode: when the way to the folder is
closed to that user, the error says which folder closes it.

*Who may connect* is settled by the kernel as well: peer authentication lets in the operating system's user that
started the server, as the database's superuser, and nobody else. There is no TCP port and no password.

The locks need a local file system: over NFS they do not pass from parent to child.
"""

from __future__ import annotations

import sys

from pgboss.errors import EmbeddedServerError

if sys.platform == "win32":
    raise EmbeddedServerError(
        "The embedded PostgreSQL runs on Linux and macOS only. On Windows, install PostgreSQL and set DATABASE_URL."
    )

from pgboss.embedded.server import EmbeddedServer, start, throwaway

__all__ = ["EmbeddedServer", "start", "throwaway"]
