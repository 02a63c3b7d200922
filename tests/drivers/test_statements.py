"""Placeholders and parameters for drivers other than psycopg."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg2
import pytest

from pgboss.core.query import Parameter
from pgboss.drivers.statements import as_literal, as_plain, through_text, to_pyformat

ID = UUID("6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11")
NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)

UNTOUCHED = [
    "SELECT 'costs $1'",
    "SELECT 'it''s $1'",
    r"SELECT E'it\'s $1'",
    'SELECT "column $1"',
    "SELECT $$ costs $1 $$",
    "SELECT $tag$ costs $1 $$ $tag$",
    "SELECT 1 -- $1",
    "SELECT /* $1 \n $2 */ 1",
    "SELECT price$1 FROM t",
]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_what_only_looks_like_a_placeholder(sql: str) -> None:
    assert to_pyformat(sql) == sql
    assert through_text(sql.replace("$1", "$1::uuid")) == sql.replace("$1", "$1::uuid")


@pytest.mark.parametrize(
    ("sql", "converted"),
    [
        ("SELECT $1::int", "SELECT %(p1)s::int"),
        ("SELECT $1::text, $2::text, $1::text", "SELECT %(p1)s::text, %(p2)s::text, %(p1)s::text"),
        ("SELECT $12::int, $1::int", "SELECT %(p12)s::int, %(p1)s::int"),
        ("SELECT 7 % $1::int", "SELECT 7 %% %(p1)s::int"),
        ("SELECT '%s $1' LIKE $1::text || '%'", "SELECT '%%s $1' LIKE %(p1)s::text || '%%'"),
        ("SELECT 1 -- 100%", "SELECT 1 -- 100%%"),
        ("SELECT ':name'::text, ARRAY[1,2][1:$1::int]", "SELECT ':name'::text, ARRAY[1,2][1:%(p1)s::int]"),
    ],
)
def test_placeholders_of_psycopg2(sql: str, converted: str) -> None:
    assert to_pyformat(sql) == converted


@pytest.mark.parametrize(
    ("sql", "converted"),
    [
        ("SELECT $1::uuid", "SELECT $1::text::uuid"),
        ("SELECT $2::uuid[], $10::timestamptz[]", "SELECT $2::text[]::uuid[], $10::text[]::timestamptz[]"),
        ("SELECT $1::jsonb -> 'a'", "SELECT $1::text::jsonb -> 'a'"),
        ('SELECT $1::"My Schema".job_state', 'SELECT $1::text::"My Schema".job_state'),
        ("SELECT $1::text, $2::int[], $3::bool, $4::float8", "SELECT $1::text, $2::int[], $3::bool, $4::float8"),
    ],
)
def test_what_goes_around_the_codecs_of_asyncpg(sql: str, converted: str) -> None:
    assert through_text(sql) == converted


def test_plain_parameters() -> None:
    given: list[Parameter] = [ID, NOON, None, 1, True, 2.5, "a", [ID, None], [1, 2], []]
    text = [str(ID), NOON.isoformat(), None, 1, True, 2.5, "a", [str(ID), None], [1, 2], []]
    assert [as_plain(parameter) for parameter in given] == text


AWKWARD = "quotes ' \" \\ percent %s %% colon :a dollar $1 braces {a,b} NULL Zoë ✓ 🎉 \n"


@pytest.mark.parametrize(
    ("sql", "parameter"),
    [
        ("SELECT $1::text", AWKWARD),
        ("SELECT $1::text[]", [AWKWARD, None, "", "NULL", "a,b"]),
        ("SELECT $1::text[]", []),
        ("SELECT $1::bigint", -(2**63)),
        ("SELECT $1::int[]", [1, None, -3]),
        ("SELECT $1::float8", 1e300),
        ("SELECT $1::float8[]", [0.1, float("inf")]),
        ("SELECT $1::bool[]", [True, False, None]),
        ("SELECT $1::text", None),
    ],
)
@pytest.mark.parametrize("setting", ["on", "off"])
def test_literals_arrive_as_they_were(database_url: str, sql: str, parameter: Parameter, setting: str) -> None:
    connection = psycopg2.connect(database_url, options=f"-c standard_conforming_strings={setting}")
    try:
        with connection.cursor() as cursor:
            cursor.execute(to_pyformat(sql), {"p1": as_literal(parameter)})
            assert cursor.fetchone() == (parameter,)
    finally:
        connection.close()
