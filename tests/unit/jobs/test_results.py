"""What handlers return, on its way into the job's output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, computed_field

from pgboss.core.wire import loads, output_text
from pgboss.errors import PayloadError
from pgboss.jobs import JobDefinition, Jobs

if TYPE_CHECKING:
    from fractions import Fraction


class ParseResult(BaseModel):
    chunk_count: int = Field(serialization_alias="chunkCount")
    document: UUID

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators upon properties
    @property
    def is_empty(self) -> bool:
        return self.chunk_count == 0


@dataclass
class Report:
    at: datetime
    pages: set[int]


class Odd:
    """Nothing pydantic can handle."""


def modelled(payload: Any) -> ParseResult:
    raise NotImplementedError


def maybe(payload: Any) -> ParseResult | None:
    raise NotImplementedError


def listed(payload: Any) -> list[ParseResult]:
    raise NotImplementedError


def reported(payload: Any) -> Report:
    raise NotImplementedError


def nothing(payload: Any) -> None: ...


def anything(payload: Any) -> Any: ...


def unannotated(payload):  # type: ignore[no-untyped-def]  # what is tested
    ...


def odd(payload: Any) -> Odd:
    raise NotImplementedError


def known_to_checkers_only(payload: Any) -> Fraction:
    raise NotImplementedError


def stored(handler: Callable[..., Any], value: object) -> Any:
    """The job's output, when the handler returned this value."""
    definition: JobDefinition[Any, Any] = Jobs().job("document-parse")(handler)
    return loads(output_text(definition.encode_result(value)))


RESULT = ParseResult(chunk_count=2, document=UUID(int=1))
RESULT_JSON = {"chunkCount": 2, "document": str(UUID(int=1)), "is_empty": False}


@pytest.mark.parametrize(
    ("handler", "value", "output"),
    [
        (modelled, RESULT, RESULT_JSON),
        (maybe, RESULT, RESULT_JSON),
        (maybe, None, None),
        (listed, [RESULT], {"value": [RESULT_JSON]}),
        (reported, Report(datetime(2030, 1, 2, tzinfo=UTC), {1}), {"at": "2030-01-02T00:00:00Z", "pages": [1]}),
        (nothing, None, None),
        (anything, RESULT, RESULT_JSON),
        (unannotated, RESULT, RESULT_JSON),
        (unannotated, "text", {"value": "text"}),
        (anything, {"keys_stay": 1}, {"keys_stay": 1}),
        (odd, MappingProxyType({"a": 1}), {"a": 1}),
        (known_to_checkers_only, [1, 2], {"value": [1, 2]}),
    ],
)
def test_results_are_stored_by_their_annotation(handler: Callable[..., Any], value: object, output: object) -> None:
    assert stored(handler, value) == output


@pytest.mark.parametrize("handler", [modelled, listed, reported, nothing])
@pytest.mark.parametrize("value", ["text", {"a": 1}, [1]])
def test_a_result_of_another_shape_is_stored_as_it_is(handler: Callable[..., Any], value: object) -> None:
    assert stored(handler, value) == (value if isinstance(value, dict) else {"value": value})


@pytest.mark.parametrize("handler", [modelled, listed, anything, nothing])
@pytest.mark.parametrize("value", [object(), {"a": object()}, nan, [nan], "\x00", "\ud800"])
def test_what_cannot_be_stored_is_refused(handler: Callable[..., Any], value: object) -> None:
    with pytest.raises(PayloadError):
        stored(handler, value)


def test_an_object_of_another_class_is_refused_in_words() -> None:
    with pytest.raises(PayloadError, match=r"output cannot be stored as JSON: Odd is not a JSON type"):
        stored(modelled, Odd())


def test_a_coroutine_nobody_awaited_is_told_and_closed() -> None:
    finished = False

    async def work() -> None:
        nonlocal finished
        finished = True

    with pytest.raises(PayloadError, match="document-parse: the handler is a plain function and returned a coroutine"):
        stored(anything, work())
    assert not finished
