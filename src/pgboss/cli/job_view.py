"""A job in words: what is new of it in a table's cell, and everything about it on a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pgboss.cli.ages import age, duration, moment, seconds
from pgboss.cli.output import as_json, print_block, print_facts
from pgboss.core.job import JobDetails
from pgboss.core.wire import JSON

__all__ = ["attempt", "error_line", "news", "print_job"]

ERROR_KEYS = {"name", "message", "stack"}


def news(job: JobDetails, now: datetime) -> str:
    """What happens to it, or happened last, told from ``now``."""
    match job.state:
        case "created" | "retry":
            return _waiting(job, now)
        case "active":
            return f"running {_since(job.started_on, now)}"
        case _:
            return f"{_since(job.completed_on, now)} ago"


def error_line(job: JobDetails) -> str:
    """The error of a job that failed, or waits to be tried again; empty for others."""
    if job.state not in ("failed", "retry") or not isinstance(job.output, dict):
        return ""
    name, message = job.output.get("name"), job.output.get("message")
    if message is None:
        return str(job.output.get("value", ""))
    return f"{name}: {message}" if name else str(message)


def attempt(job: JobDetails) -> str:
    """How many attempts were started, of how many: ``1/4``."""
    return f"{_started(job)}/{job.retry_limit + 1}"


def print_job(job: JobDetails) -> None:
    """Print all that is known of a job."""
    print_facts(_facts(job))
    print_block("Data", as_json(job.data))
    if job.output is not None:
        _print_output("Output", job.output)
    if job.source_output is not None:
        _print_output("Output in its first queue", job.source_output)


def _facts(job: JobDetails) -> Iterator[tuple[str, str]]:
    yield "Job", str(job.id)
    yield "Queue", job.name
    yield "State", job.state
    yield "Attempts", _attempts(job)
    yield from _times(job)
    yield "Priority", str(job.priority)
    yield "Expires in", seconds(job.expire_in_seconds)
    yield "Heartbeat", seconds(job.heartbeat_seconds)
    yield from _when_present(
        ("Singleton key", job.singleton_key),
        ("Group", job.group_id),
        ("Group tier", job.group_tier),
        ("Policy", job.policy),
        ("Dead letter", job.dead_letter),
    )
    if job.blocked:
        yield "Blocked", f"until {job.pending_dependencies} other jobs are completed"
    if job.source_id is not None:
        yield "Came from", f"job {job.source_id} of queue {job.source_name}, after {job.source_retry_count} retries"


def _times(job: JobDetails) -> Iterator[tuple[str, str]]:
    yield from _when_present(
        ("Created", moment(job.created_on)),
        ("Start after", moment(job.start_after) if job.start_after != job.created_on else None),
        ("Started", moment(job.started_on)),
        ("Last heartbeat", moment(job.heartbeat_on)),
        (_END.get(job.state, "Ended"), moment(job.completed_on)),
        ("Took", None if job.duration is None else duration(job.duration)),
        ("Kept until", moment(job.keep_until)),
    )


_END = {"completed": "Completed", "cancelled": "Cancelled", "failed": "Failed", "retry": "Failed"}


def _attempts(job: JobDetails) -> str:
    count = f"{_started(job)} of {job.retry_limit + 1}"
    if not job.retry_limit:
        return count
    pause = f"{job.retry_delay} s"
    if job.retry_backoff:
        pause += " and longer each time" + (f", up to {job.retry_delay_max} s" if job.retry_delay_max else "")
    return f"{count}, with pauses of {pause}"


def _started(job: JobDetails) -> int:
    # A claim counts a retry only when there was a start before it; one that was given back unrun has none.
    return job.retry_count + (job.started_on is not None)


def _print_output(title: str, output: JSON) -> None:
    if not _is_error(output):
        print_block(title, as_json(output))
        return
    stack = str(output.get("stack") or f"{output.get('name', 'Error')}: {output['message']}")
    print_block("Error" if title == "Output" else title, stack.rstrip())
    rest = {key: value for key, value in output.items() if key not in ERROR_KEYS}
    if rest:
        print_block("With it", as_json(rest))


def _is_error(output: Any) -> bool:
    """Whether it looks like an error as both sides store them; a handler may well have returned its like."""
    return isinstance(output, dict) and isinstance(output.get("message"), str) and "stack" in output


def _waiting(job: JobDetails, now: datetime) -> str:
    if job.blocked:
        return "blocked"
    if job.start_after > now:
        return f"due in {age(job.start_after - now)}"
    return f"waits {age(now - job.start_after)}"


def _since(time: datetime | None, now: datetime) -> str:
    return age(timedelta() if time is None else now - time)


def _when_present(*facts: tuple[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, value in facts:
        if value:
            yield name, value
