"""What handlers raise to end their attempt in another way."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from pgboss.core.wire import error_output
from pgboss.errors import PgBossError, ValidationError
from pgboss.jobs import Discard, Snooze, Verdict


@pytest.mark.parametrize("verdict", [Discard("no"), Snooze(1)])
def test_verdicts_are_exceptions_but_none_of_our_errors(verdict: Verdict) -> None:
    assert isinstance(verdict, Verdict)
    assert not isinstance(verdict, PgBossError)


class TestDiscard:
    def test_it_says_why(self) -> None:
        discard = Discard("unknown document")
        assert (discard.reason, discard.output) == ("unknown document", None)
        assert error_output(discard) | {"stack": ""} == {"name": "Discard", "message": "unknown document", "stack": ""}

    def test_it_may_bring_an_output(self) -> None:
        assert Discard("no", output={"code": 404}).output == {"code": 404}

    def test_the_bare_class_will_do(self) -> None:
        with pytest.raises(Discard, match="discarded by its handler"):
            raise Discard

    def test_it_survives_another_process(self) -> None:
        copy = pickle.loads(pickle.dumps(Discard("no", output=[1])))
        assert (copy.reason, copy.output, str(copy)) == ("no", [1], "no")


class TestSnooze:
    @pytest.mark.parametrize(
        ("delay", "span"),
        [
            (0, timedelta()),
            (60, timedelta(minutes=1)),
            (2**31 - 1, timedelta(seconds=2**31 - 1)),
            (timedelta(), timedelta()),
            (timedelta(milliseconds=1), timedelta(milliseconds=1)),
            (timedelta(seconds=2**31 - 1), timedelta(seconds=2**31 - 1)),
        ],
    )
    def test_the_delay_is_seconds_or_a_timedelta(self, delay: Any, span: timedelta) -> None:
        assert Snooze(delay).delay == span

    @pytest.mark.parametrize(
        "delay",
        [
            -1,
            2**31,
            timedelta(microseconds=-1),
            timedelta(seconds=2**31),
            timedelta.max,
            True,
            1.5,
            float("nan"),
            float("inf"),
            "60",
            None,
        ],
    )
    def test_other_delays_are_refused(self, delay: Any) -> None:
        with pytest.raises(ValidationError, match="delay must be"):
            Snooze(delay)

    def test_it_says_for_how_long(self) -> None:
        assert str(Snooze(90)) == "snoozed for 0:01:30"

    def test_it_survives_another_process(self) -> None:
        assert pickle.loads(pickle.dumps(Snooze(90))).delay == timedelta(seconds=90)
