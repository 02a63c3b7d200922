"""What the API answers is what its document says, whatever it is asked: requests made from the document itself.

Each operation is a test. The requests are few and the same in every run; they go to a server, as those of programs do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pgboss import PgBoss
from pgboss.web import app
from support.postgres import PostgresServer, Template, copy_of, sql
from support.web import serving

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Their answers have no end; tests/web/test_events.py reads them.
ENDLESS = {"GET /api/events", "GET /api/jobs/{id}/events"}
EXAMPLES = 15
JOB_ID = UUID(int=1)


def operations() -> dict[str, Any]:
    document = app(PgBoss("postgresql://nowhere/nothing", work=False)).openapi()
    results = schemathesis.openapi.from_dict(document).get_all_operations()
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == sum(len(methods) for methods in document["paths"].values())
    return {operation.label: operation for operation in found if operation.label not in ENDLESS}


OPERATIONS = operations()


READING = [label for label in OPERATIONS if label.startswith("GET ")]


@pytest.fixture(scope="module")
def read_only_address(postgres: PostgresServer, template: Template) -> Iterator[str]:
    """A server for all that only read."""
    with contextmanager(copy_of)(postgres, template("pgboss")) as url, serving(url) as address:
        _make_something(address, url)
        yield address


@pytest.mark.parametrize("label", READING)
def test_answers_of_reads_are_as_documented(read_only_address: str, label: str) -> None:
    _ask(read_only_address, label)


@pytest.mark.parametrize("label", sorted(OPERATIONS.keys() - set(READING)))
def test_answers_are_as_documented(database_url: str, label: str) -> None:
    with serving(database_url) as address:
        _make_something(address, database_url)
        _ask(address, label)


def _ask(address: str, label: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(), known=st.booleans())
    def ask(case: schemathesis.Case[Any], known: bool) -> None:
        if known:
            _ask_for_what_there_is(case)
        case.validate_response(case.call(base_url=address), checks=CHECKS)

    ask()


def _make_something(address: str, url: str) -> None:
    """Something for every list, so that answers with content are looked at, too."""
    with httpx.Client(base_url=address) as client:
        for path, body in (
            ("/api/queues/mail", {"policy": "key_strict_fifo"}),
            ("/api/schedules/mail", {"expression": "0 6 * * *", "data": {"to": "ada"}}),
            ("/api/subscriptions?event=paid&queue=mail", None),
        ):
            client.put(path, json=body).raise_for_status()
        client.post("/api/queues/mail/pause").raise_for_status()
        job = {"name": "mail", "data": {"to": "ada"}, "options": {"id": str(JOB_ID), "singleton_key": "k"}}
        client.post("/api/jobs", json=job).raise_for_status()
    sql(url, "INSERT INTO pgboss.warning (type, message, data) VALUES ('kind', 'something', '{}')")
    sql(
        url,
        "INSERT INTO pgboss.bam (name, version, status, table_name, command) "
        "VALUES ('x', 46, 'completed', 'job', 'SELECT')",
    )


def _ask_for_what_there_is(case: schemathesis.Case[Any]) -> None:
    for name, known in (("name", "mail"), ("queue", "mail"), ("id", str(JOB_ID))):
        if name in (case.path_parameters or ()):
            case.path_parameters[name] = known
        if isinstance(case.body, dict) and name in case.body and known == "mail":
            case.body[name] = known
