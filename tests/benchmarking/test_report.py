"""Tables, from rows as runs leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report import Results, settings_table, tables

ROOT = Path(__file__).resolve().parents[2]
ABOUT: dict[str, Any] = {
    "at": "2026-01-02 03:04 UTC",
    "machine": "2 cores",
    "servers": ["PostgreSQL 18.6"],
    "absent": {},
    "left_out": [],
    "errors": [],
}


def shown(*rows: dict[str, Any], **about: Any) -> str:
    return tables(Results(ABOUT | about, [{"round": 0, **row} for row in rows]))


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    rates = [("ours", 0, 300), ("raw_schema46", 0, 100), ("ours", 1, 100), ("raw_schema46", 1, 100), ("ours", 2, 50)]
    rows = [
        {"system": system, "workload": "W1", "round": number, "jobs_per_second": rate} for system, number, rate in rates
    ]
    assert "| pgboss (psycopg) | 100 | 2.00 |" in shown(*rows)


def test_a_drain_that_time_cut_short_is_marked() -> None:
    row = {"system": "oban", "workload": "W3", "jobs_per_second": 1700.4, "is_capped": True}
    assert "| oban 0.7 | 1,700\\* |" in shown(row)


def test_who_does_not_keep_up_is_marked() -> None:
    times = {"p50_ms": 5.0, "p99_ms": 250.0, "from_call_p50_ms": 5.0, "from_call_p99_ms": 250.0}
    row = {"system": "oban", "workload": "W4", **times, "jobs": 100, "handled": 60}
    assert "| 5.00 / 250 (60 of 100) |" in shown(row)


def test_scale_has_a_column_for_each_number_of_processes_and_each_backlog() -> None:
    text = shown(
        {"system": "ours", "workload": "W7", "processes": 1, "jobs_per_second": 10_000.0},
        {"system": "ours", "workload": "W7", "processes": 2, "jobs_per_second": 17_000.0},
        {"system": "ours", "workload": "W8", "backlog": 1_000_000, "jobs_per_second": 9000.0},
    )
    assert "|  | W7 by 1 process | W7 by 2 processes | W8 at 1,000,000 |" in text
    assert "| pgboss (psycopg) | 10,000 | 17,000 | 9,000 |" in text


def test_what_was_not_measured_is_said_with_the_reason() -> None:
    row = {"system": "ours", "workload": "W1", "jobs_per_second": 1000.0, "other_cores": 0.5}
    text = shown(row, absent={"oban": "no Python 3.12 or newer"}, left_out=["awa W8"])
    assert "- Not measured: oban 0.7: no Python 3.12 or newer." in text
    assert "- Left out because time was up: awa W8." in text
    assert "used 0.50 cores at the median" in text


def test_the_page_shows_the_settings_as_they_are() -> None:
    assert settings_table() in (ROOT / "docs" / "benchmarks.md").read_text()
