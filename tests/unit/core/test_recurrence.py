"""When expressions come round: the rules of docs/compatibility.md, "Schedules"; tests/interop holds them to Node."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from pgboss import ValidationError
from pgboss.core.recurrence import kind_of, read


def milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def upcoming(expression: str, tz: str, after: str, count: int = 3) -> list[str]:
    found = islice(read(expression, tz).later_than(milliseconds(after)), count)
    return [datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") for instant in found]


@pytest.mark.parametrize(
    ("expression", "occurrences"),
    [
        ("0 6 * * *", ["2026-01-01 06:00:00", "2026-01-02 06:00:00"]),
        ("*/20 30 6 * * *", ["2026-01-01 06:30:00", "2026-01-01 06:30:20"]),
        ("0 0 * * MON#2", ["2026-01-12 00:00:00", "2026-02-09 00:00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00:00", "2026-02-27 00:00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00:00", "2026-02-28 00:00:00"]),
        ("0 0 13 * 5", ["2026-01-02 00:00:00", "2026-01-09 00:00:00"]),
        ("0 0 */2 * 5", ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]),
        ("0 0 * * 5-7", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("5 4", ["2026-05-07 00:00:00", "2026-05-07 00:01:00"]),
        ("@monthly", ["2026-02-01 00:00:00"]),
        ("FREQ=DAILY", ["2026-01-02 00:00:00"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17", ["2026-01-30 17:00:00", "2026-02-27 17:00:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-01-31 00:00:00", "2026-03-31 00:00:00"]),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", ["2026-01-13 00:00:00", "2026-01-27 00:00:00"]),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT=2", ["2026-01-01 09:00:00", "2026-01-02 09:00:00"]),
        (
            "DTSTART:20251231T090000Z\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260101T090000Z\nRDATE:20260301T120000Z",
            ["2026-01-02 09:00:00", "2026-03-01 12:00:00"],
        ),
    ],
)
def test_occurrences(expression: str, occurrences: list[str]) -> None:
    assert upcoming(expression, "UTC", "2026-01-01T00:00", len(occurrences)) == occurrences


def test_a_finite_rule_comes_to_an_end() -> None:
    assert upcoming("FREQ=DAILY;UNTIL=20260103T000000Z", "UTC", "2026-01-01T00:00", 9) == [
        "2026-01-02 00:00:00",
        "2026-01-03 00:00:00",
    ]


@pytest.mark.parametrize(
    ("expression", "after", "occurrences"),
    [
        # March: 02:30 is skipped. October: it comes twice.
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29 01:30:00", "2026-03-30 00:30:00"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25 00:30:00", "2026-10-26 01:30:00"]),
        ("30 * * * *", "2026-10-24T23:45", ["2026-10-25 00:30:00", "2026-10-25 01:30:00"]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "2026-03-28T12:00", ["2026-03-30 00:30:00", "2026-03-31 00:30:00"]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "2026-10-24T12:00", ["2026-10-25 00:30:00", "2026-10-26 01:30:00"]),
        ("FREQ=HOURLY", "2026-10-24T23:45", ["2026-10-25 00:00:00", "2026-10-25 02:00:00"]),
    ],
)
def test_when_clocks_change(expression: str, after: str, occurrences: list[str]) -> None:
    assert upcoming(expression, "Europe/Zurich", after, len(occurrences)) == occurrences


def test_a_pass_looks_backwards() -> None:
    """Where it finds nothing in an hour that was skipped, and two in one that is repeated, as in Node."""
    recurrence = read("30 2 * * *", "Europe/Zurich")

    def due(until: str) -> int:
        return len(recurrence.due(milliseconds(until) - 60_000, milliseconds(until)))

    assert [due("2026-03-29T01:30"), due("2026-10-25T00:30"), due("2026-10-25T01:30")] == [0, 1, 1]


def test_the_window_holds_its_end_and_not_its_beginning() -> None:
    for expression in ("* * * * *", "FREQ=MINUTELY"):
        found = read(expression, "UTC").due(milliseconds("2026-01-01T10:00"), milliseconds("2026-01-01T10:01"))

        assert found == [milliseconds("2026-01-01T10:01")]


def test_a_rule_may_be_due_more_than_once() -> None:
    recurrence = read("FREQ=SECONDLY;INTERVAL=20", "UTC")

    assert len(recurrence.due(milliseconds("2026-01-01T10:00"), milliseconds("2026-01-01T10:01"))) == 3


@pytest.mark.parametrize(
    "expression", ["0 0 1 1 *", "FREQ=YEARLY", "DTSTART:20200101T000000\nRRULE:FREQ=YEARLY;COUNT=9"]
)
def test_the_latest_in_a_long_gap(expression: str) -> None:
    recurrence = read(expression, "UTC")
    end = milliseconds("2027-06-01T00:00")

    assert recurrence.latest(milliseconds("2020-06-01T00:00"), end) == milliseconds("2027-01-01T00:00")
    assert recurrence.latest(milliseconds("2027-02-01T00:00"), end) is None


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "needs a cron expression"),
        ("99 * * * *", "minute of the cron expression, '99'"),
        ("0 24 * * *", "hour .* from 0 to 23"),
        ("0 0 * * * * *", "has 7"),
        ("*/0 * * * *", "step must be a positive number"),
        ("5-1 * * * *", "goes backwards"),
        ("1,1 * * * *", "more than once"),
        ("0 0 * january *", "is none"),
        ("0 0 31 2 *", "no day 31"),
        ("0 0 * * 5#6", "from 1 to 5"),
        ("H * * * *", "H is another number"),
        ("0 0 L-2 * *", "day of month"),
        ("FREQ=SOMETIMES", "FREQ of the recurrence rule must be one of"),
        ("FREQ=DAILY;BYHOUR=25", "BYHOUR .* from 0 to 23"),
        ("FREQ=DAILY;BYHOURS=9", "unknown part"),
        ("FREQ=DAILY;BYHOUR=9;BYHOUR=17", "more than one BYHOUR"),
        ("FREQ=DAILY;COUNT=3", "needs a DTSTART"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "must not have BYMONTHDAY"),
        ("BEGIN:VEVENT\nRRULE:FREQ=DAILY", "without the lines BEGIN and END"),
        ("DTSRAT:20260101T000000\nRRULE:FREQ=DAILY", "not DTSRAT"),
        ("DTSTART:20260101T090000\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260102", "EXDATE .* must be"),
        ("DTSTART:20260230T090000\nRRULE:FREQ=DAILY", "cannot be read"),
        ("FREQ=DAILY;RSCALE=HEBREW", "RSCALE"),
    ],
)
def test_refusals_say_what_is_wrong(expression: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(expression, "UTC")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "local", "PST", "+24:00", None])
def test_zones_that_are_none(tz: object) -> None:
    for expression in ("* * * * *", "FREQ=DAILY"):
        with pytest.raises(ValidationError, match="tz must be the IANA name"):
            read(expression, tz)


def test_zones_in_any_case_and_as_offsets() -> None:
    assert upcoming("0 6 * * *", "europe/zurich", "2026-01-01T00:00", 1) == ["2026-01-01 05:00:00"]
    assert upcoming("0 6 * * *", "+02:00", "2026-01-01T00:00", 1) == ["2026-01-01 04:00:00"]
    assert upcoming("0 6 * * *", "UTC+2", "2026-01-01T00:00", 1) == ["2026-01-01 04:00:00"]
    with pytest.raises(ValidationError, match="tz must be"):
        read("FREQ=DAILY", "UTC+2")


def test_a_rule_names_its_own_zone() -> None:
    rule = "DTSTART;TZID=Asia/Tokyo:20260101T090000\nRRULE:FREQ=DAILY"

    assert upcoming(rule, "Europe/Zurich", "2026-01-01T00:00", 1) == ["2026-01-02 00:00:00"]


@pytest.mark.parametrize(
    "expression",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYHOUR=9;BYSETPOS=2",
    ],
)
def test_what_never_comes_is_given_up(expression: str) -> None:
    with pytest.raises(ValidationError, match="no occurrence"):
        upcoming(expression, "UTC", "2026-01-01T00:00", 1)


def test_kinds() -> None:
    assert [kind_of(text) for text in ("* * * * *", "FREQ=DAILY", "DTSTART:x", " rrule:FREQ=DAILY")] == [
        "cron",
        "rrule",
        "rrule",
        "rrule",
    ]
