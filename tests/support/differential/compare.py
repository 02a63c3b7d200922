"""What two runs of a script say about each other: rows, results and refusals in one shape, and their differences."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pgboss import ConflictError, DatabaseError, PgBossError, QueueNotFoundError, ValidationError
from pgboss.core.job import Settled
from pgboss.core.sqlstate import CHECK_VIOLATION, FOREIGN_KEY_VIOLATION, UNIQUE_VIOLATION
from pgboss.core.wire import camel_case
from support.differential.calls import Script, Step
from support.differential.database import BASE
from support.differential.exceptions import (
    ANSWERS_AS_GOOD,
    ANSWERS_LEFT_OUT,
    COLUMNS_LEFT_OUT,
    COLUMNS_LEFT_OUT_AFTER_UPKEEP,
)

__all__ = ["TABLES", "Run", "differences", "node_outcome", "our_outcome"]

TABLES = ("queue", "job", "job_dependency", "subscription", "schedule", "version", "queue_stats", "warning")
_KEYS = {
    "queue": ("name",),
    "job": ("name", "id"),
    "job_dependency": ("child_name", "child_id", "parent_name", "parent_id"),
    "subscription": ("event", "name"),
    "schedule": ("name", "key"),
    "version": ("version",),
    "queue_stats": ("name", "captured_on"),
    "warning": ("created_on", "type", "about"),
}
# Why a call was refused, as both sides' errors are told apart.
INVALID, CONFLICT, NO_SUCH_QUEUE = "invalid", "conflict", "no such queue"
# Jobs come back in no particular order from these.
_UNORDERED = {"fetch", "insert"}
_UNORDERED_IDS = {"settled", "jobs"}


@dataclass(frozen=True, slots=True)
class Run:
    """One side after a script: what each call said, and what is in the tables, by table and key."""

    outcomes: list[Any]
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]]


def rows_by_key(table: str, rows: list[dict[str, Any]], labels: Mapping[str, str]) -> Any:
    """The rows of a table by their key, with labels for ids."""
    named = [_normal(table, {column: _labelled(value, labels) for column, value in row.items()}) for row in rows]
    return {tuple(row[column] for column in _KEYS[table]): row for row in named}


def _normal(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is anybody's guess: the order of a set, and how long a statement took."""
    if table == "queue" and row["singletons_active"]:
        return row | {"singletons_active": sorted(row["singletons_active"], key=str)}
    if table == "warning":
        told = {key: value for key, value in row["data"].items() if key != "pinSeconds"}
        return row | {"data": told, "about": told.get("name")}
    return row


def _labelled(value: Any, labels: Mapping[str, str]) -> Any:
    """A value with every id replaced by what it stands for."""
    if isinstance(value, UUID):
        value = str(value)
    if isinstance(value, str):
        return labels.get(value, value)
    if isinstance(value, dict):
        return {key: _labelled(inner, labels) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_labelled(inner, labels) for inner in value]
    return value


def node_outcome(step: Step, outcome: dict[str, Any], labels: Mapping[str, str]) -> Any:
    """What a call said in Node."""
    if "error" in outcome:
        return {"refused": _node_kind(outcome["error"]), "text": outcome["error"]["message"]}
    value = outcome["value"]
    if isinstance(value, dict) and "requested" in value:
        value = {key: inner for key, inner in value.items() if key != "jobs"}
    return _shaped(step, _in_milliseconds(value), labels)


def our_outcome(step: Step, value: Any, labels: Mapping[str, str]) -> Any:
    """What a call said here: its result, or the error it raised."""
    if isinstance(value, Exception):
        return {"refused": _our_kind(value), "text": f"{type(value).__name__}: {value}"}
    return _shaped(step, _in_milliseconds(_plain(value)), labels)


def _shaped(step: Step, value: Any, labels: Mapping[str, str]) -> Any:
    shaped = _labelled(value, labels)
    if step["call"] in _UNORDERED and isinstance(shaped, list):
        return sorted(shaped, key=lambda job: str(job["id"] if isinstance(job, dict) else job))
    if isinstance(shaped, dict):
        return {key: sorted(value) if key in _UNORDERED_IDS else value for key, value in shaped.items()}
    return shaped


