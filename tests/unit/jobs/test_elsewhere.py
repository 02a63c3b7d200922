"""Handlers that no other process could import are refused when they are defined, in words."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs import JobDefinition, Jobs
from pgboss.jobs.elsewhere import import_of
from support import process_handlers

WORSE: Any = Jobs().job  # told what its types forbid


def fine(payload: Any) -> None: ...


async def coroutine(payload: Any) -> None: ...


def from_nowhere() -> Callable[..., Any]:
    module = types.ModuleType("made_up")
    exec("def handler(payload): pass", vars(module))
    found: Callable[..., Any] = module.handler
    return found


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(job: Any) -> Any:
        return function(job)

    return wrapper


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(job: Any) -> Any:
        return function(job)

    return wrapper


hidden = wrapped(process_handlers.undecorated)


def local() -> Callable[..., Any]:
    def handler(payload: Any) -> None: ...

    return handler


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (lambda job: None, r"it is a lambda, which has no name to import it by: define a function in a module"),
        (local(), r"local\.<locals>\.handler lies within another function, where no other process can find it"),
        (bare(fine), r"bare\.<locals>\.wrapper lies within .* let the decorator use functools\.wraps"),
        (partial(fine), r"a process can be given a function made with def only, not partial: wrap it in one"),
        (max, r"a process can be given a function made with def only, not builtin_function_or_method"),
        (from_nowhere(), r"handler is defined in made_up, which was imported from nowhere"),
    ],
)
def test_it_is_refused(handler: Callable[..., Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=rf'^x: .* cannot run with executor="process", .*: {complaint}'):
        JobDefinition.untyped("x", handler, executor="process")


def test_the_decorators_refuse_too() -> None:
    jobs = Jobs()
    with pytest.raises(ConfigurationError, match=r"^x: .*lies within another function"):
        jobs.job("x", executor="process")(local())
    with pytest.raises(ConfigurationError, match=r"^x: .*lies within another function"):
        jobs.batch("x", batch_size=2, executor="process")(local())
    assert len(jobs) == 0


def test_main_without_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(payload: Any) -> None: ...

    monkeypatch.setitem(__import__("sys").modules, "__main__", types.ModuleType("__main__"))
    handler.__module__, handler.__qualname__ = "__main__", "handler"
    with pytest.raises(ConfigurationError, match="handler is defined in an interactive session"):
        JobDefinition.untyped("x", handler, executor="process")


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_async_handlers_have_no_executor(executor: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"coroutine is async and runs in the event loop; executor='{executor}'"
    ):
        JobDefinition.untyped("x", coroutine, executor=executor)


def test_there_is_no_transaction_in_a_process() -> None:
    with pytest.raises(ValidationError, match=r'^x: executor="process" and transactional=True exclude each other'):
        Jobs().job("x", transactional=True, executor="process")


def test_there_is_no_other_executor() -> None:
    with pytest.raises(ValidationError, match=r'^x: executor must be "thread" or "process", not'):
        WORSE("x", executor="fork")


def test_a_name_that_means_another_function_is_refused() -> None:
    """Its address is right in form; what lies there is the function that was wrapped."""
    definition = JobDefinition.untyped("x", hidden, executor="process")
    with pytest.raises(ConfigurationError, match=r"process_handlers:undecorated is something else, perhaps what a dec"):
        definition.prepare()


def test_a_definition_is_found_behind_its_handlers_name() -> None:
    found = import_of(process_handlers.typed)

    assert (found.job, str(found.handler), found.is_typed, found.batch_size) == (
        "typed",
        "support.process_handlers:typed",
        True,
        None,
    )
    assert found.definition() is process_handlers.typed


def test_one_is_made_again_where_the_name_means_the_function() -> None:
    for definition in (
        Jobs().job("again", executor="process")(process_handlers.plain),
        Jobs().batch("again", batch_size=3, executor="process")(process_handlers.plain_lists),
        JobDefinition.untyped("again", process_handlers.takes_lists, batch_size=3, executor="process"),
    ):
        made = import_of(definition).definition()

        assert (made.name, made.handler, made.takes, made.is_batch) == (
            "again",
            definition.handler,
            definition.takes,
            definition.is_batch,
        )
