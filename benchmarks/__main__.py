"""The command: choose systems and workloads, measure, write results, and make tables of them."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.plan import Plan
from benchmarks.plots import write_plots
from benchmarks.processes import ROOT, why_absent
from benchmarks.report import Results, settings_table, tables
from benchmarks.servers import Store, postgres, redis
from benchmarks.stage import Stage
from benchmarks.systems import SYSTEMS, System
from benchmarks.workloads import WORKLOADS, Row, Sizes

ORDINARY_MINUTES = 18.5
FULL_SYSTEMS = ("ours", "pgboss", "graphile", "raw_schema46")
FULL_WORKLOADS = ("W6", "W8")
FOLDER = ROOT / "build" / "benchmarks"


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    if options.table:
        results = Results.of(json.loads(options.table.read_text()))
        _show(results, options)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # So that a run that is broken off takes its servers and their data with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    results = _measure(options)
    _show(results, options)
    if results.about["errors"]:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure job queues side by side.")
    parser.add_argument("--systems", type=_names(SYSTEMS), help=f"of {','.join(SYSTEMS)}; all by default")
    parser.add_argument("--workloads", type=_names(WORKLOADS), help=f"of {','.join(WORKLOADS)}; all by default")
    parser.add_argument("--rounds", type=int, help="so many of everything, instead of what there is time for")
    parser.add_argument(
        "--minutes", type=float, help=f"begin nothing after so many; {ORDINARY_MINUTES} without --rounds"
    )
    parser.add_argument("--full", action="store_true", help="the long forms of W6 and W8, for a few systems; an hour")
    parser.add_argument("--tiny", action="store_true", help="a few jobs of everything, to see that it works")
    parser.add_argument(
        "--set",
        type=_change,
        action="append",
        default=[],
        metavar="SYSTEM:SETTING=JSON",
        help="change a setting, such as ours:work.concurrency=100; may be repeated",
    )
    parser.add_argument("--reference", choices=SYSTEMS, help="whom ratios compare with; raw_schema46 by default")
    parser.add_argument("--out", type=Path, default=FOLDER / "results.json", help="where the results go")
    parser.add_argument("--table", type=Path, metavar="RESULTS", help="measure nothing, show these results")
    parser.add_argument(
        "--into", type=Path, metavar="PAGE", help="put the tables between a page's two markers, plots beside it"
    )
    return parser


def _measure(options: argparse.Namespace) -> Results:
    full: bool = options.full
    names = options.systems or (FULL_SYSTEMS if full else tuple(SYSTEMS))
    workloads = options.workloads or (FULL_WORKLOADS if full else WORKLOADS)
    sizes = Sizes.full() if full else Sizes.tiny() if options.tiny else Sizes()
    rounds = options.rounds or (1 if full or options.tiny else 5)
    minutes = options.minutes or (1e9 if options.rounds or full else ORDINARY_MINUTES)
    chosen = [SYSTEMS[name] for name in names]
    with ExitStack() as stack:
        stores: dict[str, Store | None] = {}
        if any(system.store == "postgres" for system in chosen):
            stores["postgres"] = stack.enter_context(postgres())
        if any(system.store == "redis" for system in chosen):
            stores["redis"] = stack.enter_context(redis())
        absent = _absent(chosen, stores)
        stages = [
            Stage(system, store, options.out.with_suffix(".log"), _changes(options.set, system.name))
            for system in chosen
            if system.name not in absent and (store := stores[system.store])
        ]
        plan = Plan(stages, workloads, sizes, rounds, minutes, is_thorough=bool(options.rounds) or full)
        about = {
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": _machine(),
            "servers": [store.version for store in stores.values() if store],
            "settings": {
                stage.system.name: {"tuned": stage.settings("tuned"), "default": stage.settings("default")}
                for stage in stages
            },
            "sizes": asdict(sizes),
            "absent": absent,
            "left_out": plan.left_out,
            "errors": plan.errors,
        }
        rows: list[Row] = []
        results = Results(about, rows)
        for name, why in absent.items():
            _say(f"not measured: {name}: {why}")
        for row in plan.run(_say):
            rows.append(row)
            _say(_line(row))
            options.out.write_text(json.dumps(results.content(), indent=1))
        options.out.write_text(json.dumps(results.content(), indent=1))
        return results


def _absent(chosen: Iterable[System], stores: dict[str, Store | None]) -> dict[str, str]:
    reasons = {
        system.name: why_absent(system) or ("no redis-server on PATH" if stores[system.store] is None else None)
        for system in chosen
    }
    return {name: why for name, why in reasons.items() if why}


def _show(results: Results, options: argparse.Namespace) -> None:
    text = tables(results, options.reference)
    if not options.into:
        print(text)
        return
    plots = write_plots(results, options.into.with_suffix(""))
    images = "\n".join(f"![{path.stem}]({path.relative_to(options.into.parent)})" for path in plots)
    page = _replaced(options.into.read_text(), "results", f"{text}\n{images}\n")
    options.into.write_text(_replaced(page, "settings", settings_table() + "\n"))


def _replaced(page: str, part: str, text: str) -> str:
    """The page with another text between its markers of this part."""
    before, begin, rest = page.partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- end of {part} -->")
    if not begin or not end:
        sys.exit(f"The page lacks the lines <!-- {part} --> and <!-- end of {part} -->.")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def _names(known: Iterable[str]) -> Any:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(known)}")
        return chosen

    return names


def _change(text: str) -> tuple[str, dict[str, Any]]:
    system, _, assignment = text.partition(":")
    path, _, value = assignment.partition("=")
    if system not in SYSTEMS or not path or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not like ours:work.concurrency=100")
    change: Any = json.loads(value)
    for name in reversed(path.split(".")):
        change = {name: change}
    return system, change


def _changes(given: list[tuple[str, dict[str, Any]]], system: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, change in given:
        if name == system:
            for key, value in change.items():
                inner = merged.get(key)
                merged[key] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _line(row: Row) -> str:
    shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
    return "  " + " ".join(f"{key}={value}" for key, value in shown.items() if key != "by_minute")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
