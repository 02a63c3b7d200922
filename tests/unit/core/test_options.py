"""Every option's range with its edges, and what absent and ``None`` mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product
from typing import Any, get_type_hints
from uuid import UUID

import pytest

from pgboss.core.checks import UNSET, Unset, check_integer
from pgboss.core.options import (
    FetchKeywords,
    FetchOptions,
    Options,
    QueueKeywords,
    QueueOptions,
    RetryKeywords,
    RetryOptions,
    SendKeywords,
    SendOptions,
    UpdateKeywords,
    UpdateOptions,
    start_after_text,
)
from pgboss.errors import PgBossError, ValidationError

INT4 = 2**31 - 1
DAY = 86_400

# Option, the least and the greatest value it takes, whether a timedelta will do.
RANGES = [
    ("retry_limit", 0, INT4, False),
    ("retry_delay", 0, INT4, True),
    ("expire_in_seconds", 1, DAY, True),
    ("retention_seconds", 1, INT4, True),
    ("delete_after_seconds", 0, INT4, True),
    ("heartbeat_seconds", 10, INT4, True),
]
NUMBERS = [
    *((kind, *row) for kind, row in product((SendOptions, QueueOptions), RANGES)),
    (SendOptions, "priority", -INT4 - 1, INT4, False),
    (SendOptions, "singleton_seconds", 1, INT4, True),
    (QueueOptions, "warning_queue_size", 0, INT4, False),
    (FetchOptions, "batch_size", 1, INT4, False),
    (FetchOptions, "min_priority", -INT4 - 1, INT4, False),
    (FetchOptions, "max_priority", -INT4 - 1, INT4, False),
]
NOT_INTEGERS: list[object] = [True, False, 1.0, 1.5, "1", [1], float("nan"), 10j, object()]


def made(kind: type[Options], **options: object) -> Any:
    return kind(**options)


@pytest.mark.parametrize(("kind", "option", "low", "high", "spans"), NUMBERS)
class TestNumbers:
    def test_both_ends_are_taken(self, kind: type[Options], option: str, low: int, high: int, spans: bool) -> None:
        for value in (low, high):
            assert getattr(made(kind, **{option: value}), option) == value

    def test_just_beyond_either_end_is_refused(
        self, kind: type[Options], option: str, low: int, high: int, spans: bool
    ) -> None:
        for value in (low - 1, high + 1):
            with pytest.raises(ValidationError, match=f"{option} must be an integer .*{low}.*{value}"):
                made(kind, **{option: value})

    def test_only_integers_are_taken_and_a_bool_is_none(
        self, kind: type[Options], option: str, low: int, high: int, spans: bool
    ) -> None:
        for value in NOT_INTEGERS:
            with pytest.raises(ValidationError, match=f"{option} must be an integer"):
                made(kind, **{option: value})

    def test_a_timedelta_of_whole_seconds_is_taken_for_seconds_only(
        self, kind: type[Options], option: str, low: int, high: int, spans: bool
    ) -> None:
        span = timedelta(seconds=max(low, 60))
        if spans:
            assert getattr(made(kind, **{option: span}), option) == 60
        else:
            with pytest.raises(ValidationError, match=f"{option} must be an integer"):
                made(kind, **{option: span})


@pytest.mark.parametrize("kind", [SendOptions, QueueOptions])
class TestSeconds:
    def test_a_timedelta_keeps_to_the_range(self, kind: type[Options]) -> None:
        assert made(kind, expire_in_seconds=timedelta(days=1)).expire_in_seconds == DAY
        with pytest.raises(ValidationError, match="expire_in_seconds must be an integer from 1 to 86400, not 86401"):
            made(kind, expire_in_seconds=timedelta(days=1, seconds=1))
        with pytest.raises(ValidationError, match="retry_delay must be an integer of 0 or more, not -1"):
            made(kind, retry_delay=timedelta(seconds=-1))

    def test_a_timedelta_with_a_fraction_is_refused(self, kind: type[Options]) -> None:
        with pytest.raises(ValidationError, match="retry_delay must be whole seconds"):
            made(kind, retry_delay=timedelta(milliseconds=1500))


FLAGS = [
    (SendOptions, "retry_backoff"),
    (QueueOptions, "retry_backoff"),
    (QueueOptions, "partition"),
    (QueueOptions, "notify"),
    (FetchOptions, "ignore_start_after"),
]


@pytest.mark.parametrize(("kind", "option"), FLAGS)
def test_flags_are_true_or_false_and_nothing_like_it(kind: type[Options], option: str) -> None:
    for flag in (True, False):
        assert getattr(made(kind, **{option: flag}), option) is flag
    for value in (0, 1, "true", None, object()):
        with pytest.raises(ValidationError, match=f"{option} must be True or False"):
            made(kind, **{option: value})


CLEARABLE = {"retry_delay_max", "heartbeat_seconds", "dead_letter", "start_after", "singleton_key"}


@pytest.mark.parametrize("kind", [SendOptions, QueueOptions, FetchOptions])
def test_none_clears_where_pg_boss_lets_null_clear_and_is_refused_elsewhere(kind: type[Any]) -> None:
    for option in (field.name for field in fields(kind)):
        if option in CLEARABLE:
            options = made(kind, **{option: None})
            assert options.given() == {option: None}
        else:
            with pytest.raises(ValidationError, match=option):
                made(kind, **{option: None})


@pytest.mark.parametrize("kind", [SendOptions, QueueOptions, FetchOptions])
def test_absent_is_neither_a_value_nor_none(kind: type[Any]) -> None:
    options = made(kind)
    assert all(getattr(options, field.name) is UNSET for field in fields(kind))
    assert options.given() == {}
    assert options.wire() == {}


def test_unset_is_false_and_says_its_name() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert UNSET is Unset.UNSET


def test_options_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        QueueOptions().notify = True  # type: ignore[misc]  # refused statically too, which is the point


def test_options_go_by_pg_boss_names_on_the_wire() -> None:
    options = SendOptions(retry_limit=0, expire_in_seconds=timedelta(minutes=1), dead_letter=None, singleton_key="k")
    assert options.given() == {"retry_limit": 0, "expire_in_seconds": 60, "dead_letter": None, "singleton_key": "k"}
    assert options.wire() == {"retryLimit": 0, "expireInSeconds": 60, "deadLetter": None, "singletonKey": "k"}


@pytest.mark.parametrize(
    ("keywords", "kind"),
    [
        (RetryKeywords, RetryOptions),
        (SendKeywords, SendOptions),
        (UpdateKeywords, UpdateOptions),
        (QueueKeywords, QueueOptions),
        (FetchKeywords, FetchOptions),
    ],
)
def test_keyword_arguments_and_options_agree(keywords: type[Any], kind: type[Any]) -> None:
    assert set(get_type_hints(keywords)) == {field.name for field in fields(kind)}
    assert keywords.__required_keys__ == frozenset()


@pytest.mark.parametrize("kind", [SendOptions, QueueOptions])
class TestRetryDelayMax:
    def test_it_comes_with_backoff_in_the_same_call(self, kind: type[Options]) -> None:
        assert made(kind, retry_delay_max=60, retry_backoff=True).retry_delay_max == 60
        assert made(kind, retry_delay_max=0, retry_backoff=True).retry_delay_max == 0
        for others in ({}, {"retry_backoff": False}):
            for cap in (0, 60):
                with pytest.raises(ValidationError, match="needs retry_backoff=True in the same call"):
                    made(kind, retry_delay_max=cap, **others)

    def test_clearing_it_needs_no_backoff(self, kind: type[Options]) -> None:
        assert made(kind, retry_delay_max=None).retry_delay_max is None

    def test_its_range(self, kind: type[Options]) -> None:
        assert made(kind, retry_delay_max=INT4, retry_backoff=True).retry_delay_max == INT4
        assert made(kind, retry_delay_max=timedelta(hours=1), retry_backoff=True).retry_delay_max == 3600
        for value in (-1, INT4 + 1, True, 1.5):
            with pytest.raises(ValidationError, match="retry_delay_max"):
                made(kind, retry_delay_max=value, retry_backoff=True)


class TestText:
    @pytest.mark.parametrize("value", ["", "key", "größe", "a b\n", "\U0001f600"])
    def test_a_singleton_key_is_any_text(self, value: str) -> None:
        assert SendOptions(singleton_key=value).singleton_key == value

    @pytest.mark.parametrize("option", ["singleton_key", "group_id", "start_after"])
    @pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", "ok\udfff"])
    def test_text_that_postgresql_cannot_hold_is_refused(self, option: str, value: str) -> None:
        with pytest.raises(ValidationError, match=f"{option} must not hold"):
            made(SendOptions, **{option: value})

    @pytest.mark.parametrize("option", ["singleton_key", "group_id", "dead_letter"])
    @pytest.mark.parametrize("value", [5, b"x", ["x"], True])
    def test_text_is_a_string(self, option: str, value: object) -> None:
        with pytest.raises(ValidationError, match=f"{option} must be a string"):
            made(SendOptions, **{option: value})

    def test_a_group_has_a_name_and_a_tier_has_a_group(self) -> None:
        options = SendOptions(group_id="g", group_tier="t")
        assert (options.group_id, options.group_tier) == ("g", "t")
        with pytest.raises(ValidationError, match="group_id must not be empty"):
            SendOptions(group_id="")
        with pytest.raises(ValidationError, match="group_tier must not be empty"):
            SendOptions(group_id="g", group_tier="")
        with pytest.raises(ValidationError, match=r"group_tier \('t'\) needs a group_id"):
            SendOptions(group_tier="t")

    @pytest.mark.parametrize("kind", [SendOptions, QueueOptions])
    def test_a_dead_letter_queue_has_a_queue_name(self, kind: type[Options]) -> None:
        assert made(kind, dead_letter="failed/docs.1").dead_letter == "failed/docs.1"
        for value in ("", "a b", "ä"):
            with pytest.raises(ValidationError, match="dead_letter"):
                made(kind, dead_letter=value)


class TestIds:
    def test_a_uuid_is_taken_as_one_or_as_text(self) -> None:
        uuid = UUID("0189c5a6-0000-7000-8000-000000000001")
        for given in (uuid, str(uuid), str(uuid).upper(), f"{{{uuid}}}", uuid.hex):
            assert SendOptions(id=given).id == uuid

    @pytest.mark.parametrize("value", ["", "not-a-uuid", 5, b"x" * 16, True])
    def test_anything_else_is_refused(self, value: object) -> None:
        with pytest.raises(ValidationError, match="id must be a UUID"):
            made(SendOptions, id=value)


class TestPolicy:
    @pytest.mark.parametrize("policy", ["standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo"])
    def test_the_policies_of_pg_boss(self, policy: str) -> None:
        assert made(QueueOptions, policy=policy).policy == policy

    @pytest.mark.parametrize("policy", ["", "Standard", "fifo", 1, ["standard"], True])
    def test_no_others(self, policy: object) -> None:
        with pytest.raises(ValidationError, match="policy must be one of standard, short"):
            made(QueueOptions, policy=policy)


class TestStartAfter:
    @pytest.mark.parametrize(
        "value",
        [
            datetime(2030, 1, 2, tzinfo=UTC),
            timedelta(minutes=5),
            timedelta(seconds=-5),
            0,
            -5,
            1.5,
            100_000_000_000,
            -100_000_000_000,
            "5 minutes",
            "2030-01-02",
            "",
        ],
    )
    def test_instants_delays_and_text_are_taken(self, value: Any) -> None:
        assert SendOptions(start_after=value).start_after == value

    @pytest.mark.parametrize("value", [True, [], {}, date(2030, 1, 2), b"5"])
    def test_other_things_are_refused(self, value: object) -> None:
        with pytest.raises(ValidationError, match="start_after must be a datetime, a timedelta, seconds or a string"):
            made(SendOptions, start_after=value)

    def test_a_datetime_needs_its_time_zone(self) -> None:
        with pytest.raises(ValidationError, match="without a time zone"):
            SendOptions(start_after=datetime(2030, 1, 2))  # noqa: DTZ001  the missing zone is what is tested

    @pytest.mark.parametrize(
        "value",
        [
            float("nan"),
            float("inf"),
            -float("inf"),
            100_000_000_001,
            -100_000_000_001,
            10**400,
            timedelta.max,
            timedelta.min,
        ],
    )
    def test_beyond_all_calendars_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError, match="start_after must be at most 100000000000 seconds away"):
            SendOptions(start_after=value)


class TestStartAfterText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, None),
            (UNSET, None),
            (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), "2030-01-02T03:04:05+00:00"),
            (datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2030-01-02T00:00:00+05:30"),
            (5, "5.000000"),
            (1.5, "1.500000"),
            (timedelta(minutes=5), "300.000000"),
            (100_000_000_000, "27777777:46:40.000000"),
            ("5 minutes", "5 minutes"),
            ("PT1H", "PT1H"),
            ("-5", "-5"),
            ("2030-01-02", "2030-01-02Z"),
            ("2030-01-02T03", "2030-01-02T03Z"),
            ("2030-01-02 03:04", "2030-01-02 03:04Z"),
            ("2030-01-02T03:04:05", "2030-01-02T03:04:05Z"),
            ("2030-01-02T03:04:05.678", "2030-01-02T03:04:05.678Z"),
            ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"),
            ("2030-01-02T03:04:05+05:30", "2030-01-02T03:04:05+05:30"),
            ("2030-01-02 03:04:05 America/New_York", "2030-01-02 03:04:05 America/New_York"),
            ("2030-01-02\n", "2030-01-02\n"),
            ("٢٠٣٠-01-02", "٢٠٣٠-01-02"),
            ("2027-01", "2027-01"),
        ],
    )
    def test_what_the_database_reads(self, value: Any, text: str | None) -> None:
        assert start_after_text(value) == text

    @pytest.mark.parametrize("value", [0, -5, 0.0, -0.5, timedelta(), timedelta(seconds=-5)])
    def test_a_delay_that_is_over_means_now_in_send_and_is_kept_in_insert(self, value: Any) -> None:
        assert start_after_text(value) is None
        kept = start_after_text(value, past_is_now=False)
        assert kept is not None
        assert float(kept) == (value.total_seconds() if isinstance(value, timedelta) else value)


class TestOver:
    def test_given_options_win_over_defaults(self) -> None:
        merged = QueueOptions(retry_limit=1, dead_letter=None).over(QueueOptions(retry_limit=9, retry_delay=2))
        assert merged.given() == {"retry_limit": 1, "retry_delay": 2, "dead_letter": None}

    @pytest.mark.parametrize(
        ("given", "cap"),
        [({}, 60), ({"retry_backoff": True}, 60), ({"retry_backoff": True, "retry_delay_max": 5}, 5)],
    )
    def test_the_cap_of_the_defaults_lasts_as_long_as_backoff_does(self, given: Mapping[str, Any], cap: int) -> None:
        defaults = QueueOptions(retry_backoff=True, retry_delay_max=60)
        assert QueueOptions(**given).over(defaults).retry_delay_max == cap

    def test_without_backoff_there_is_no_cap(self) -> None:
        defaults = QueueOptions(retry_backoff=True, retry_delay_max=60)
        assert QueueOptions(retry_backoff=False).over(defaults).retry_delay_max is UNSET


def test_priorities_of_a_fetch_are_in_order() -> None:
    assert FetchOptions(min_priority=1, max_priority=1).given() == {"min_priority": 1, "max_priority": 1}
    with pytest.raises(ValidationError, match=r"min_priority \(2\) must not be above max_priority \(1\)"):
        FetchOptions(min_priority=2, max_priority=1)


def test_an_integer_below_no_upper_end_is_told_only_the_lower() -> None:
    with pytest.raises(ValidationError, match="count must be an integer of 3 or more, not 2"):
        check_integer("count", 2, 3)
    with pytest.raises(ValidationError, match="count must be an integer from 3 to 5, not 6"):
        check_integer("count", 6, 3, 5)


def test_a_validation_error_is_ours_and_a_value_error() -> None:
    with pytest.raises(PgBossError):
        QueueOptions(retry_limit=-1)
    with pytest.raises(ValueError, match="retry_limit"):
        QueueOptions(retry_limit=-1)


class TestUpdateOptions:
    def test_none_clears_what_a_job_can_do_without(self) -> None:
        cleared = {"retry_delay_max": None, "heartbeat_seconds": None, "dead_letter": None}
        assert made(UpdateOptions, singleton_key="k", **cleared).given() == cleared | {"singleton_key": "k"}
        for option in {field.name for field in fields(UpdateOptions)} - cleared.keys():
            with pytest.raises(ValidationError, match=option):
                made(UpdateOptions, **({"singleton_key": "k"} | {option: None}))

    def test_jobs_are_named_in_exactly_one_way(self) -> None:
        uuid = UUID(int=1)
        assert UpdateOptions(id=str(uuid)).id == uuid
        assert UpdateOptions(singleton_key="k", match="all").match == "all"
        with pytest.raises(ValidationError, match="exactly one of id and singleton_key, not neither"):
            UpdateOptions(priority=1)
        with pytest.raises(ValidationError, match="exactly one of id and singleton_key, not both"):
            UpdateOptions(id=uuid, singleton_key="k")
        with pytest.raises(ValidationError, match=r"match \('oldest'\) is for jobs named by singleton_key"):
            UpdateOptions(id=uuid, match="oldest")


def test_a_next_slot_needs_slots() -> None:
    assert SendOptions(singleton_seconds=5, singleton_next_slot=True).given() == {
        "singleton_seconds": 5,
        "singleton_next_slot": True,
    }
    assert SendOptions(singleton_next_slot=False).given() == {"singleton_next_slot": False}
    with pytest.raises(ValidationError, match=r"singleton_next_slot \(True\) needs singleton_seconds"):
        SendOptions(singleton_next_slot=True)
