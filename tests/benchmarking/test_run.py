"""A run with a few jobs, ours and the raw reference: the whole way from children and counts to JSON and tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plots import write_plots
from benchmarks.report import Results, tables

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What a run of two systems leaves."""
    out = tmp_path_factory.mktemp("benchmark") / "results.json"
    chosen = ["--systems", "ours,raw_schema46", "--workloads", "W1,W2,W3", "--rounds", "1"]
    command = [sys.executable, "-m", "benchmarks", "--tiny", *chosen, "--out", str(out)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return Results.of(json.loads(out.read_text()))


@pytest.mark.timeout(240)
def test_every_job_is_counted_in_the_store_and_in_the_handlers(results: Results) -> None:
    for system in ("ours", "raw_schema46"):
        [drained] = results.found(system, "W3")
        assert (drained["jobs"], drained["repeated_calls"], drained["is_capped"]) == (500, 0, False)
    assert results.about["errors"] == []


@pytest.mark.timeout(240)
def test_each_system_has_a_row_for_each_workload(results: Results) -> None:
    measured = {(row["system"], row["workload"]) for row in results.rows}
    assert measured == {(system, workload) for system in ("ours", "raw_schema46") for workload in ("W1", "W2", "W3")}


@pytest.mark.timeout(240)
def test_the_tables_have_a_line_for_each_system(results: Results, tmp_path: Path) -> None:
    lines = tables(results).splitlines()
    [head] = [line for line in lines if "W3 drain" in line]
    [ours] = [line for line in lines if line.startswith("| pgboss (psycopg)") and line.count("|") == head.count("|")]
    assert "–" not in ours
    assert {path.name for path in write_plots(results, tmp_path)} == {"w1-bulk.svg", "w2-send.svg", "w3-drain.svg"}
