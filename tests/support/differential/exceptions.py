"""Where we differ on purpose, each with the reason: docs/compatibility.md, "Where we differ, and why"."""

from __future__ import annotations

__all__ = [
    "ANSWERS_AS_GOOD",
    "ANSWERS_LEFT_OUT",
    "COLUMNS_LEFT_OUT",
    "COLUMNS_LEFT_OUT_AFTER_UPKEEP",
    "SCRIPTS_THAT_DIFFER",
]

# Where the jobs lie is called table_name here; and active keys have no order.
_OTHER_NAMES = frozenset({"table", "singletonsActive"})

ANSWERS_LEFT_OUT: dict[str, frozenset[str]] = {
    "getQueue": _OTHER_NAMES,
    "getQueues": _OTHER_NAMES,
    # Here it is called expression, because it may be a rule as well.
    "getSchedule": frozenset({"cron"}),
    "getSchedules": frozenset({"cron"}),
}
"""Fields of an answer that are not compared, by call."""

ANSWERS_AS_GOOD: dict[str, list[tuple[object, type]]] = {
    # A caller who asked for ids gets a list, of none if need be, where Node says null.
    "insert": [(None, list)],
    # Node says nothing here; we say how many were freed.
    "resolveFlow": [(None, int)],
    # Nor here; we say whether there was one.
    "unschedule": [(None, bool)],
    # Nor here; we say which jobs were made.
    "publish": [(None, dict)],
}
"""What Node may answer and what we may answer instead, by call."""

COLUMNS_LEFT_OUT: dict[str, frozenset[str]] = {
    "queue_stats": frozenset({"id"}),
    # Each says it in words of its own; the data is what programs read.
    "warning": frozenset({"id", "message"}),
}
"""Columns that are never compared, by table."""

COLUMNS_LEFT_OUT_AFTER_UPKEEP: dict[str, frozenset[str]] = {
    # Rebuilding bloated indexes is left to Node.
    "version": frozenset({"reindex_on"}),
}
"""Columns that are not compared once a script has supervised, by table."""

SCRIPTS_THAT_DIFFER: dict[str, str] = {
    f"singleton{table}{keys}: mixed keys": (
        "No key and an empty key are one slot. A batch that meets both takes one of them here; in Node it runs into "
        "the unique index and comes back empty for as long as both wait."
    )
    for table in ("", ", own table")
    for keys in ("", ", keys")
} | {
    "groups: a limit of nothing": "Node takes 0 for no limit; we refuse it, because it can only be a mistake.",
    "groups: limits that are none": "Node's fetch does not look at them as its work does; ours does.",
    "editing: update by an id that two queues use": (
        "Node changes the other queue's job too, where both lie in one table; we keep to the queue that was named."
    ),
    "dead_letters: redrive: to a queue that is not there": "Node moves nothing and says nothing; we say why.",
    "events: one subscriber that refuses keeps it from no other": (
        "Node sends to one subscriber after the other and says afterwards which refused; here all get it, or none."
    ),
    "slots: a slot of no length": "Node lets the database divide by zero and says that a place was taken.",
    "slots: a key among the options and none beside them": "Node drops the key; we do not drop what was asked for.",
}
"""Scripts written by hand that end differently, and why: they fail when they no longer do."""
