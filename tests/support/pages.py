"""Every page of the dashboard, in one list; ``tests/web/test_pages.py`` sees to it that none is missing.

In the addresses stand what a database has to hold for them: see :func:`at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

__all__ = ["PAGES", "UNLISTED", "addresses", "at"]

UNLISTED = {"/schedules/preview", "/send/schema", "/login"}
"""Parts that pages load, which nobody sees by themselves; and the page that is there where keys are needed only."""

PAGES: dict[str, dict[str, str]] = {
    "of all queues": {"overview": "/?span=6h", "queues": "/queues"},
    "of a queue": {"queue": "/queues/{queue}?span=6h", "create-queue": "/create-queue"},
    "of processes": {"instances": "/instances?show=all", "warnings": "/warnings"},
    "of what was done": {"builds": "/builds", "audit": "/audit"},
    "of all jobs": {"jobs": "/jobs"},
    "of some jobs": {
        "jobs-filtered": "/jobs?queue={queue}&state=failed&created_from=7d&column=id&column=data.path,error",
        "jobs-by-key": "/jobs?queue={queue}&key=nobody",
        "jobs-none": "/jobs?state=expired",
    },
    "of actions": {"jobs-act": "/jobs/act?action=cancel&queue=mail", "send": "/send?queue=mail"},
    "of an ended job": {"job-failed": "/jobs/{failed}", "job-completed": "/jobs/{completed}"},
    "of a job and others": {"job-flow": "/jobs/{flow}", "job-dead-letter": "/jobs/{dead letter}"},
    "of failures": {"failures": "/failures", "failures-of-a-queue": "/failures?queue={queue}"},
    "of a cause": {
        "failures-redrive": "/failures/redrive?cause={cause}",
        "failures-retry": "/failures/retry?cause={cause}",
    },
    "of schedules": {"schedules": "/schedules", "schedule": "/schedule?queue=mail&key=news"},
    "of the form of a schedule": {
        "schedule-new": "/schedules/new?queue=mail",
        "schedule-edit": "/schedule/edit?queue=mail&key=news",
    },
}
"""Names and addresses of pages, in groups of a few."""


def at(address: str, ids: Mapping[str, object], *, queue: str, cause: str) -> str:
    """An address of the list, on a database that has a schedule of ``mail`` with the key ``news``.

    Args:
        address: with its gaps.
        ids: of jobs: a failed and a completed one, one in a flow, and a dead letter.
        queue: one that has failed jobs.
        cause: of what these have failed.
    """
    return address.format_map({**ids, "queue": queue, "cause": quote(cause)})


def addresses() -> Iterator[str]:
    """All of them, as they stand in the list."""
    for group in PAGES.values():
        yield from group.values()
