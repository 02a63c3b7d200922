"""What an instance runs, and how often: the options of ``PgBoss`` beyond those of a client.

Names, defaults and ranges are pg-boss's (docs/compatibility.md, "Options of an instance"), so that both sides take
the turns of shared duties at the same pace. What has another default here says why.
"""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypedDict

from pgboss.core.checks import DAY, Check, boolean, filled_text, integer, one_of, positive_seconds, seconds
from pgboss.core.options import Options
from pgboss.errors import ValidationError

__all__ = ["InstanceKeywords", "InstanceOptions", "Pooler", "ReindexOptions", "seconds_of"]

Interval = int | timedelta
Pooler: TypeAlias = Literal["auto", "session", "transaction"]
"""How a pooler in between works; ``auto``: it is to be found out whether there is one."""

MAX_CONCURRENCY = 10_000


def _option(default: Any, check: Check, *, clearable: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"check": check, "clearable": clearable})


def seconds_of(interval: Interval) -> int:
    """An interval that has been checked, as the whole seconds that a check leaves of it."""
    return int(interval.total_seconds()) if isinstance(interval, timedelta) else interval


def _from_zero(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValidationError(f"{name} must be a number of 0 or more, not {value!r}.")
    return float(value)


def _above_zero(name: str, value: object) -> float:
    number = _from_zero(name, value)
    if not number:
        raise ValidationError(f"{name} must be a number above 0, not {value!r}.")
    return number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReindexOptions(Options):
    """When an index of a job table counts as bloated, and up to what size it is rebuilt by the upkeep.

    Attributes:
        min_pages: smaller indexes are left alone.
        max_entries_per_page: fuller ones, too.
        min_size_ratio: how many times larger than it need be.
        max_index_bytes: larger ones are only reported.
        force: rebuild every index of the job tables, at once; for :meth:`PgBoss.supervise` only.
    """

    min_pages: int = _option(128, integer(0))
    max_entries_per_page: float = _option(5, _above_zero)
    min_size_ratio: float = _option(4, _from_zero)
    max_index_bytes: int = _option(2 * 1024**3, integer(1, 2**63 - 1))
    force: bool = _option(False, boolean)


def _reindex(name: str, value: object) -> bool | ReindexOptions:
    if isinstance(value, ReindexOptions):
        if value.force:
            raise ValidationError(f"{name} of an instance cannot have force=True: give that to supervise().")
        return value
    if not isinstance(value, bool):
        raise ValidationError(f"{name} must be True, False or a ReindexOptions, not {value!r}.")
    return value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOptions(Options):
    """What an instance runs, and how often.

    Attributes:
        work: whether to work the definitions that have a handler. With ``False`` this instance only sends.
        supervise: whether to take part in the upkeep.
        schedule: whether to take part in firing schedules.
        listen: whether to keep a connection that listens for new jobs; without it they are found by polling.
        pooler: whether a pooler in ``transaction`` mode is between us and the server, where nothing can be heard; in
            ``session`` mode, or without one, it can, and statements are kept prepared. ``auto`` finds out. By default
            what ``PGBOSS_POOLER`` says, else ``auto``.
        concurrency: how many jobs of a queue run at once where its definition says nothing.
        polling_interval_seconds: how often to look for due jobs that nobody announced.
        supervise_interval_seconds: how often to try for a turn at counting queues and removing old jobs.
        monitor_interval_seconds: how often a queue's counts are taken, by all instances together.
        maintenance_interval_seconds: how often a queue's old jobs are removed, by all instances together.
        flow_interval_seconds: how often flows are resolved, by all instances together.
        bam_interval_seconds: how often to look for index builds that wait in the table ``bam``.
        reindex: whether bloated indexes are rebuilt; they are reported in any case.
        reindex_interval_seconds: how often they are looked for, by all instances together.
        monitor_vacuum: whether to warn of what keeps dead rows from being removed.
        cron_monitor_interval_seconds: how often schedules are looked at, by all instances together.
        cron_worker_interval_seconds: how often this instance looks for occurrences to deliver.
        clock_monitor_interval_seconds: how often this machine's clock is compared with the database's.
        warning_slow_query_seconds: statements of the upkeep that take longer are reported.
        warning_queue_size: queues with more queued jobs are reported, where their own row says nothing.
        persist_warnings: whether warnings are kept in the table ``warning``.
        warning_retention_days: for how long.
        persist_queue_stats: whether the counts of queues are kept in the table ``queue_stats``, with throughput.
        queue_stat_retention_days: for how long.
        register_instance: whether this instance shows in the table ``instance``.
        instance_name: a name for it there.
        instance_heartbeat_seconds: how often it writes there.
        enable_spies: whether tests may watch jobs through ``get_spy``.

    Raises:
        ValidationError: an option is out of its range; the message names it, its value and the range.
    """

    work: bool = _option(True, boolean)
    supervise: bool = _option(True, boolean)
    schedule: bool = _option(True, boolean)
    listen: bool = _option(True, boolean)
    pooler: Pooler | None = _option(None, one_of(("auto", "session", "transaction")), clearable=True)
    concurrency: int | None = _option(None, integer(1, MAX_CONCURRENCY), clearable=True)
    polling_interval_seconds: float = _option(0.5, positive_seconds)
    supervise_interval_seconds: Interval = _option(60, seconds(1, DAY))
    monitor_interval_seconds: Interval = _option(60, seconds(1, DAY))
    maintenance_interval_seconds: Interval = _option(DAY, seconds(1, DAY))
    flow_interval_seconds: Interval = _option(5, seconds(1))
    bam_interval_seconds: Interval = _option(60, seconds(10))
    reindex: bool | ReindexOptions = _option(True, _reindex)
    reindex_interval_seconds: Interval = _option(DAY, seconds(1, DAY))
    monitor_vacuum: bool = _option(True, boolean)
    cron_monitor_interval_seconds: Interval = _option(30, seconds(1, 45))
    cron_worker_interval_seconds: Interval = _option(5, seconds(1, 45))
    clock_monitor_interval_seconds: Interval = _option(600, seconds(1, 600))
    warning_slow_query_seconds: Interval = _option(30, seconds(1))
    warning_queue_size: int = _option(10_000, integer(1))
    persist_warnings: bool = _option(False, boolean)
    warning_retention_days: int = _option(365, integer(1, 365))
    persist_queue_stats: bool = _option(False, boolean)
    queue_stat_retention_days: int = _option(7, integer(1, 365))
    register_instance: bool = _option(True, boolean)
    instance_name: str | None = _option(None, filled_text, clearable=True)
    instance_heartbeat_seconds: Interval = _option(30, seconds(1, 3600))
    enable_spies: bool = _option(False, boolean)


class InstanceKeywords(TypedDict, total=False):
    """:class:`InstanceOptions` as keyword arguments."""

    work: bool
    supervise: bool
    schedule: bool
    listen: bool
    pooler: Pooler | None
    concurrency: int | None
    polling_interval_seconds: float
    supervise_interval_seconds: Interval
    monitor_interval_seconds: Interval
    maintenance_interval_seconds: Interval
    flow_interval_seconds: Interval
    bam_interval_seconds: Interval
    reindex: bool | ReindexOptions
    reindex_interval_seconds: Interval
    monitor_vacuum: bool
    cron_monitor_interval_seconds: Interval
    cron_worker_interval_seconds: Interval
    clock_monitor_interval_seconds: Interval
    warning_slow_query_seconds: Interval
    warning_queue_size: int
    persist_warnings: bool
    warning_retention_days: int
    persist_queue_stats: bool
    queue_stat_retention_days: int
    register_instance: bool
    instance_name: str | None
    instance_heartbeat_seconds: Interval
    enable_spies: bool
