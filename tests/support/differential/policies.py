"""Scripts of every policy, shared and with a table of its own, with a key and without: the same story for all."""

from __future__ import annotations

from typing import Any

from support.differential.calls import Script, Step

__all__ = ["policy_scripts"]

POLICIES = ("standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo")


def policy_scripts() -> dict[str, Script]:
    return {
        f"{policy}{', own table' if partition else ''}{', keys' if keys else ''}: {story}": [
            _create(policy, partition=partition),
            *script(keys),
        ]
        for policy in POLICIES
        for partition in (False, True)
        for keys in (False, True)
        if keys or policy != "key_strict_fifo"
        for story, script in STORIES.items()
    }


def _create(policy: str, *, partition: bool) -> Step:
    options = {"policy": policy, "partition": partition, "deadLetter": "dead", "retryLimit": 1}
    return {"call": "createQueue", "queue": "q", "options": options}


def _send(label: str, *, keys: bool, key: str = "a", **options: Any) -> Step:
    if keys:
        options["singletonKey"] = key
    return {"call": "send", "queue": "q", "data": {"job": label}, "options": options, "as": label}


def _call(call: str, *jobs: Any, **more: Any) -> Step:
    return {"call": call, "queue": "q", "jobs": list(jobs), **more}


def _fetch(count: int, **options: Any) -> Step:
    return {"call": "fetch", "queue": "q", "options": {"batchSize": count, **options}}


def _accepting(keys: bool) -> Script:
    """What is accepted beside jobs in each state."""
    return [
        _send("first", keys=keys),
        _send("second", keys=keys),
        _send("other key", keys=keys, key="b"),
        _fetch(1),
        _send("beside an active one", keys=keys),
        _call("fail", "first", output={"why": "once"}),
        _send("beside one in retry", keys=keys),
        _fetch(5),
        _call("complete", "first"),
        _send("after completion", keys=keys),
        _call("cancel", "second", "beside an active one"),
        _send("after cancelling", keys=keys),
    ]


def _fetching(keys: bool) -> Script:
    """Who may run beside whom."""
    jobs = [_send(str(n), keys=keys, key="abc"[n % 3], priority=n % 2) for n in range(6)]
    return [*jobs, _fetch(2), _fetch(5), _fetch(5), _call("complete", "0", "1", "2"), _fetch(5), _fetch(5)]


def _failing(keys: bool) -> Script:
    """A retry whose place may be taken, twice, until there are none left."""
    return [
        _send("first", keys=keys),
        _fetch(1),
        _send("second", keys=keys),
        _call("fail", "first", output={"why": "once"}),
        _fetch(1),
        _call("fail", "second", output={"why": "beside"}),
        _fetch(2),
        _call("fail", "first", output={"why": "twice"}),
        _call("fail", "second", output={"why": "twice"}),
        _fetch(5),
    ]


def _failing_unfetched(keys: bool) -> Script:
    return [
        _send("first", keys=keys),
        _fetch(1),
        _send("second", keys=keys),
        _call("fail", "second"),
        _call("fail", "second"),
        _call("fail", "first", fenced=True),
    ]


def _resuming(keys: bool) -> Script:
    """Cancelled jobs that come back into a place that is taken, or free."""
    return [
        _send("first", keys=keys),
        _call("cancel", "first"),
        _send("second", keys=keys),
        _call("resume", "first"),
        _fetch(1),
        _call("resume", "first"),
        _fetch(5),
        _call("cancel", "first", "second"),
        _call("resume", "first"),
        _call("resume", "second"),
        _fetch(1),
    ]


def _retrying(keys: bool) -> Script:
    """Failed jobs that are given another attempt beside others."""
    return [
        _send("first", keys=keys, retryLimit=0),
        _fetch(1),
        _call("fail", "first"),
        _send("second", keys=keys, retryLimit=0),
        _fetch(1),
        _call("retry", "first"),
        _call("fail", "second"),
        _call("retry", "second"),
        _call("retry", "first"),
        _fetch(1),
        _fetch(1),
        {"call": "getQueue", "queue": "q"},
    ]


def _expiring(keys: bool) -> Script:
    return [
        _send("slow", keys=keys, expireInSeconds=10, retryLimit=0),
        _send("slow, with a retry", keys=keys, key="b", expireInSeconds=10),
        _send("silent", keys=keys, key="c", heartbeatSeconds=10),
        _fetch(5),
        _fetch(5),
        {"advance": 12, "call": "supervise"},
        _fetch(5),
        _send("after", keys=keys),
    ]


def _mixed_keys(keys: bool) -> Script:
    """No key and an empty key are one slot in the indexes."""
    return [
        _send("none", keys=False),
        _send("empty", keys=True, key=""),
        _send("some", keys=True, key="a"),
        _fetch(5),
        _fetch(5),
        _call("complete", "none", "empty"),
        _fetch(5),
    ]


STORIES = {
    "accepting": _accepting,
    "fetching": _fetching,
    "failing": _failing,
    "failing unfetched": _failing_unfetched,
    "resuming": _resuming,
    "retrying": _retrying,
    "expiring": _expiring,
    "mixed keys": _mixed_keys,
}
