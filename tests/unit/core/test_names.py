"""Names and keys that Node derives too: the golden values are those of npm pg-boss 12.38."""

from __future__ import annotations

import pytest

from pgboss.core.names import (
    Lock,
    SchemaName,
    check_queue_name,
    partition_table,
    quote_identifier,
    quote_literal,
)
from pgboss.errors import ConfigurationError, PgBossError, ValidationError


def test_the_channel_is_the_one_node_listens_on() -> None:
    assert SchemaName("pgboss").channel == "pgboss_454650302e472074f72063fd"


def test_the_lock_key_is_the_one_node_takes() -> None:
    assert SchemaName("pgboss").lock_key("contract1", Lock.CREATE_QUEUE) == -4195457978527278978


def test_a_partition_has_the_name_node_gives_it() -> None:
    assert partition_table("qp") == "j995d8fc4cd029d1ae3c80b8e29002a9dff74f8ed827bfcd9d071d523"


def test_every_duty_has_a_lock_of_its_own() -> None:
    suffixes = [
        Lock.INSTALL,
        Lock.CREATE_QUEUE,
        Lock.DELETE_QUEUE,
        Lock.QUEUE_STATS,
        Lock.expire("job_common"),
        Lock.heartbeat("job_common"),
        Lock.deletion("job_common"),
        Lock.expire("j1"),
    ]
    keys = {SchemaName("pgboss").lock_key("app", suffix) for suffix in suffixes}
    assert len(keys) == len(suffixes)
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_locks_differ_by_database_and_by_schema() -> None:
    keys = {SchemaName(schema).lock_key(database, "") for schema in ("pgboss", "other") for database in ("app", "app2")}
    assert len(keys) == 4


def test_a_bare_name_is_folded_by_postgresql_but_hashed_as_it_was_written() -> None:
    schema = SchemaName("MySchema")
    assert schema.catalog_name == "myschema"
    assert schema.sql == '"myschema"'
    assert schema.normalised == "MySchema"
    assert schema.channel != SchemaName("myschema").channel


def test_a_quoted_name_keeps_its_case_and_is_hashed_with_its_quotes() -> None:
    schema = SchemaName('"My-Schema"')
    assert schema.catalog_name == "My-Schema"
    assert schema.sql == '"My-Schema"'
    assert schema.normalised == '"My-Schema"'


def test_quotes_that_change_nothing_are_dropped_before_hashing() -> None:
    assert SchemaName('"pgboss"').normalised == "pgboss"
    assert SchemaName('"pgboss"').channel == SchemaName("pgboss").channel


def test_tables_and_the_clock_are_qualified_and_quoted() -> None:
    schema = SchemaName('"My-Schema"')
    assert schema.table("job_common") == '"My-Schema"."job_common"'
    assert schema.now == '"My-Schema".job_now()'


@pytest.mark.parametrize(
    "name", ["pgboss", "_", "a1", "A_b_9", "x" * 50, f'"{"x" * 50}"', '"1starts-with digit"', '"größe"', '"SELECT"']
)
def test_usable_schema_names(name: str) -> None:
    assert SchemaName(name).configured == name


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "empty"),
        ('""', "empty"),
        ("x" * 51, "51 bytes"),
        (f'"{"x" * 51}"', "51 bytes"),
        ("é" * 26, "52 bytes"),
        (f'"{"é" * 26}"', "52 bytes"),
        ("1abc", "must not start with a digit"),
        ("my-schema", "letters, digits and underscores"),
        ("my schema", "letters, digits and underscores"),
        ("größe", "letters, digits and underscores"),
        ("pgboss\n", "letters, digits and underscores"),
        ("pg\udcff", "letters, digits and underscores"),
        ('"', "letters, digits and underscores"),
        ('"open', "letters, digits and underscores"),
        ('"a"b"', "must not hold"),
        ('"it\'s"', "must not hold"),
        ('"100%"', "must not hold"),
        ('"a$b"', "must not hold"),
        ('"a.b"', "must not hold"),
        ('"a\\b"', "must not hold"),
        ('"a\x00b"', "must not hold"),
        ('"a\tb"', "must not hold"),
        ('"a\x7fb"', "must not hold"),
        ('"a\udcffb"', "must not hold"),
    ],
)
def test_unusable_schema_names_are_refused_in_words(name: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        SchemaName(name)


@pytest.mark.parametrize("name", ["a", "document-parse", "a/b.c_d-9", "__pgboss__send-it", "0", ".", "x" * 500])
def test_usable_queue_names(name: str) -> None:
    assert check_queue_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "größe", "a:b", "a*", "a\x00", "\ud800", "٣"])
def test_unusable_queue_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="queue name"):
        check_queue_name(name)


@pytest.mark.parametrize("name", [None, 5, b"bytes", ["a"], True])
def test_a_queue_name_is_a_string(name: object) -> None:
    with pytest.raises(ValidationError, match="must be a string"):
        check_queue_name(name)


def test_the_message_says_which_name_is_meant() -> None:
    with pytest.raises(PgBossError, match="The dead_letter is empty"):
        check_queue_name("", what="dead_letter")


def test_identifiers_are_quoted_with_their_quotes_doubled() -> None:
    assert quote_identifier('a"b') == '"a""b"'


@pytest.mark.parametrize(
    ("text", "literal"),
    [("", "''"), ("plain", "'plain'"), ("it's", "'it''s'"), ("a\\b", " E'a\\\\b'"), ("\\'", " E'\\\\'''")],
)
def test_literals_survive_either_setting_of_standard_conforming_strings(text: str, literal: str) -> None:
    assert quote_literal(text) == literal
