"""What a caller may ask of a worker: how many jobs at once, which, in lists or one by one, and within a transaction.

The rules that Node has too are those of docs/compatibility.md, "Workers".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

from pgboss.core.checks import MAX_INT4, UNSET, Check, Seconds, Unset, boolean, integer, positive_seconds, seconds
from pgboss.core.groups import GroupConcurrency, GroupLimits
from pgboss.core.groups import group_concurrency as group_limits
from pgboss.core.options import FetchOptions, Options, QueueKeywords
from pgboss.core.schedule import Schedule
from pgboss.errors import ValidationError

__all__ = ["Executor", "JobKeywords", "WorkKeywords", "WorkOptions"]

MAX_CONCURRENCY = 10_000
EXPRESS_SECONDS, MAX_EXPRESS_SECONDS = 1.0, 5.0

Executor: TypeAlias = Literal["thread", "process"]


def _option(check: Check) -> Any:
    return dataclasses.field(default=UNSET, metadata={"check": check, "clearable": True})


def _executor(name: str, value: object) -> Executor:
    if value not in get_args(Executor):
        raise ValidationError(f'{name} must be "thread" or "process", not {value!r}.')
    return cast("Executor", value)


def _express_seconds(name: str, value: object) -> float:
    checked = float(positive_seconds(name, value))
    if checked > MAX_EXPRESS_SECONDS:
        raise ValidationError(
            f"{name} must be at most {MAX_EXPRESS_SECONDS:g}, not {checked:g}: the transaction would hold up others. "
            "Work slow handlers without express."
        )
    return checked


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions(Options):
    """How a queue is worked; ``None`` counts as not said.

    Attributes:
        concurrency: how many calls of the handler run at once; the instance's own number where nothing is said.
        batch_size: the handler takes lists of up to so many jobs, a list of one included; without it, one job.
        min_priority: jobs below are left to others.
        max_priority: jobs above are left to others.
        group_concurrency: how many jobs of a group may be active at once, wherever they run; the database knows.
        local_group_concurrency: how many jobs of a group this process may work at once.
        lease_seconds: a job of a queue without a heartbeat gets one of so many seconds, at least 10, with its claim:
            when this worker is killed, the job runs again after them instead of when its time is over.
        transactional: the handler gets the connection on which its jobs are completed, in an open transaction.
        polling_interval_seconds: how often to look for due jobs that nobody announced; the instance's where nothing is
            said.
        notify_polling_interval_seconds: the same while new jobs of the queue are announced to us; as often as without
            where nothing is said.
        heartbeat_refresh_seconds: how often the jobs' leases are renewed: after a third of the heartbeat where nothing
            is said, and after half of it at the latest.
        include_metadata: handlers get :class:`~pgboss.core.job.JobDetails`, everything stored about a job.
        executor: where a plain function runs: ``"thread"``, or ``"process"`` for one that computes in Python.
        express: jobs stay locked in an open transaction while they are worked, and are settled in one step: for short
            handlers on standard queues. docs/operations.md, "Express".
        express_seconds: how long such a transaction may last, 5 at most; what is not done by then goes on as usual.
        delete_on_completion: completed jobs leave no row, unless a flow or a throttle needs it; with ``express`` only.

    Raises:
        ValidationError: an option is out of its range, or two of them exclude each other.
    """

    concurrency: int | Unset | None = _option(integer(1, MAX_CONCURRENCY))
    batch_size: int | Unset | None = _option(integer(1))
    min_priority: int | Unset | None = _option(integer(-MAX_INT4 - 1))
    max_priority: int | Unset | None = _option(integer(-MAX_INT4 - 1))
    group_concurrency: GroupLimits | Unset | None = _option(group_limits)
    local_group_concurrency: GroupLimits | Unset | None = _option(group_limits)
    lease_seconds: Seconds | Unset | None = _option(seconds(10))
    transactional: bool | Unset | None = _option(boolean)
    polling_interval_seconds: float | timedelta | Unset | None = _option(positive_seconds)
    notify_polling_interval_seconds: float | timedelta | Unset | None = _option(positive_seconds)
    heartbeat_refresh_seconds: float | timedelta | Unset | None = _option(positive_seconds)
    include_metadata: bool | Unset | None = _option(boolean)
    executor: Executor | Unset | None = _option(_executor)
    express: bool | Unset | None = _option(boolean)
    express_seconds: float | timedelta | Unset | None = _option(_express_seconds)
    delete_on_completion: bool | Unset | None = _option(boolean)

    def check_together(self) -> None:
        self.fetch_options()
        self._check_express()
        if self.is_in_process and self.is_transactional:
            raise ValidationError(
                'executor="process" and transactional=True exclude each other: the jobs are completed on a connection '
                "of this process, which no other process can use. Leave one of them out, or run more processes with "
                "`pgboss worker --processes`."
            )
        polling, announced = self.polling_interval_seconds, self.notify_polling_interval_seconds
        if isinstance(polling, float) and isinstance(announced, float) and announced < polling:
            raise ValidationError(
                f"notify_polling_interval_seconds ({announced:g}) must not be below polling_interval_seconds "
                f"({polling:g}): where jobs are announced there is less to look for."
            )
        if self.local_limits is None:
            return
        if isinstance(self.group_concurrency, GroupConcurrency):
            raise ValidationError("Give either group_concurrency or local_group_concurrency, not both.")
        if isinstance(self.concurrency, int):
            self.check_reachable(self.concurrency)

    def _check_express(self) -> None:
        if not self.is_express:
            for name in ("express_seconds", "delete_on_completion"):
                if name in self.said():
                    raise ValidationError(f"{name} is for workers with express=True.")
            return
        others = ("batch_size", "transactional", "executor", "group_concurrency", "local_group_concurrency")
        for name in others:
            if self.said().get(name) not in (None, False, "thread"):
                raise ValidationError(
                    f"express=True and {name} exclude each other: its jobs are not active while they are worked, one "
                    "by one, in this process. Leave one of them out."
                )

    def check_reachable(self, concurrency: int) -> None:
        """Refuse a limit for groups that is above what runs at once, and therefore none.

        Raises:
            ValidationError: it is; the message names both.
        """
        limits, most = self.local_limits, concurrency * self.jobs_a_call
        if limits is not None and max(limits.limits) > most:
            raise ValidationError(
                f"local_group_concurrency ({max(limits.limits)}) must not be above the {most} jobs that run at once "
                f"(concurrency {concurrency}, batch_size {self.jobs_a_call})."
            )

    @property
    def is_batch(self) -> bool:
        """Whether the handler takes lists."""
        return isinstance(self.batch_size, int)

    @property
    def jobs_a_call(self) -> int:
        """The most jobs of one call of the handler."""
        return self.batch_size if isinstance(self.batch_size, int) else 1

    @property
    def is_transactional(self) -> bool:
        """Whether the handler takes the connection."""
        return self.transactional is True

    @property
    def has_metadata(self) -> bool:
        """Whether the handler takes job details."""
        return self.include_metadata is True

    @property
    def refresh_seconds(self) -> float | None:
        """How often leases are renewed, if something was said."""
        refresh = self.heartbeat_refresh_seconds
        return refresh if isinstance(refresh, float) else None

    def polling_seconds(self, default: float, *, is_announced: bool) -> float:
        """How often to look for due jobs, on a queue whose new jobs are announced to us or not."""
        plain, announced = self.polling_interval_seconds, self.notify_polling_interval_seconds
        seconds = plain if isinstance(plain, float) else default
        return announced if is_announced and isinstance(announced, float) else seconds

    @property
    def is_in_process(self) -> bool:
        """Whether the handler runs in processes of its own."""
        return self.executor == "process"

    @property
    def is_express(self) -> bool:
        """Whether jobs stay locked while they are worked."""
        return self.express is True

    @property
    def express_limit(self) -> float:
        """How long a transaction of locked jobs may last, in seconds."""
        return self.express_seconds if isinstance(self.express_seconds, float) else EXPRESS_SECONDS

    @property
    def local_limits(self) -> GroupConcurrency | None:
        """The limits kept in memory, for groups in this process."""
        limits = self.local_group_concurrency
        return limits if isinstance(limits, GroupConcurrency) else None

    @property
    def lease(self) -> int | None:
        """The heartbeat of jobs that have none, in seconds."""
        # The check has made whole seconds of it.
        return self.lease_seconds if isinstance(self.lease_seconds, int) else None

    @property
    def limits_groups(self) -> bool:
        """Whether groups are limited, in either way."""
        return bool(self.group_concurrency or self.local_group_concurrency)

    def fetch_options(self, batch_size: int = 1, full_groups: frozenset[str] = frozenset()) -> FetchOptions:
        """What a claim of so many jobs asks for; jobs of the full groups are passed over."""
        passed_on = ("min_priority", "max_priority", "group_concurrency")
        chosen = {name: value for name, value in self.said().items() if name in passed_on}
        if full_groups:
            chosen["ignore_groups"] = sorted(full_groups)
        return FetchOptions(batch_size=batch_size, **chosen)

    def over(self, defaults: WorkOptions) -> WorkOptions:
        """These options where given, else the defaults'."""
        return WorkOptions(**(defaults.said() | self.said()))

    def said(self) -> dict[str, Any]:
        """The options about which something was said, by their names."""
        return {name: value for name, value in self.given().items() if value is not None}


class _CommonKeywords(TypedDict, total=False):
    concurrency: int | None
    min_priority: int | None
    max_priority: int | None
    group_concurrency: GroupLimits | None
    local_group_concurrency: GroupLimits | None
    polling_interval_seconds: float | timedelta | None
    notify_polling_interval_seconds: float | timedelta | None
    heartbeat_refresh_seconds: float | timedelta | None
    include_metadata: bool | None
    lease_seconds: Seconds | None
    executor: Executor | None
    express: bool | None
    express_seconds: float | timedelta | None
    delete_on_completion: bool | None


class WorkKeywords(_CommonKeywords, total=False):
    """:class:`WorkOptions` as keyword arguments."""

    batch_size: int | None
    transactional: bool | None


class JobKeywords(QueueKeywords, _CommonKeywords, total=False):
    """The options of a definition: those of its queue and those of its worker, and its schedules."""

    schedule: Schedule | Sequence[Schedule]
