"""What a pass finds, given the rows and the time: pure, whoever has the turn."""

from __future__ import annotations

from datetime import UTC, datetime

from pgboss.core.due import Due, ScheduleRow, find_due
from pgboss.core.schedule import occurrence_key, slot_of


def at(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-01-01T10:00:30")


def row(
    cron: str = "* * * * *", *, kind: str = "cron", missed: str | None = None, created: str = "2025-01-01"
) -> ScheduleRow:
    return ScheduleRow("q", "", kind, cron, "UTC", missed, at(created))


def slots(due: Due) -> list[str]:
    return [occurrence.slot for occurrence in due.occurrences]


def test_one_job_a_minute() -> None:
    every_second = find_due([row("* * * * * *")], NOW, None)
    rule = find_due([row("FREQ=SECONDLY;INTERVAL=20", kind="rrule")], NOW, None)

    assert slots(every_second) == ["2026-01-01 10:00:00"]
    # Its window touches two minutes.
    assert slots(rule) == ["2026-01-01 09:59:00", "2026-01-01 10:00:00"]


def test_what_was_missed_is_made_up_for_once() -> None:
    hourly, last_pass = row("0 * * * *", missed="once"), at("2026-01-01T05:30")

    assert slots(find_due([hourly], at("2026-01-01T10:30"), last_pass)) == ["2026-01-01 10:00:00"]
    assert slots(find_due([row("0 * * * *")], at("2026-01-01T10:30"), last_pass)) == []
    # Nothing is owed from before the schedule was made, or before the first pass ever.
    young = row("0 * * * *", missed="once", created="2026-01-01T10:15")
    assert slots(find_due([young], at("2026-01-01T10:30"), last_pass)) == []
    assert slots(find_due([hourly], at("2026-01-01T10:30"), None)) == []
    # What is due now and what was missed are two jobs; within one minute they are one.
    assert slots(find_due([hourly], NOW, last_pass)) == ["2026-01-01 09:00:00", "2026-01-01 10:00:00"]


def test_one_broken_row_does_not_stop_the_others() -> None:
    due = find_due([row("99 * * * *"), row("* * * * *")], NOW, None)

    assert slots(due) == ["2026-01-01 10:00:00"]
    [broken] = due.broken
    assert broken.is_skipped
    assert "'99'" in broken.reason


def test_a_wrong_kind_is_put_right() -> None:
    due = find_due([row("FREQ=MINUTELY"), row(kind="rrule"), row("FREQ=DAILY;COUNT=3")], NOW, None)

    assert len(due.occurrences) == 2
    assert [kind for _, kind in due.relabelled] == ["rrule", "cron"]
    assert len(due.broken) == 1


def test_keys_are_nodes() -> None:
    assert occurrence_key("rep_ort", "k_1") == "rep\\_ort__k_1"
    assert slot_of(at("2026-01-01T10:00:59")) == "2026-01-01 10:00:00"
