"""Texts of claims are remembered, and still those of the schema that they are for."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions
from pgboss.core.queue import QueueRef
from pgboss.sql.claim import claim

OPTIONS = FetchOptions(batch_size=3)
NEW = SchemaName("pgboss")
OLD = NEW.at(36, frozenset({"job_now()"}))


def text(schema: SchemaName) -> str:
    return claim(QueueRef(schema, "jobs", "job_common", "standard", False), OPTIONS).sql


def test_schemas_of_the_same_name_have_texts_of_their_own() -> None:
    assert "job_now()" in text(NEW)
    assert "job_now()" not in text(OLD)
    assert "+ 1.5" in text(NEW.after(1.5)).replace("1.500000", "1.5")


def test_the_same_text_comes_back() -> None:
    assert text(NEW) is text(NEW)
