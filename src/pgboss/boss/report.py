"""What an instance says of itself in its row: only what is listed here, and nothing of how it connects."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

from pgboss.core.groups import GroupConcurrency
from pgboss.core.instance import InstanceReport, PoolCounts
from pgboss.core.instance_options import InstanceOptions, ReindexOptions, seconds_of
from pgboss.core.wip import WipData
from pgboss.core.wire import camel_case, dumps

__all__ = ["Reporter"]

# A list of what may be shown, not of what may not: an option that is added later does not show by accident.
SHOWN_OPTIONS: Final = """
    instance_heartbeat_seconds supervise schedule supervise_interval_seconds maintenance_interval_seconds
    monitor_interval_seconds bam_interval_seconds flow_interval_seconds reindex reindex_interval_seconds
    clock_monitor_interval_seconds cron_monitor_interval_seconds cron_worker_interval_seconds warning_retention_days
    queue_stat_retention_days
""".split()
# Node has no value of these where nothing is said, and the rows of both sides should compare as equal.
SHOWN_UNLESS_DEFAULT: Final = """
    monitor_vacuum persist_warnings persist_queue_stats warning_slow_query_seconds warning_queue_size
""".split()
SHOWN_WORK_OPTIONS: Final = """
    include_metadata min_priority max_priority local_group_concurrency group_concurrency heartbeat_refresh_seconds
    transactional notify_polling_interval_seconds
""".split()


class Reporter:
    """Makes the reports of one instance."""

    def __init__(
        self,
        id: UUID,
        options: InstanceOptions,
        *,
        migrate: bool,
        create_schema: bool,
        start_attempt: int,
        pool_counts: Callable[[], PoolCounts | None],
        wip: Callable[[], list[WipData]],
        vitals: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._id = id
        self._options = options
        self._migrate = migrate
        self._create_schema = create_schema
        self._start_attempt = start_attempt
        self._pool_counts = pool_counts
        self._wip = wip
        self._vitals = vitals

    def __call__(self) -> InstanceReport:
        options, pool = self._options, self._pool_counts()
        return InstanceReport(
            id=self._id,
            name=options.instance_name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("pgboss"),
            node_version=f"{platform.python_implementation().replace('CPython', 'Python')} {platform.python_version()}",
            heartbeat_seconds=seconds_of(options.instance_heartbeat_seconds),
            supervise=options.supervise,
            schedule=options.schedule,
            migrate=self._migrate,
            persist_queue_stats=options.persist_queue_stats,
            persist_warnings=options.persist_warnings,
            pool=pool,
            workers=dumps([_worker(one) for one in self._wip()]),
            metrics=dumps(self._vitals()),
            config=dumps(self._config(pool)),
        )

    def _config(self, pool: PoolCounts | None) -> dict[str, Any]:
        options = self._options
        config = {
            "adapter": "custom" if pool is None else "pg",
            "backend": "postgres",
            "useListenNotify": options.listen,
            "migrate": self._migrate,
            "createSchema": self._create_schema,
            "queueCacheIntervalSeconds": 60,
        }
        if pool is not None:
            config["max"] = pool.max
        if self._start_attempt > 1:
            config["startAttempt"] = self._start_attempt
        defaults = InstanceOptions()
        chosen = [name for name in SHOWN_UNLESS_DEFAULT if getattr(options, name) != getattr(defaults, name)]
        return config | {camel_case(name): _plain(getattr(options, name)) for name in (*SHOWN_OPTIONS, *chosen)}


def _worker(data: WipData) -> dict[str, Any]:
    options = data.options
    return {
        "id": data.id,
        "queue": data.name,
        "localConcurrency": options["concurrency"],
        "batchSize": options.get("batch_size", 1),
        "pollingIntervalSeconds": options["polling_interval_seconds"],
        "active": data.count,
        "lastFetchedOn": _moment(data.last_fetched_on),
        "lastJobEndedOn": _moment(data.last_job_ended_on),
        # Never the error itself, which may hold data of a job.
        "lastErrorOn": _moment(data.last_error_on),
        "options": {camel_case(name): _plain(options[name]) for name in SHOWN_WORK_OPTIONS if name in options},
    }


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    match value:
        case ReindexOptions():
            return value.wire()
        case GroupConcurrency(default=default, tiers=tiers):
            return {"default": default, "tiers": dict(tiers)} if tiers else default
        case bool() | int() | float():
            return value
        case _:
            return seconds_of(value)
