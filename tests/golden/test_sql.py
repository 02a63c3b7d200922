"""Every statement of ``sql/`` and the DDL, as rendered: a change shows as a diff of SQL.

Functions are found by themselves and called with samples of their parameters' types, once with as little as their types
allow and once with everything. A parameter of a type without a sample fails: add one.
"""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from textwrap import dedent
from types import NoneType, UnionType
from typing import Any, Literal
from uuid import UUID

import pytest

from pgboss import sql
from pgboss.core.due import Occurrence, ScheduleRow
from pgboss.core.flow import DependencyRef
from pgboss.core.frontier import Frontier
from pgboss.core.groups import GroupConcurrency
from pgboss.core.instance import InstanceReport, PoolCounts
from pgboss.core.job import Attempt, OneAttempt
from pgboss.core.job_filter import JobFilter, JobPosition
from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions, UpdateOptions
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.schema.texts import (
    MANAGED_FUNCTIONS,
    OWN_FUNCTIONS,
    install_statements,
    managed_functions,
    own_function,
)
from pgboss.schema.upgrade import upgrade_statements
from pgboss.sql.claim import claim
from pgboss.sql.insert import COLUMNS
from support.golden import GOLDEN, check_golden

SCHEMA = SchemaName()
JOB_ID = UUID("01890000-0000-7000-8000-000000000001")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

EVERY_CHANGE = UpdateOptions(
    singleton_key="k",
    match="oldest",
    priority=1,
    start_after="5 minutes",
    retry_limit=1,
    retry_delay=1,
    retry_backoff=True,
    retry_delay_max=1,
    expire_in_seconds=1,
    retention_seconds=1,
    delete_after_seconds=1,
    heartbeat_seconds=10,
    dead_letter="dead",
    group_id="g",
    group_tier="t",
)
QUEUE = QueueRef(SCHEMA, "mail", "job_common", "standard", notify=True)

SAMPLES: dict[object, object] = {
    SchemaName: SCHEMA,
    QueueRef: QUEUE,
    str: "mail",
    int: 1,
    float: 1.0,
    bool: True,
    UUID: JOB_ID,
    datetime: NOON,
    date: NOON.date(),
    FetchOptions: FetchOptions(
        min_priority=1, max_priority=9, ignore_groups=["a"], group_concurrency=GroupConcurrency(1, {"gold": 5})
    ),
    Frontier: Frontier(1, NOON, 1.5),
    UpdateOptions: EVERY_CHANGE,
    InstanceReport: InstanceReport(
        JOB_ID,
        "web",
        "host",
        1,
        "1",
        "Python",
        30,
        True,
        True,
        True,
        False,
        False,
        PoolCounts(10, 2, 1, 0),
        "[]",
        "{}",
        "{}",
    ),
    DependencyRef: DependencyRef("mail", JOB_ID),
    Sequence[str]: ["mail"],
    Collection[str]: tuple(COLUMNS),
    Sequence[str | None]: ['{"a": 1}'],
    Sequence[bool]: [True],
    Sequence[float]: [1.5],
    Sequence[int]: [1, 2],
    Sequence[UUID]: [JOB_ID],
    tuple[datetime, UUID]: (NOON, JOB_ID),
    tuple[str, UUID]: ("mail", JOB_ID),
    JobFilter: JobFilter.of(
        ["expired"],
        key="k",
        data={"a": 1},
        created_from=NOON,
        created_before=NOON,
        finished_from=NOON,
        finished_before=NOON,
    ),
    JobPosition: JobPosition("2026-01-31 12:00:00+00", ("mail", JOB_ID)),
    tuple[str, str]: ("mail", "k"),
    Sequence[tuple[str, str, UUID]]: [("mail", "k", JOB_ID)],
    Sequence[Occurrence]: [Occurrence("mail", "k", "* * * * *", "mail__k", "2026-01-31 12:00:00")],
    Sequence[tuple[ScheduleRow, str]]: [(ScheduleRow("mail", "k", "cron", "FREQ=DAILY", "UTC", None, 0), "rrule")],
    Sequence[OneAttempt]: [Attempt(JOB_ID, 0, NOON)],
    Mapping[str, Sequence[str]]: {"job_common": ["mail"], "j0123": ["own"]},
    Mapping[str, object]: {"policy": "short"},
    Mapping[str, Parameter]: {"retryLimit": 3, "notify": True},
    Mapping[str, Any]: {"lock_timeout": "0", "idle_timeout": "0"},
}
# Where a type does not tell what is meant.
NAMED: dict[str, object] = {}
LITTLE: dict[object, object] = {
    bool: False,
    Collection[str]: ("data",),
    FetchOptions: FetchOptions(),
    UpdateOptions: UpdateOptions(id=JOB_ID),
    JobFilter: JobFilter(),
    JobPosition: JobPosition("2026-01-31 12:00:00+00"),
}

