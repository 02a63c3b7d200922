"""Queues and jobs in every state, for pages to show."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from pgboss import Flow, SyncPgBoss

__all__ = ["CAUSE", "QUEUE", "fill"]

QUEUE = "documents/parse"
CAUSE = "RuntimeError: Document <n> of batch <n> cannot be read"
"""Where jobs have failed, and of what."""


def fill(boss: SyncPgBoss) -> dict[str, UUID]:
    """Fill a database; returns the ids of a job for each thing that a page can show."""
    boss.create_queue("documents/dead")
    boss.create_queue(
        "documents/parse", retry_limit=1, retry_delay=0, retry_backoff=False, dead_letter="documents/dead"
    )
    for queue in ("documents/embed-text", "documents/embed-images", "documents/publish", "mail"):
        boss.create_queue(queue)
    boss.schedule("mail", "0 6 * * 1-5", {"to": "everybody", "about": "the news"}, key="news", tz="Europe/Zurich")
    boss.schedule("documents/publish", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17", tz="America/New_York")
    ids = {"dead letter": _failed(boss), "flow": _flow(boss)}
    for number in range(12):
        boss.send("mail", {"to": f"reader-{number}@example.org", "about": "the news"}, priority=number % 3)
    [active, cancelled, done] = boss.fetch("mail", batch_size=3)
    boss.cancel("mail", cancelled)
    boss.complete("mail", done, {"sent": True, "message_id": "20260131.17", "recipients": ["ada", "bob"]})
    ids["failed"] = next(job.id for job in boss.find_jobs(QUEUE) if job.state == "failed")
    return ids | {"active": active.id, "cancelled": cancelled.id, "completed": done.id}


def _failed(boss: SyncPgBoss) -> UUID:
    for number in range(4):
        boss.send(
            "documents/parse", {"path": f"/inbox/report-{number}.pdf", "pages": number * 10}, singleton_key=f"r{number}"
        )
    for _ in range(2):
        for job in boss.fetch("documents/parse", batch_size=4):
            boss.fail("documents/parse", job, _caught(_no_file if job.data["pages"] else _no_pages))
    return next(job.id for job in boss.find_jobs("documents/dead"))


def _flow(boss: SyncPgBoss) -> UUID:
    flow = Flow()
    parsed = flow.add("documents/parse", {"path": "/inbox/book.pdf"}, retry_limit=0)
    texts = [flow.add("documents/embed-text", {"chapter": number}, after=parsed) for number in range(3)]
    images = flow.add("documents/embed-images", after=parsed)
    published = flow.add("documents/publish", after=[*texts, images])
    flow.add("mail", {"about": "a new book"}, after=[published, parsed])
    ids = boss.flow(flow)
    [job] = boss.fetch("documents/parse")
    boss.complete("documents/parse", job, {"pages": 312})
    boss.resolve_flow()
    [text] = boss.fetch("documents/embed-text")
    boss.complete("documents/embed-text", text)
    return ids[published]


def _caught(fail: Callable[[], None]) -> Exception:
    try:
        fail()
    except Exception as error:  # noqa: BLE001  whatever it is, it becomes an output
        return error
    raise AssertionError("it did not fail")


def _no_file() -> None:
    try:
        raise FileNotFoundError(2, "No such file or directory", "/inbox/report-3.pdf")
    except OSError as error:
        raise RuntimeError("Document 3 of batch 17 cannot be read") from error


def _no_pages() -> None:
    raise ValueError("A document has at least one page")
