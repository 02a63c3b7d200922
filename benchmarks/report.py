"""Results as Markdown: medians over rounds, and medians of each round's ratio to a reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.systems import SYSTEMS
from benchmarks.workloads import Row

__all__ = ["Results", "settings_table", "tables"]

Cell = Callable[[str], str]
REFERENCE = "raw_schema46"
NOTHING = "–"


@dataclass(frozen=True)
class Results:
    """What ``--out`` holds.

    Attributes:
        about: machine, servers, settings, sizes, what was left out and why.
        rows: one for each measurement.
    """

    about: Mapping[str, Any]
    rows: list[Row]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Results:
        return cls(content["about"], content["rows"])

    def content(self) -> dict[str, Any]:
        return {"about": dict(self.about), "rows": self.rows}

    @property
    def systems(self) -> list[str]:
        """Those that were measured, in the registry's order."""
        measured = {row["system"] for row in self.rows}
        return [name for name in SYSTEMS if name in measured]

    def found(self, system: str, workload: str, **which: Any) -> list[Row]:
        wanted = {"system": system, "workload": workload, **which}
        return [row for row in self.rows if wanted.items() <= row.items()]

    def median(self, system: str, workload: str, key: str, **which: Any) -> float | None:
        values = [row[key] for row in self.found(system, workload, **which) if key in row]
        return median(values) if values else None

    def ratio(self, system: str, workload: str, key: str, reference: str) -> float | None:
        theirs = {row["round"]: row[key] for row in self.found(reference, workload) if key in row}
        rows = [row for row in self.found(system, workload) if key in row and theirs.get(row["round"])]
        return median(row[key] / theirs[row["round"]] for row in rows) if rows else None


