"""Functions that cannot be handlers are refused when they are defined, in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from pgboss.core.job import Job
from pgboss.errors import ConfigurationError
from pgboss.jobs import Jobs
from unit.jobs.samples import Document


def no_parameters() -> None: ...


def three(payload: Any, job: Job, more: int = 1) -> None: ...


def job_first(job: Job) -> None: ...


def swapped(job: Job, payload: Any) -> None: ...


def second_is_no_job(payload: Any, limit: int = 5) -> None: ...


def maybe_a_job(payload: Any, job: Job | None) -> None: ...


def anything_goes(*args: Any) -> None: ...


def any_keyword(payload: Any, **more: Any) -> None: ...


def needs_keyword(payload: Any, *, limit: int) -> None: ...


def generator(payload: Any) -> Iterator[int]:
    yield 1


async def async_generator(payload: Any) -> AsyncIterator[int]:
    yield 1


class Parser:
    def parse(self, payload: Any) -> None: ...

    def __call__(self, payload: Any) -> None: ...


def unknown_payload_but_known_job(job: Job, payload: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (no_parameters, r"test_handlers\.no_parameters takes no parameters; it must take the payload"),
        (three, r"three takes 3 parameters; it must take the payload, and may take the Job, nothing else"),
        (job_first, r"job_first takes the Job as its first parameter; the payload comes first, the Job second"),
        (swapped, r"swapped takes the Job as its first parameter"),
        (unknown_payload_but_known_job, r"takes the Job as its first parameter"),
        (second_is_no_job, r"second_is_no_job takes a second parameter 'limit', which must be annotated as Job"),
        (maybe_a_job, r"maybe_a_job takes a second parameter 'job', which must be annotated as Job"),
        (anything_goes, r"anything_goes takes \*args.*; name its parameters"),
        (any_keyword, r"any_keyword takes \*\*more.*; name its parameters"),
        (needs_keyword, r"needs_keyword needs the keyword argument 'limit', which nobody would give"),
        (generator, r"generator is a generator: it yields"),
        (async_generator, r"async_generator is a generator: it yields"),
        (lambda payload: None, r"the handler is a lambda; define a function with a name"),
        (Parser.parse, r"Parser\.parse is a method of a class"),
        (Parser, r"Parser is a class"),
        (Parser(), r"must be a function made with def or async def, not Parser"),
        (partial(three, more=2), r"must be a function made with def or async def, not partial"),
        (None, r"must be a function, not NoneType"),
        ("handler", r"must be a function, not str: 'handler'"),
        (max, r"the parameters of builtins\.max cannot be read"),
    ],
)
def test_it_is_refused(handler: Callable[..., Any], complaint: str) -> None:
    jobs = Jobs()
    with pytest.raises(ConfigurationError, match=rf"^document-parse: .*{complaint}"):
        jobs.job("document-parse")(handler)
    assert len(jobs) == 0


def test_a_definition_is_no_handler_of_another() -> None:
    jobs = Jobs()

    @jobs.job("first")
    def handler(payload: Document) -> None: ...

    with pytest.raises(ConfigurationError, match=r"second: the handler must be a function .* not HandledJob"):
        jobs.job("second")(handler)
