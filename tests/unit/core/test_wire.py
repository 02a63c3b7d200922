"""JSON going out and coming in, and what becomes of a handler's output or error."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from pgboss.core.wire import Unreadable, camel_case, dumps, error_output, loads, output_text
from pgboss.errors import PayloadError

# What both JSON and jsonb take: U+0000 and lone surrogates are not among it.
_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Person(BaseModel):
    name: str = Field(alias="fullName")
    born: date
    extra: Any = None


@dataclass
class Node:
    label: str
    children: list[Any] = field(default_factory=list)


def nested(depth: int, leaf: object = None) -> object:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("priority", "priority"),
        ("retry_limit", "retryLimit"),
        ("delete_after_seconds", "deleteAfterSeconds"),
        ("expire_in_seconds", "expireInSeconds"),
    ],
)
def test_options_change_case_on_the_wire(name: str, wire: str) -> None:
    assert camel_case(name) == wire


class TestDumps:
    @settings(deadline=None)
    @given(_JSON)
    def test_json_comes_back_as_it_went(self, value: object) -> None:
        assert loads(dumps(value)) == value

    def test_keys_are_never_touched(self) -> None:
        assert dumps({"snake_case": 1, "camelCase": 2}) == '{"snake_case":1,"camelCase":2}'

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), '"2030-01-02T03:04:05+00:00"'),
            (date(2030, 1, 2), '"2030-01-02"'),
            (time(3, 4, 5), '"03:04:05"'),
            (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (Decimal("0.10"), '"0.10"'),
            (Colour.RED, '"red"'),
            (Level.HIGH, "3"),
            ((1, 2), "[1,2]"),
            (OrderedDict(a=1), '{"a":1}'),
            (MappingProxyType({"a": 1}), '{"a":1}'),
            (Node("root", [Node("leaf")]), '{"label":"root","children":[{"label":"leaf","children":[]}]}'),
            (Person(fullName="Ada", born=date(1815, 12, 10)), '{"fullName":"Ada","born":"1815-12-10","extra":null}'),
        ],
    )
    def test_everyday_types_become_json(self, value: object, text: str) -> None:
        assert dumps(value) == text

    @pytest.mark.parametrize(
        "value",
        [
            float("nan"),
            float("inf"),
            -float("inf"),
            {"deep": [float("nan")]},
            Node("x", [float("nan")]),
            Person(fullName="x", born=date.min, extra=float("nan")),
            Person(fullName="x", born=date.min, extra={"set": {float("inf")}}),
            Person(fullName="x", born=date.min, extra=MappingProxyType({"a": float("inf")})),
        ],
    )
    def test_nan_and_infinity_are_refused_wherever_they_hide(self, value: object) -> None:
        with pytest.raises(PayloadError, match="NaN and Infinity are not JSON"):
            dumps(value)

    @pytest.mark.parametrize("value", ["\x00", {"\x00": 1}, [{"a": "b\x00"}], "\\\x00", "\\\\\x00", Node("\x00")])
    def test_the_character_u0000_is_refused_as_key_and_value(self, value: object) -> None:
        with pytest.raises(PayloadError, match="U\\+0000"):
            dumps(value)

    def test_the_character_u0000_is_found_at_any_depth(self) -> None:
        with pytest.raises(PayloadError, match="U\\+0000"):
            dumps(nested(500, "\x00"))

    @pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", "\\\\\\u0000", "u0000", {"\\u0000": 1}])
    def test_text_that_only_looks_like_u0000_is_text(self, value: object) -> None:
        assert loads(dumps(value)) == value

    @pytest.mark.parametrize(
        "value", ["\ud800", {"\udfff": 1}, Person(fullName="x", born=date.min, extra={"\ud800": 1})]
    )
    def test_lone_surrogates_are_refused(self, value: object) -> None:
        with pytest.raises(PayloadError, match="lone surrogate"):
            dumps(value)

    @pytest.mark.parametrize("value", [{1}, b"bytes", object(), 1j, range(3), {(1, 2): 3}, int, Person, Node])
    def test_what_is_no_json_is_refused(self, value: object) -> None:
        with pytest.raises(PayloadError, match="The job data cannot be stored as JSON"):
            dumps({"a": value} if not isinstance(value, dict) else value)

    def test_a_cycle_is_refused(self) -> None:
        cycle: list[object] = []
        cycle.append({"again": cycle})
        node = Node("x")
        node.children.append(node)
        for value in (cycle, node):
            with pytest.raises(PayloadError, match="refers to itself"):
                dumps(value)

    def test_the_same_value_twice_is_no_cycle(self) -> None:
        shared = {"a": 1}
        assert dumps([shared, shared]) == '[{"a":1},{"a":1}]'

    def test_what_is_nested_too_deeply_is_refused(self) -> None:
        with pytest.raises(PayloadError, match="nested too deeply"):
            dumps(nested(100_000))

    def test_a_number_of_thousands_of_digits_is_refused(self) -> None:
        with pytest.raises(PayloadError, match="cannot be stored as JSON"):
            dumps(10**5000)

    def test_the_message_names_what_was_to_be_stored(self) -> None:
        with pytest.raises(PayloadError, match="The schedule data"):
            dumps({1, 2}, what="schedule data")


class TestLoads:
    def test_null_of_sql_and_null_of_json_are_none(self) -> None:
        assert loads(None) is None
        assert loads("null") is None

    @pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, f'{{"n":{"9" * 5000}}}'])
    def test_what_jsonb_holds_and_python_cannot_is_marked_and_not_raised(self, text: str) -> None:
        value = loads(text)
        assert isinstance(value, Unreadable)
        assert value.reason

    def test_what_was_unreadable_is_not_sent_on(self) -> None:
        with pytest.raises(PayloadError, match="Unreadable"):
            dumps({"copy": Unreadable("nested too deeply")})

    def test_text_that_is_no_json_raises(self) -> None:
        with pytest.raises(json.JSONDecodeError):
            loads("{")


class TestOutputText:
    def test_none_is_sql_null(self) -> None:
        assert output_text(None) is None

    @pytest.mark.parametrize("value", [{}, {"a": 1}, Node("x"), Person(fullName="x", born=date.min)])
    def test_objects_are_stored_as_they_are(self, value: object) -> None:
        assert output_text(value) == dumps(value)

    @pytest.mark.parametrize(
        "value", ["", "text", "{", 0, 1.5, False, [], [1, {"a": 2}], UUID(int=1), date(2030, 1, 2)]
    )
    def test_anything_else_is_wrapped(self, value: object) -> None:
        assert output_text(value) == f'{{"value":{dumps(value)}}}'

    def test_an_exception_is_stored_as_an_error(self) -> None:
        assert json.loads(output_text(ValueError("no")) or "")["message"] == "no"

    @pytest.mark.parametrize("value", [float("nan"), {1}, object(), "\x00"])
    def test_what_cannot_be_stored_is_refused(self, value: object) -> None:
        with pytest.raises(PayloadError, match="The output"):
            output_text(value)


class MuteError(Exception):
    def __str__(self) -> str:
        raise KeyError("no words")


def raised(error: BaseException, *, cause: BaseException | None = None) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def raised_while_handling(first: BaseException, second: BaseException) -> BaseException:
    def handle() -> None:
        try:
            raise first
        finally:
            raise second

    with pytest.raises(type(second)) as caught:
        handle()
    return caught.value


class TestErrorOutput:
    def test_an_error_has_its_name_message_and_stack(self) -> None:
        described = error_output(raised(ValueError("wrong")))
        assert described["name"] == "ValueError"
        assert described["message"] == "wrong"
        assert "in raised" in described["stack"]
        assert "cause" not in described

    def test_a_cause_is_described_within(self) -> None:
        described = error_output(raised(ValueError("outer"), cause=KeyError("inner")))
        assert described["cause"]["name"] == "KeyError"

    def test_the_error_being_handled_counts_as_the_cause(self) -> None:
        error = raised_while_handling(KeyError("first"), ValueError("second"))
        assert error_output(error)["cause"]["name"] == "KeyError"

    def test_a_suppressed_context_stays_out(self) -> None:
        error = raised_while_handling(KeyError("first"), ValueError("second"))
        error.__suppress_context__ = True
        assert "cause" not in error_output(error)

    def test_grouped_errors_are_described_each(self) -> None:
        described = error_output(ExceptionGroup("several", [ValueError("a"), KeyError("b")]))
        assert [error["name"] for error in described["errors"]] == ["ValueError", "KeyError"]

    def test_errors_that_cause_each_other_end(self) -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        dumps(error_output(first))

    @pytest.mark.parametrize(
        "error", [ValueError("a\x00b"), ValueError("\ud800"), MuteError(), SystemExit(3), KeyError()]
    )
    def test_any_exception_can_be_stored(self, error: BaseException) -> None:
        described = json.loads(dumps(error_output(raised(error))))
        assert described["name"] == type(error).__name__

    def test_an_exception_without_words_says_so(self) -> None:
        assert error_output(MuteError())["message"] == "<MuteError whose text could not be made: KeyError>"

    def test_a_stack_keeps_its_end_when_it_is_long(self) -> None:
        described = error_output(raised(ValueError("x" * 100_000 + "end")))
        assert len(described["stack"]) <= 16_000
        assert described["stack"].rstrip().endswith("end")
