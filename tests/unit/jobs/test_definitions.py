"""Definitions: what the decorator makes of a function, and how workers call it."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from pgboss.core.job import Job
from pgboss.core.options import QueueOptions
from pgboss.core.target import outgoing, queue_name
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs import JobDefinition, Jobs
from unit.jobs.samples import DOCUMENT, Document, a_job, loud

if TYPE_CHECKING:
    from pgboss.core.job import Job as JobForCheckers

jobs = Jobs()


@jobs.job("document-parse", concurrency=2, retry_limit=3, expire_in_seconds=3600, dead_letter="failed-docs")
async def parse(payload: Document, job: Job) -> str:
    """Parse one document."""
    return f"{payload.file_path} by {job.id}"


@jobs.job("count")
def count(payload: list[int]) -> int:
    return len(payload)


DOC = Document(document_id=DOCUMENT, file_path="a.pdf")


class KnownHereOnly(BaseModel):
    a: int


class TestWhatTheDecoratorMakes:
    def test_a_definition_knows_what_was_said(self) -> None:
        assert parse.name == "document-parse"
        assert parse.concurrency == 2
        assert parse.queue_options == QueueOptions(retry_limit=3, expire_in_seconds=3600, dead_letter="failed-docs")
        assert parse.is_async
        assert inspect.iscoroutinefunction(parse.handler)

    def test_what_was_not_said_is_absent(self) -> None:
        assert count.concurrency is None
        assert count.queue_options.given() == {}
        assert not count.is_async

    def test_it_looks_like_its_function(self) -> None:
        assert parse.__name__ == "parse"  # type: ignore[attr-defined]  # copied from the function
        assert parse.__doc__ == "Parse one document."
        assert parse.__module__ == __name__
        assert list(inspect.signature(parse).parameters) == ["payload", "job"]
        assert repr(parse) == "<HandledJob document-parse>"

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            parse.name = "other"  # type: ignore[misc]  # refused statically too, which is the point

    def test_definitions_are_told_apart_and_can_be_keys(self) -> None:
        assert len({parse, count, parse}) == 2

    async def test_it_is_still_the_function(self) -> None:
        assert await parse(DOC, a_job()) == f"a.pdf by {a_job().id}"
        assert count([1, 2]) == 2

    def test_a_call_by_hand_goes_past_all_checks(self) -> None:
        assert count("abc") == 3  # type: ignore[arg-type]  # what a test of a handler may want

    def test_it_is_what_calls_are_aimed_at(self) -> None:
        assert queue_name(parse) == "document-parse"
        assert outgoing(parse, DOC)["filePath"] == "a.pdf"


class TestCalling:
    async def test_the_job_is_given_to_those_who_take_it(self) -> None:
        assert parse.is_async
        assert await parse.call(DOC, a_job()) == f"a.pdf by {a_job().id}"

    def test_and_to_no_others(self) -> None:
        assert count.call([1, 2, 3], a_job()) == 3

    @pytest.mark.parametrize("annotation", [Job, Any, object, None])
    def test_the_job_may_be_annotated_or_not(self, annotation: Any) -> None:
        def handler(payload: Any, it):  # type: ignore[no-untyped-def]  # annotated below
            return it

        if annotation is not None:
            handler.__annotations__["it"] = annotation
        job = a_job()
        assert Jobs().job("any")(handler).call({}, job) is job

    def test_the_job_may_be_known_to_type_checkers_only(self) -> None:
        def handler(payload: Any, job: JobForCheckers) -> Any:
            return job.name

        assert Jobs().job("any")(handler).call({}, a_job()) == "document-parse"

    def test_further_keyword_arguments_keep_their_defaults(self) -> None:
        def handler(payload: Any, /, *, factor: int = 2) -> Any:
            return payload * factor

        assert Jobs().job("any")(handler).call(21, a_job()) == 42

    def test_a_method_of_an_object_will_do(self) -> None:
        class Parser:
            async def parse(self, payload: Document, job: Job) -> None: ...

        definition = Jobs().job("any")(Parser().parse)
        assert definition.is_async
        assert definition.encode(DOC)["filePath"] == "a.pdf"

    def test_a_wrapped_function_shows_what_it_wraps(self) -> None:
        @Jobs().job("any")
        @loud
        def handler(payload: KnownHereOnly) -> int:
            return payload.a

        assert handler.call(KnownHereOnly(a=1), a_job()) == "1!"
        assert handler.decode({"a": 1}) == KnownHereOnly(a=1)

    def test_a_declared_job_cannot_be_worked(self) -> None:
        declared = Jobs().declare("elsewhere", Document)
        assert declared.handler is None
        with pytest.raises(ConfigurationError, match="elsewhere is declared without a handler"):
            declared.call(DOC, a_job())


class Callable_:  # noqa: N801  a name for an object that is called
    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def __call__(self, job: Job) -> None:
        self.jobs.append(job)


class TestUntyped:
    def test_the_handler_takes_the_job_and_nothing_else(self) -> None:
        definition = JobDefinition.untyped("legacy", lambda job: job.data, concurrency=3)
        job = a_job({"any": "json"})
        assert definition.name == "legacy"
        assert definition.concurrency == 3
        assert not definition.is_async
        assert definition.queue_options.given() == {}
        assert definition.call(definition.decode(job.data), job) == {"any": "json"}

    def test_data_and_results_are_plain_json(self) -> None:
        definition = JobDefinition.untyped("legacy", print)
        data = {"a": [1]}
        assert definition.decode(data) is data
        assert definition.encode(data) is data
        assert definition.encode_result(data) is data

    async def test_asynchronous_ones_of_every_make_are_seen(self) -> None:
        async def function(job: Job, factor: int = 1) -> None: ...

        handler = Callable_()
        for asynchronous in (function, partial(function, factor=2), handler, handler.__call__):
            assert JobDefinition.untyped("legacy", asynchronous).is_async
        await JobDefinition.untyped("legacy", handler).call(None, a_job())
        assert handler.jobs == [a_job()]

    @pytest.mark.parametrize(
        ("handler", "complaint"),
        [
            (lambda: None, "must take the job and nothing else"),
            (lambda payload, job: None, "must take the job and nothing else.*@jobs.job"),
            (lambda job, *, needed: None, "must take the job and nothing else"),
            (lambda job: (yield), "generator"),
            (None, "must be a function, not NoneType"),
            ("handler", "must be a function, not str"),
            (Document, "is a class"),
        ],
    )
    def test_others_are_refused(self, handler: Any, complaint: str) -> None:
        with pytest.raises(ConfigurationError, match=f"legacy: .*{complaint}"):
            JobDefinition.untyped("legacy", handler)

    def test_name_and_concurrency_are_checked(self) -> None:
        with pytest.raises(ValidationError, match="queue name"):
            JobDefinition.untyped("not a name", print)
        with pytest.raises(ValidationError, match="legacy: concurrency"):
            JobDefinition.untyped("legacy", print, concurrency=0)