def _plain(value: Any) -> Any:
    if isinstance(value, Settled):
        ids = [str(id) for id in value.settled]
        return {"requested": len(value.requested), "affected": value.affected, "settled": ids}
    if dataclasses.is_dataclass(value):
        return {camel_case(name): _plain(getattr(value, name)) for name in _attributes(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, UUID) else value


def _attributes(value: Any) -> list[str]:
    derived = [name for name, member in inspect.getmembers(type(value)) if isinstance(member, property)]
    return [field.name for field in dataclasses.fields(value)] + derived


def _in_milliseconds(value: Any) -> Any:
    """Node's dates know no shorter time; a timestamp without zone is UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.replace(microsecond=aware.microsecond // 1000 * 1000)
    if isinstance(value, dict):
        return {key: _in_milliseconds(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_milliseconds(inner) for inner in value]
    return value


def _node_kind(error: dict[str, Any]) -> str:
    """Why Node refused: by its code where there is one, else by the class, and plain errors by their words."""
    code, message = error.get("code"), error["message"]
    if code in {"PGBOSS_QUEUE_NOT_FOUND", FOREIGN_KEY_VIOLATION} or message.startswith("Dead letter queue"):
        return NO_SUCH_QUEUE
    if code == CHECK_VIOLATION:
        # A key is missing that the policy demands. Here it is said of the option, or of the queue redriven to.
        return f"{INVALID} or {CONFLICT}"
    if code == UNIQUE_VIOLATION or "was not deleted" in message or "could not be created" in message:
        return CONFLICT
    if code in {None, "ERR_ASSERTION", "ERR_INVALID_ARG_TYPE"} or str(code).startswith(("22", "42")):
        return INVALID
    return f"error {code}"


def _our_kind(error: Exception) -> str:
    match error:
        case QueueNotFoundError():
            return NO_SUCH_QUEUE
        case ConflictError():
            return CONFLICT
        case ValidationError():
            return INVALID
        case DatabaseError(sqlstate=code):
            return f"error {code}"
        case PgBossError():
            return type(error).__name__
    raise error


def differences(script: Script, node: Run, ours: Run) -> Iterator[str]:
    """Every difference, as a line a person can act on."""
    calls = [step for step in script if "call" in step]
    for number, (step, theirs, mine) in enumerate(zip(calls, node.outcomes, ours.outcomes, strict=True), 1):
        if any(theirs == said and isinstance(mine, kind) for said, kind in ANSWERS_AS_GOOD.get(step["call"], [])):
            continue
        left_out = ANSWERS_LEFT_OUT.get(step["call"], frozenset())
        yield from _outcome_differences(f"call {number}, {step['call']}", theirs, mine, left_out)
    supervised = any(step["call"] == "supervise" for step in calls)
    for table in TABLES:
        left_out = COLUMNS_LEFT_OUT.get(table, frozenset())
        if supervised:
            left_out |= COLUMNS_LEFT_OUT_AFTER_UPKEEP.get(table, frozenset())
        yield from _row_differences(table, node.rows[table], ours.rows[table], left_out)


def _outcome_differences(where: str, node: Any, ours: Any, left_out: frozenset[str]) -> Iterator[str]:
    match node, ours:
        case {"refused": theirs}, {"refused": mine}:
            if mine not in theirs.split(" or "):
                yield f"{where}: refused for {theirs!r} in Node ({node['text']}), for {mine!r} here ({ours['text']})"
        case dict(), dict() if "refused" not in node and "refused" not in ours:
            # What we say beyond Node is ours to say.
            for key in node.keys() - left_out:
                yield from _outcome_differences(f"{where}, {key}", node[key], ours.get(key, "(nothing)"), left_out)
        case [*_], [*_] if len(node) == len(ours):
            for index, pair in enumerate(zip(node, ours, strict=True)):
                yield from _outcome_differences(f"{where}, [{index}]", *pair, left_out)
        case _ if node != ours:
            yield f"{where}: {shown(node)} in Node, {shown(ours)} here"


def _row_differences(table: str, node: Any, ours: Any, left_out: frozenset[str]) -> Iterator[str]:
    for key in sorted(node.keys() | ours.keys(), key=str):
        if key not in ours:
            yield f"{table} {key}: only in Node: {_brief(node[key])}"
        elif key not in node:
            yield f"{table} {key}: only here: {_brief(ours[key])}"
        else:
            for column in node[key].keys() - left_out:
                theirs, mine = node[key][column], ours[key][column]
                if theirs != mine:
                    yield f"{table} {key}, {column}: {shown(theirs)} in Node, {shown(mine)} here"


def _brief(row: dict[str, Any]) -> str:
    told = {column: value for column, value in row.items() if value not in (None, False, 0, [], "")}
    return ", ".join(f"{column} {shown(value)}" for column, value in told.items())


def shown(value: Any) -> str:
    """A value in few words: instants as seconds since the script began."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return f"+{(aware - BASE).total_seconds():g} s"
    return repr(value)
