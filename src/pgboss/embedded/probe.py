"""Ask a server whether it is there: one start-up message on its socket, in PostgreSQL's wire protocol.

No pid is looked at, for a pid says nothing: it may be stale, or somebody else's. An SSL request would not do either,
since it is answered while the server still recovers.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from pgboss.errors import EmbeddedServerError

__all__ = ["Answer", "State", "probe"]

ANSWER_SECONDS = 2.0
PROTOCOL_3_0 = 196608
CANNOT_CONNECT_NOW = "57P03"
INVALID_AUTHORIZATION_CLASS = "28"


class State(Enum):
    """What a server said, or that there is none."""

    AWAY = auto()
    STARTING = auto()
    """It is alive and refuses connections for the moment: starting, recovering or shutting down."""
    READY = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a server and, when it is ready, its version, such as ``18.6``."""

    state: State
    version: str = ""


def probe(path: Path, *, role: str = "postgres", database: str = "postgres") -> Answer:
    """Ask the server behind a Unix socket how it is.

    Raises:
        EmbeddedServerError: it is there but does not let this user in.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(_startup_message(role, database))
            return _read_answer(connection, path)
    except PermissionError:
        raise EmbeddedServerError(
            f"The server's socket {path} is closed to this user: it belongs to a server that another user started."
        ) from None
    except (TimeoutError, BlockingIOError):
        # Somebody listens and is too busy to answer, or its queue of connections is full.
        return Answer(State.STARTING)
    except OSError:
        return Answer(State.AWAY)


def _startup_message(role: str, database: str) -> bytes:
    parameters = f"user\0{role}\0database\0{database}\0application_name\0pgboss probe\0\0".encode()
    return struct.pack("!ii", len(parameters) + 8, PROTOCOL_3_0) + parameters


def _read_answer(connection: socket.socket, path: Path) -> Answer:
    version = ""
    while True:
        kind, body = _read_message(connection)
        if kind == b"E":
            return _judge_error(body, path)
        if kind == b"S":
            name, value = body.split(b"\0")[:2]
            if name == b"server_version":
                version = value.split()[0].decode()
        if kind == b"Z":
            # Say goodbye, or the server's log would complain of a connection that broke.
            with suppress(OSError):
                connection.sendall(b"X" + struct.pack("!i", 4))
            return Answer(State.READY, version)


def _read_message(connection: socket.socket) -> tuple[bytes, bytes]:
    kind = _read_exactly(connection, 1)
    (length,) = struct.unpack("!i", _read_exactly(connection, 4))
    return kind, _read_exactly(connection, length - 4)


def _read_exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        received = connection.recv(count - len(data))
        if not received:
            raise ConnectionResetError("the server hung up")
        data += received
    return data


def _judge_error(body: bytes, path: Path) -> Answer:
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    sqlstate = fields.get(b"C", "")
    if sqlstate.startswith(INVALID_AUTHORIZATION_CLASS):
        raise EmbeddedServerError(
            f"The server at {path} does not let this user in ({fields.get(b'M', '')}): another user started it."
        )
    # Everything else, such as too many connections, is said by a server that is up; the caller's own connection
    # will meet the same error and name it better.
    return Answer(State.STARTING if sqlstate == CANNOT_CONNECT_NOW else State.READY)
