"""Random scripts, which hypothesis makes and shrinks.

A few queues a script, two keys, three groups: so that jobs get in each other's way all the time. Left out is what has
no one right answer: several jobs of one key failed at once where only one may be retried, for example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from pgboss.client import Client
from support.differential.arena import QUEUES
from support.differential.calls import Script, Step, snake_case

__all__ = ["sequences", "supervised_sequences"]

LONGEST = 60
SHORTEST = 10
# Where several jobs change at once, these policies would let chance decide which of them gets the place.
ONE_AT_A_TIME = {"stately", "own-stately"}
# Pauses in which nothing happens, retries fall due, jobs expire, slots end, and retention ends.
PAUSES = (0, 0, 0, 0, 0, 1, 5, 12, 61, 1000)


def ids(queue: str) -> tuple[str, str]:
    """Two ids that jobs of a queue may compete for.

    No other queue has them: Node's update by id changes whatever job has that id in the queue's table.
    """
    number = list(QUEUES).index(queue)
    return (f"00000000-0000-4000-8000-00000000{number:02x}0a", f"00000000-0000-4000-8000-00000000{number:02x}0b")


class Author:
    """Writes one script, step by step."""

    _draw: Callable[[st.SearchStrategy[Any]], Any]

    def __init__(self, queues: Sequence[str], kinds: Sequence[Callable[[Author, str], Step] | None]) -> None:
        self._queues = queues
        self._kinds = kinds
        self._labels: list[tuple[str, str]] = []
        self._fetches: list[tuple[str, str]] = []
        self._flows: list[tuple[str, list[tuple[str, str]]]] = []
        self._number = 0

    def pick(self, values: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(values))

    def maybe(self, **options: Sequence[Any]) -> dict[str, Any]:
        """Some of these options, each with one of its values; mostly few."""
        names = self._draw(st.lists(st.sampled_from(list(options)), max_size=3, unique=True))
        return {name: self.pick(options[name]) for name in names}

    def step(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Step | None:
        """The next step, or none; ``draw`` is hypothesis's for this step alone, so that it can leave it out."""
        self._draw = draw
        kind = self.pick(self._kinds)
        if kind is None:
            return None
        queue = self.pick(self._queues) if self.pick((True, True, True, False)) else self.pick(list(QUEUES))
        self._number += 1
        step: Step = kind(self, queue)
        # Node claims its turn to supervise at most once a second.
        pause = self.pick(PAUSES) or int(step["call"] == "supervise")
        return {"advance": pause, **step} if pause else step

    def _named(self, queue: str, step: Step) -> Step:
        label = f"j{self._number}"
        self._labels.append((queue, label))
        return {**step, "as": label}

    def _options(self, queue: str) -> dict[str, Any]:
        """Options of a job that may clash with others."""
        options = self.maybe(
            priority=(1, 2, -1),
            startAfter=(5, 0, -3, "10", "1 minute"),
            retryLimit=(0, 0, 1, 2),
            retryDelay=(7, 0),
            group=({"id": "a"}, {"id": "b"}, {"id": "a", "tier": "gold"}),
            expireInSeconds=(5, 60),
            heartbeatSeconds=(10,),
            retentionSeconds=(20, 600),
            deleteAfterSeconds=(0, 30),
            deadLetter=("dead", "dead-exclusive"),
            id=ids(queue),
        )
        return options | self._key(queue)

    def _key(self, queue: str) -> dict[str, Any]:
        # A queue that demands keys is asked without one now and then.
        keys = ("a", "b", "a", "b", "a", None) if queue.endswith("fifo") else (None, "a", "b")
        key = self.pick(keys)
        return {"singletonKey": key} if key else {}

    def _data(self) -> dict[str, Any]:
        return {"n": self._number}

    def send(self, queue: str) -> Step:
        options = self._options(queue) | self.pick(
            ({}, {}, {}, {"singletonSeconds": 10}, {"singletonSeconds": 10, "singletonNextSlot": True})
        )
        return self._named(queue, {"call": "send", "queue": queue, "data": self._data(), "options": options})

    def send_after(self, queue: str) -> Step:
        after = self.pick((3, 30, {"$at": 20}, "2 minutes"))
        step = {"call": "sendAfter", "queue": queue, "data": self._data(), "options": self._options(queue)}
        return self._named(queue, {**step, "after": after})

    def send_in_slot(self, queue: str) -> Step:
        call, seconds = self.pick(("sendThrottled", "sendDebounced")), self.pick((10, 1, 60))
        options = self._options(queue)
        # Node drops the singletonKey of the options, whether a key is given or not; we do not drop it for nothing.
        options.pop("singletonKey", None)
        step = {"call": call, "queue": queue, "data": self._data(), "options": options, "seconds": seconds}
        return self._named(queue, step | self.pick(({}, {"key": "a"}, {"key": "b"})))

    def insert(self, queue: str) -> Step:
        number = self.pick((1, 2, 3))
        rows = [{"data": {"n": self._number, "row": row}, **self._options(queue)} for row in range(number)]
        ids = [row["id"] for row in rows if "id" in row]
        if len(ids) != len(set(ids)):
            for row in rows[1:]:
                row.pop("id", None)
        return {"call": "insert", "queue": queue, "rows": rows, "options": self.pick(({}, {"returnId": True}))}

    def fetch(self, queue: str) -> Step:
        options = self.maybe(
            batchSize=(2, 3, 5),
            minPriority=(0, 1),
            maxPriority=(1, 2),
            ignoreStartAfter=(True,),
            includeMetadata=(True,),
            groupConcurrency=(1, 2, {"default": 1, "tiers": {"gold": 2}}),
            ignoreGroups=(["a"], ["a", "b"]),
        )
        if "groupConcurrency" in options:
            # Of a group's jobs in one batch we take the most urgent, Node those of the smallest ids.
            options.pop("batchSize", None)
        label = f"f{self._number}"
        self._fetches.append((queue, label))
        return {"call": "fetch", "queue": queue, "options": options, "as": label}

    def _jobs(self, queue: str, most: int, states: Sequence[str]) -> list[Any]:
        return [self._job(queue, states, several=most > 1) for _ in range(self.pick(range(1, most + 1)))]

    def _job(self, queue: str, states: Sequence[str], *, several: bool) -> Any:
        """A job of the queue, mostly one in a state that fits: by its age, as it was sent, or as it was fetched."""
        choices: list[Any] = [{"$nth": [queue, position, state]} for state in states for position in (0, 0, 1)]
        choices += [{"$nth": [queue, 0]}, {"$nth": [queue, 2]}]
        choices += [label for where, label in self._labels if where == queue][-3:]
        if several:
            choices += [{"$fetched": label} for where, label in self._fetches if where == queue][-2:]
        return self.pick(choices)

    def settle(self, queue: str) -> Step:
        call = self.pick(("complete", "complete", "fail", "fail", "fail", "cancel", "cancel", "touch", "deleteJob"))
        most = 1 if queue in ONE_AT_A_TIME else 3
        states = ("created", "active") if call in ("cancel", "deleteJob") else ("active", "active", "retry")
        step: Step = {"call": call, "queue": queue, "jobs": self._jobs(queue, most, states)}
        if self.pick((False, False, True)):
            step["fenced"] = True
        if call in ("complete", "fail"):
            step |= self.pick(({}, {"output": {"n": self._number}}, {"output": "text"}))
        if call == "complete":
            step |= self.pick(({}, {}, {"options": {"includeQueued": True}}))
        return step

    def bring_back(self, queue: str) -> Step:
        call, state = self.pick((("resume", "cancelled"), ("retry", "failed")))
        return {"call": call, "queue": queue, "jobs": self._jobs(queue, 2, [state])}

    def edit(self, queue: str) -> Step:
        options = self.maybe(
            priority=(0, 3),
            startAfter=(0, 5, -3, "10"),
            retryLimit=(0, 2),
            retryDelay=(0, 7),
            group=({"id": "a"}, {"id": "b", "tier": "gold"}),
            expireInSeconds=(5,),
            heartbeatSeconds=(10, None),
            retentionSeconds=(20, 600),
            deleteAfterSeconds=(0, 30),
            deadLetter=("dead-exclusive", None),
        )
        if self.pick((True, True, False)):
            target = {"singletonKey": self.pick(("a", "b"))} | self.pick(({}, {"match": "oldest"}, {"match": "all"}))
        else:
            target = {"id": self.pick((*ids(queue), {"$nth": [queue, 0]}))}
        data = self.pick(({}, {"data": self._data()}, {"data": None}))
        return {"call": self.pick(("update", "upsert")), "queue": queue, **data, "options": options | target}

    def flow(self, queue: str) -> Step:
        label, number = f"w{self._number}", self.pick((2, 3))
        roomy = ("standard", "own", "singleton")
        names = [queue, *(self.pick(self.pick((roomy, self._queues))) for _ in range(number - 1))]
        parts: list[dict[str, Any]] = []
        for index, name in enumerate(names):
            part = {"ref": str(index), "name": name, "data": {"n": self._number, "part": index}}
            # Always the key that is needed: a flow may lack a place as well, and be refused for either.
            key = {"singletonKey": "a"} if name.endswith("fifo") else {}
            # Ids given, because those drawn for a flow sort by chance, and limits of groups go by id.
            part["options"] = (
                key | self._options(name) | {"id": f"00000000-0000-4000-9000-{self._number:08x}{index:04x}"}
            )
            if index:
                part["dependsOn"] = [str(self.pick(range(index)))]
            parts.append(part)
        self._flows.append((label, [(name, str(index)) for index, name in enumerate(names)]))
        return {"call": "flow", "parts": parts, "as": label}

    def about_flows(self, queue: str) -> Step:
        if not self._flows or self.pick((True, True, False)):
            return {"call": "resolveFlow"}
        label, parts = self.pick(self._flows)
        name, ref = self.pick(parts)
        reference = {"$ref": [label, ref]}
        if self.pick((True, False)):
            options = {"includeQueued": True}
            return {"call": "complete", "queue": name, "jobs": [reference], "options": options}
        return {"call": self.pick(("getDependencies", "getDependents")), "queue": name, "job": reference}

    def redrive(self, queue: str) -> Step:
        call = self.pick(("redrive", "redrive", "previewRedrive"))
        options = self.maybe(
            limit=(1, 2),
            destination=("standard", "short", "exclusive", "own", "fifo"),
            sourceName=("standard", "own"),
            createdBefore=({"$at": 10},),
        )
        letters = queue if queue.startswith("dead") else self.pick(("dead", "dead", "dead-exclusive"))
        return {"call": call, "queue": letters, "options": options}

    def publish(self, queue: str) -> Step:
        call, event = self.pick(("publish", "subscribe", "subscribe", "unsubscribe")), self.pick(("e1", "e2"))
        if call != "publish":
            return {"call": call, "event": event, "queue": queue}
        options = self.maybe(priority=(1,), startAfter=(5,), group=({"id": "a"},)) | self.pick(
            ({"singletonKey": "a"}, {})
        )
        return {"call": call, "event": event, "data": self._data(), "options": options}

    def clear(self, queue: str) -> Step:
        call = self.pick(("deleteQueuedJobs", "deleteStoredJobs", "deleteAllJobs"))
        return {"call": call, "queue": queue}

    def look(self, queue: str) -> Step:
        if queue.endswith("fifo") and self.pick((True, False)):
            return {"call": "getBlockedKeys", "queue": queue}
        options = self.maybe(key=("a",), queued=(True,), limit=(2,), data=({"row": 1},))
        return {"call": "findJobs", "queue": queue, "options": options}

    def change_queue(self, queue: str) -> Step:
        options = self.pick(
            (
                {"retryLimit": 0},
                {"retryLimit": 2, "retryDelay": 3},
                {"retryBackoff": True, "retryDelayMax": 20},
                {"deadLetter": "dead-exclusive"},
                {"deadLetter": None},
                {"heartbeatSeconds": 10, "expireInSeconds": 20},
                {"deleteAfterSeconds": 5, "retentionSeconds": 30},
            )
        )
        return {"call": "updateQueue", "queue": queue, "options": options}

    def supervise(self, queue: str) -> Step:
        step: Step = {"call": "supervise"}
        if self.pick((False, False, False, True)):
            step["queue"] = queue
        # On our side, a Node instance takes a turn.
        return step | ({"by": "node"} if self.pick((False, False, True)) else {})

    def statistics(self, queue: str) -> Step:
        options = self.maybe(
            **{"from": [{"$at": 0}, {"$at": 60}], "to": [{"$at": 30}, {"$at": 1000}]},
            limit=[1, 3],
            bucketSeconds=[1, 10, 60, 3600],
            maxDataPoints=[1, 2, 5],
            aggregate=["max", "min", "avg"],
            percentiles=[[50], [95, 99.9, 1], [100]],
        )
        return {"call": "getQueueStats", "queue": queue, "options": options}


