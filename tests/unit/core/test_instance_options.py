"""The options of an instance: pg-boss's ranges, told in our words."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from pgboss import ConfigurationError, PgBoss, ReindexOptions, ValidationError
from pgboss.core.instance_options import InstanceKeywords, InstanceOptions, seconds_of


def test_every_option_can_be_given_as_a_keyword() -> None:
    assert {field.name for field in fields(InstanceOptions)} == set(InstanceKeywords.__annotations__)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("supervise_interval_seconds", 0, "from 1 to 86400"),
        ("monitor_interval_seconds", 86_401, "from 1 to 86400"),
        ("flow_interval_seconds", 0, "of 1 or more"),
        ("bam_interval_seconds", 9, "of 10 or more"),
        ("cron_monitor_interval_seconds", 46, "from 1 to 45"),
        ("cron_worker_interval_seconds", 0, "from 1 to 45"),
        ("clock_monitor_interval_seconds", 601, "from 1 to 600"),
        ("warning_retention_days", 366, "from 1 to 365"),
        ("queue_stat_retention_days", 0, "from 1 to 365"),
        ("warning_queue_size", 0, "of 1 or more"),
        ("instance_heartbeat_seconds", 3601, "from 1 to 3600"),
        ("concurrency", 0, "from 1 to 10000"),
    ],
)
def test_ranges_are_named(name: str, value: int, allowed: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} must be an integer {allowed}, not {value}"):
        InstanceOptions(**{name: value})  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("value", [0, -1, True, "1", float("nan")])
def test_the_polling_interval_is_a_positive_number(value: Any) -> None:
    with pytest.raises(ValidationError, match="polling_interval_seconds must be a positive number of seconds"):
        InstanceOptions(polling_interval_seconds=value)


def test_reindex_is_a_choice_or_limits() -> None:
    limits = ReindexOptions(min_pages=1)
    assert InstanceOptions(reindex=limits).reindex is limits
    with pytest.raises(ValidationError, match="reindex must be True, False or a ReindexOptions, not 'yes'"):
        InstanceOptions(reindex="yes")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValidationError, match=r"give that to supervise\(\)"):
        InstanceOptions(reindex=ReindexOptions(force=True))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("min_pages", -1, "an integer of 0 or more"),
        ("max_entries_per_page", 0, "a number above 0"),
        ("min_size_ratio", float("nan"), "a number of 0 or more"),
        ("max_index_bytes", 0, "an integer of 1 or more|an integer from 1"),
    ],
)
def test_the_limits_of_rebuilding(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} must be ({allowed})"):
        ReindexOptions(**{name: value})


def test_intervals_take_timedeltas() -> None:
    options = InstanceOptions(supervise_interval_seconds=timedelta(minutes=2))
    assert seconds_of(options.supervise_interval_seconds) == 120


def test_a_misspelt_option_is_told_what_it_might_be() -> None:
    with pytest.raises(ConfigurationError, match=r"no option 'supervize'; did you mean supervise\?"):
        PgBoss("postgresql://localhost/x", supervize=True)  # type: ignore[call-arg]  # what is refused