TOPICS = [module.name for module in pkgutil.iter_modules(sql.__path__)]


@pytest.mark.parametrize("topic", TOPICS)
def test_statements(topic: str) -> None:
    module = import_module(f"pgboss.sql.{topic}")
    blocks = [block for name, function in queries_of(module) for block in renderings(name, function)]
    check_golden(f"sql/{topic}.sql", "\n\n".join(blocks))


@pytest.mark.parametrize("policy", ["singleton", "stately", "key_strict_fifo"])
def test_claims_that_mind_keys(policy: str) -> None:
    queue = dataclasses.replace(QUEUE, policy=policy)
    check_golden(f"claims/{policy}.sql", dedent(claim(queue, FetchOptions()).sql).strip())


def test_every_kept_file_has_its_topic() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("sql/*.sql")) == sorted(TOPICS)


@pytest.mark.parametrize("version", [25, 40, 45])
def test_upgrades(version: int) -> None:
    functions = {own_function(SCHEMA, name) for name in OWN_FUNCTIONS} | {managed_functions(SCHEMA, *MANAGED_FUNCTIONS)}
    steps = [statement for statement in upgrade_statements(SCHEMA, version) if statement not in functions]
    check_golden(f"upgrades/from_{version}.sql", "\n\n".join(statement.strip() for statement in steps))


def test_schema() -> None:
    check_golden("schema.sql", "\n\n".join(statement.strip() for statement in install_statements(SCHEMA)))


def queries_of(module: object) -> Iterator[tuple[str, Callable[..., Query]]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        is_ours = function.__module__ == getattr(module, "__name__", None) and not name.startswith("_")
        if is_ours and typing.get_type_hints(function).get("return") is Query:
            yield name, function


def renderings(name: str, function: Callable[..., Query]) -> Iterator[str]:
    little = rendered(function, with_all=False)
    everything = rendered(function, with_all=True)
    if little == everything:
        yield f"-- {name}\n{little}"
    else:
        yield f"-- {name}: as little as possible\n{little}"
        yield f"-- {name}: with everything\n{everything}"


def rendered(function: Callable[..., Query], *, with_all: bool) -> str:
    hints = {name: kind for name, kind in typing.get_type_hints(function).items() if name != "return"}
    arguments = {name: sample(kind, with_all=with_all) for name, kind in hints.items()}
    query = function(**{name: value and NAMED.get(name, value) for name, value in arguments.items()})
    return dedent(query.sql).strip()


def sample(kind: Any, *, with_all: bool) -> object:
    if isinstance(kind, UnionType) and NoneType in kind.__args__:
        [kind] = [choice for choice in kind.__args__ if choice is not NoneType]
        if not with_all:
            return None
    if typing.get_origin(kind) is Literal:
        return kind.__args__[-1 if with_all else 0]
    samples = SAMPLES if with_all else SAMPLES | LITTLE
    assert kind in samples, f"No sample of {kind}: add one to SAMPLES."
    return samples[kind]
