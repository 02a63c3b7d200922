"""Every statement of ``sql/`` and the DDL, as rendered: a change shows as a diff of SQL.

Functions are found by themselves and called with samples of their parameters' types, once with as little as their types
allow and once with everything. A parameter of a type without a sample fails: add one.
"""

from __future__ import annotations

import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from textwrap import dedent
from types import NoneType, UnionType
from typing import Any, Literal
from uuid import UUID

import pytest

from pgboss import sql
from pgboss.core.job import Attempt
from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.schema.texts import install_statements
from support.golden import GOLDEN, check_golden

SCHEMA = SchemaName()
JOB_ID = UUID("01890000-0000-7000-8000-000000000001")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

SAMPLES: dict[object, object] = {
    SchemaName: SCHEMA,
    QueueRef: QueueRef(SCHEMA, "mail", "job_common", "standard", notify=True),
    str: "mail",
    int: 1,
    float: 1.0,
    bool: True,
    UUID: JOB_ID,
    datetime: NOON,
    FetchOptions: FetchOptions(min_priority=1, max_priority=9),
    Sequence[str]: ["mail"],
    Sequence[str | None]: ['{"a": 1}'],
    Sequence[bool]: [True],
    Sequence[float]: [1.5],
    Sequence[UUID]: [JOB_ID],
    Sequence[Attempt]: [Attempt(JOB_ID, 0, NOON)],
    Mapping[str, Sequence[str]]: {"job_common": ["mail"], "j0123": ["own"]},
    Mapping[str, object]: {"policy": "short"},
    Mapping[str, Parameter]: {"retryLimit": 3, "notify": True},
    Mapping[str, Any]: {"lock_timeout": "0", "idle_timeout": "0"},
}
# Where a type does not tell what is meant.
NAMED: dict[str, object] = {"columns": "j.id"}
LITTLE: dict[object, object] = {bool: False, FetchOptions: FetchOptions()}

TOPICS = [module.name for module in pkgutil.iter_modules(sql.__path__)]


@pytest.mark.parametrize("topic", TOPICS)
def test_statements(topic: str) -> None:
    module = import_module(f"pgboss.sql.{topic}")
    blocks = [block for name, function in queries_of(module) for block in renderings(name, function)]
    check_golden(f"sql/{topic}.sql", "\n\n".join(blocks))


def test_every_kept_file_has_its_topic() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("sql/*.sql")) == sorted(TOPICS)


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