def tables(results: Results, reference: str | None = None) -> str:
    """All tables and what must be said about them."""
    chosen = reference or (REFERENCE if REFERENCE in results.systems else None)
    parts = [
        _about(results),
        _table("Throughput", results, _throughput(results, chosen)),
        _table("Latency, in milliseconds: p50 / p99", results, _latency(results)),
        _table("Scale, in jobs a second", results, _scale(results)),
        _table("Several threads send", results, _threads(results)),
        *_held(results),
        _notes(results, chosen),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def settings_table() -> str:
    """The settings of every system, as docs/benchmarks.md shows them."""
    lines = ["| system | command line | default | tuned |", "| --- | --- | --- | --- |"]
    for system in SYSTEMS.values():
        default = NOTHING if system.default is None else _settings(system.default)
        lines.append(f"| {system.title} | `{system.name}` | {default} | {_settings(system.tuned)} |")
    return "\n".join(lines)


def _settings(settings: Mapping[str, Any]) -> str:
    said = {name: value for name, value in settings.items() if value not in ({}, None)}
    return f"`{json.dumps(said)}`" if said else "as installed"


def _table(title: str, results: Results, columns: Mapping[str, Cell]) -> str:
    filled = {head: cell for head, cell in columns.items() if any(cell(name) != NOTHING for name in results.systems)}
    lines = [[SYSTEMS[name].title, *(cell(name) for cell in filled.values())] for name in results.systems]
    lines = [line for line in lines if any(cell != NOTHING for cell in line[1:])]
    if not filled or not lines:
        return ""
    heads = ["", *filled]
    rule = ["---", *("---:" for _ in filled)]
    return f"### {title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in [heads, rule, *lines])


def _throughput(results: Results, reference: str | None) -> dict[str, Cell]:
    return {
        "W1 bulk, jobs/s": lambda name: _rate(results, name, "W1"),
        "× reference": lambda name: _ratio(results, name, "W1", reference),
        "W3 drain, jobs/s": lambda name: _rate(results, name, "W3"),
        "× reference ": lambda name: _ratio(results, name, "W3", reference),
        "W3 CPU s per 1,000 jobs: client + server": lambda name: _cpu(results, name, "W3"),
        "W3 peak MB": lambda name: _number(results.median(name, "W3", "peak_memory_mb"), 0),
        "W3d drain by default, jobs/s": lambda name: _rate(results, name, "W3d"),
    }


def _latency(results: Results) -> dict[str, Cell]:
    return {
        "W2 send": lambda name: _pair(results, name, "W2"),
        "W4 pickup": lambda name: _pair(results, name, "W4"),
        "W4 from the call": lambda name: _pair(results, name, "W4", "from_call_"),
        "W4d by default": lambda name: _pair(results, name, "W4d"),
        "W5 steady": lambda name: _pair(results, name, "W5"),
        "W5 CPU s per 1,000 jobs: client + server": lambda name: _cpu(results, name, "W5"),
        "W5t beside a transaction": lambda name: _pair(results, name, "W5t"),
        "W5t p50 ÷ W5 p50": lambda name: _number(_quotient(results, name), 2),
    }


def _scale(results: Results) -> dict[str, Cell]:
    counts = sorted({row["processes"] for row in results.rows if row["workload"] == "W7"})
    sizes = sorted({row["backlog"] for row in results.rows if row["workload"] == "W8"})
    columns: dict[str, Cell] = {
        "W6 beside a transaction": lambda name: _rate(results, name, "W6"),
        "W6 ÷ undisturbed": lambda name: _number(results.median(name, "W6", "ratio"), 2),
    }
    for count in counts:
        columns[f"W7 by {count} process{'es'[: 2 * (count > 1)]}"] = _of(results, "W7", processes=count)
    for size in sizes:
        columns[f"W8 at {size:,}"] = _of(results, "W8", backlog=size)
    return columns


def _threads(results: Results) -> dict[str, Cell]:
    return {
        "W9, jobs/s": lambda name: _rate(results, name, "W9"),
        "W9 p50 / p99 ms": lambda name: _pair(results, name, "W9"),
    }


def _held(results: Results) -> Iterable[str]:
    """How pickup changes by the minute, from the full mode's W6."""
    rows = [row for row in results.rows if row.get("by_minute")]
    if not rows:
        return
    lines = ["### W6, full: p50 of a steady flow while the transaction is held, in ms, by the minute", ""]
    longest = max(len(row["by_minute"]) for row in rows)
    heads = ["", *(str(minute + 1) for minute in range(longest))]
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [f"{minute['p50_ms']:.2f}" for minute in row["by_minute"]]
        lines.append(f"| {SYSTEMS[row['system']].title} | " + " | ".join(cells) + " |")
    yield "\n".join(lines)


def _about(results: Results) -> str:
    about = results.about
    servers = " and ".join(about["servers"])
    return f"{about['at']}: {about['machine']}; {servers}."


def _notes(results: Results, reference: str | None) -> str:
    about = results.about
    disturbed = [row["other_cores"] for row in results.rows if "other_cores" in row]
    lines = []
    if reference:
        lines.append(f"× reference: the median of each round's ratio to {SYSTEMS[reference].title}.")
    if any(row.get("is_capped") for row in results.rows):
        lines.append("\\* time was up before the queue was empty: the rate until then.")
    if any("handled" in row and row["handled"] < row["jobs"] for row in results.rows):
        lines.append("(k of n): it did not keep up; the latencies are those of the k jobs that were started.")
    if disturbed:
        lines.append(
            f"Meanwhile other processes of the machine used {median(disturbed):.2f} cores at the median, "
            f"and {max(disturbed):.2f} at most."
        )
    repeated = sum(row.get("repeated_calls", 0) for row in results.rows)
    if repeated:
        lines.append(f"{repeated} handler calls were of a job that had been handled before.")
    lines += [f"Not measured: {SYSTEMS[name].title}: {why}." for name, why in about["absent"].items()]
    lines += [f"Failed: {one['system']}, {one['workloads']}: {one['error']}" for one in about["errors"]]
    if about["left_out"]:
        lines.append(f"Left out because time was up: {', '.join(about['left_out'])}.")
    return "\n".join(f"- {line}" for line in lines)


def _of(results: Results, workload: str, **which: Any) -> Cell:
    return lambda name: _rate(results, name, workload, **which)


def _rate(results: Results, name: str, workload: str, **which: Any) -> str:
    value = results.median(name, workload, "jobs_per_second", **which)
    star = "\\*" if any(row.get("is_capped") for row in results.found(name, workload, **which)) else ""
    return _number(value, 0 if value is None or value >= 10 else 1) + star


def _ratio(results: Results, name: str, workload: str, reference: str | None) -> str:
    return _number(results.ratio(name, workload, "jobs_per_second", reference), 2) if reference else NOTHING


def _pair(results: Results, name: str, workload: str, prefix: str = "") -> str:
    half, most = (results.median(name, workload, f"{prefix}{key}_ms") for key in ("p50", "p99"))
    if half is None or most is None:
        return NOTHING
    rows = results.found(name, workload)
    behind = [row for row in rows if row.get("handled", 0) < row.get("jobs", 0)]
    note = f" ({behind[0]['handled']} of {behind[0]['jobs']})" if behind else ""
    return f"{_milliseconds(half)} / {_milliseconds(most)}{note}"


def _cpu(results: Results, name: str, workload: str) -> str:
    client, server = (results.median(name, workload, f"{who}_cpu_seconds_per_1000") for who in ("client", "server"))
    return NOTHING if client is None or server is None else f"{client:.3f} + {server:.3f}"


def _quotient(results: Results, name: str) -> float | None:
    alone, beside = (results.median(name, workload, "p50_ms") for workload in ("W5", "W5t"))
    return beside / alone if alone and beside else None


def _milliseconds(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"