KINDS: Sequence[Callable[[Author, str], Step] | None] = [
    None,
    *[Author.send] * 5,
    *[Author.fetch] * 5,
    *[Author.settle] * 7,
    *[Author.bring_back] * 3,
    *[Author.send_in_slot, Author.edit] * 2,
    Author.send_after,
    Author.insert,
    Author.flow,
    Author.about_flows,
    *[Author.redrive] * 2,
    Author.publish,
    Author.clear,
    Author.look,
    Author.change_queue,
    Author.supervise,
    Author.statistics,
]
SUPERVISED_KINDS = [*KINDS, *[Author.supervise] * 20, *[Author.statistics] * 5, *[Author.fetch, Author.send] * 3]


def is_there(call: str) -> bool:
    return call == "supervise" or hasattr(Client, snake_case(call))


@st.composite
def _steps(draw: Callable[[st.SearchStrategy[Any]], Any], author: Author) -> Step | None:
    return author.step(draw)


@st.composite
def sequences(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Script:
    """Scripts of 10 to 60 places. A place may stay empty, which is how a failing script is shrunk."""
    script: Script = draw(_script(KINDS))
    return script


@st.composite
def supervised_sequences(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Script:
    """The same, supervised and looked at all the time."""
    script: Script = draw(_script(SUPERVISED_KINDS))
    return script


@st.composite
def _script(
    draw: Callable[[st.SearchStrategy[Any]], Any], kinds: Sequence[Callable[[Author, str], Step] | None]
) -> Script:
    author = Author(draw(st.lists(st.sampled_from(list(QUEUES)), min_size=1, max_size=2, unique=True)), kinds)
    # The length is drawn by itself: left to the list, most scripts would be hardly longer than the shortest.
    length = draw(st.integers(SHORTEST, LONGEST))
    steps = draw(st.lists(_steps(author), min_size=length, max_size=length))
    return [step for step in steps if step is not None and is_there(step["call"])]
