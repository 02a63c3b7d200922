"""What counts as a server that is there."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgboss.embedded import probe as probe_module
from pgboss.embedded.probe import Answer, State, probe
from pgboss.errors import EmbeddedServerError

Scripted = Callable[[bytes], Path]


@pytest.fixture
def server_that_says(place: Path) -> Iterator[Scripted]:
    """Makes a listener that reads the start-up message, says some bytes and hangs up."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def make(words: bytes) -> Path:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place / "socket"))
        listener.listen()
        thread = threading.Thread(target=answer_once, args=(listener, words))
        thread.start()
        threads.append(thread)
        listeners.append(listener)
        return place / "socket"

    yield make
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


def answer_once(listener: socket.socket, words: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        (length,) = struct.unpack("!i", connection.recv(4, socket.MSG_WAITALL))
        assert b"user\0postgres\0" in connection.recv(length - 4, socket.MSG_WAITALL)
        connection.sendall(words)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def error(sqlstate: str) -> bytes:
    return message(b"E", f"SFATAL\0VFATAL\0C{sqlstate}\0Mno, because\0\0".encode())


WELCOME = message(b"R", struct.pack("!i", 0)) + message(b"S", b"server_version\x0017.9 (Debian)\0")


def test_a_server_that_lets_us_in_is_ready(server_that_says: Scripted) -> None:
    assert probe(server_that_says(WELCOME + message(b"Z", b"I"))) == Answer(State.READY, "17.9")


def test_a_server_that_refuses_connections_for_now_is_starting(server_that_says: Scripted) -> None:
    assert probe(server_that_says(error("57P03"))) == Answer(State.STARTING)


def test_a_server_whose_connections_are_taken_is_ready(server_that_says: Scripted) -> None:
    assert probe(server_that_says(error("53300"))) == Answer(State.READY)


def test_a_server_that_refuses_us_for_good_is_an_error(server_that_says: Scripted) -> None:
    with pytest.raises(EmbeddedServerError, match=r"does not let this user in \(no, because\)"):
        probe(server_that_says(error("28000")))


@pytest.mark.parametrize("words", [b"", WELCOME, WELCOME[:3]], ids=["nothing", "half a welcome", "half a message"])
def test_a_server_that_hangs_up_is_away(server_that_says: Scripted, words: bytes) -> None:
    assert probe(server_that_says(words)) == Answer(State.AWAY)


def test_a_server_that_is_silent_may_be_starting(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "ANSWER_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "socket"))
        listener.listen()
        assert probe(place / "socket") == Answer(State.STARTING)


def test_nothing_there_is_away(place: Path) -> None:
    assert probe(place / "missing") == Answer(State.AWAY)
    assert probe(place / ("x" * 200)) == Answer(State.AWAY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "left over"))
    assert probe(place / "left over") == Answer(State.AWAY)
