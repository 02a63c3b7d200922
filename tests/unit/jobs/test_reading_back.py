"""What was sent and what was returned, read back through a definition in its types."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from pgboss.core.job import JobDetails
from pgboss.core.wire import Unreadable, loads, output_text
from pgboss.errors import PayloadError
from pgboss.jobs import JobDefinition, Jobs
from unit.jobs.samples import Document, a_job

NOW = datetime(2030, 1, 2, tzinfo=UTC)


class Parsed(BaseModel):
    chunks: int
    on: date | None = None


@dataclass
class Value:
    value: int


def details(output: Any, state: Any = "completed", data: Any = None) -> JobDetails:
    missing = {field.name: None for field in dataclasses.fields(JobDetails)}
    job = {field.name: getattr(a_job(data), field.name) for field in dataclasses.fields(a_job())}
    return JobDetails(**{**missing, **job, "state": state, "output": output})


def definition_of(result: Any, *, is_batch: bool = False) -> JobDefinition[Any, Any]:
    def handler(payload: Any) -> None: ...

    handler.__annotations__["return"] = result
    jobs = Jobs()
    return jobs.batch("a", batch_size=2)(handler) if is_batch else jobs.job("a")(handler)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Parsed, Parsed(chunks=3, on=date(2030, 1, 2))),
        (Value, Value(7)),
        (dict[str, int], {"value": 7}),
        (dict[str, int], {"a": 1}),
        (int, 7),
        (str, "text"),
        (bool, False),
        (list[int], [1, 2]),
        (list[Parsed], [Parsed(chunks=1), Parsed(chunks=2)]),
        (UUID, UUID(int=5)),
        (datetime, NOW),
        (Parsed | int, 5),
        (Parsed | int, Parsed(chunks=5)),
        (Any, {"a": [1]}),
        (Any, [1, "two"]),
        (None, None),
        (Parsed | None, None),
    ],
)
def test_a_result_comes_back_as_it_was(declared: Any, value: Any) -> None:
    definition = definition_of(declared)
    stored = loads(output_text(definition.encode_result(value)))

    assert definition.result_of(details(stored)) == value


@pytest.mark.parametrize(
    "declared",
    [list[Parsed], list[Parsed | BaseException], tuple[Parsed, ...], dict[UUID, Parsed], list[Parsed] | None],
)
def test_a_batch_has_results_of_one_job_each(declared: Any) -> None:
    definition = definition_of(declared, is_batch=True)

    assert definition.result_of(details({"chunks": 3})) == Parsed(chunks=3)


@pytest.mark.parametrize("state", ["created", "retry", "active", "cancelled", "failed"])
def test_only_completed_jobs_have_a_result(state: str) -> None:
    assert definition_of(int).result_of(details({"message": "an error"}, state)) is None


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ({"value": "text"}, r"a: the result: .*integer"),
        ({"chunks": "x"}, r"a: the result: .*integer"),
        (Unreadable("too deep"), r"a: Python cannot read the output of this job: too deep"),
    ],
)
def test_a_result_of_another_type_is_refused(output: Any, complaint: str) -> None:
    with pytest.raises(PayloadError, match=complaint):
        definition_of(int).result_of(details(output))


def test_payloads_are_read_from_any_job() -> None:
    document = Document(document_id=UUID(int=1), file_path="a.pdf")
    definition = Jobs().declare("documents", Document)
    data = definition.encode(document)

    assert definition.payload_of(a_job(data)) == document
    assert definition.payload_of(details(None, "failed", data)) == document
    with pytest.raises(PayloadError, match=r"documents: "):
        definition.payload_of(a_job({"pages": 0}))
