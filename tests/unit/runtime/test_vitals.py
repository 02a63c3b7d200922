"""What a process is allowed and uses, read from files as Linux lays them out."""

from __future__ import annotations

from pathlib import Path

from pgboss.runtime.cgroup import find_control_group
from pgboss.runtime.vitals import LoopDelay, Vitals, process_age_seconds


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


UNIFIED = {
    "proc/self/cgroup": "0::/app/web\n",
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/app/web/cpu.max": "max 100000\n",
    "sys/fs/cgroup/app/web/memory.max": "max\n",
    "sys/fs/cgroup/app/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/app/cpu.stat": "nr_periods 100\nnr_throttled 10\n",
    "sys/fs/cgroup/app/memory.max": "1000000\n",
    "sys/fs/cgroup/app/memory.current": "700000\n",
    "sys/fs/cgroup/app/memory.stat": "anon 1\ninactive_file 200000\n",
}


def test_the_tightest_limit_counts_wherever_it_is_set(tmp_path: Path) -> None:
    write(tmp_path, UNIFIED)
    group = find_control_group(tmp_path)

    assert group is not None
    cpu, memory = group.cpu_limit(), group.memory_limit()
    assert cpu is not None
    assert memory is not None
    assert (group.version, cpu.value, memory.value) == (2, 1.5, 1_000_000)
    assert group.memory_used(memory.folder) == 500_000
    assert group.throttling(cpu.folder) == (100, 10)


def test_the_older_layout_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
            "proc/self/mountinfo": (
                "31 23 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                "32 23 0:28 /docker/abc /sys/fs/cgroup/cpu\\040acct rw - cgroup cgroup rw,cpu,cpuacct\n"
            ),
            "sys/fs/cgroup/cpu acct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu acct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    group = find_control_group(tmp_path)

    assert group is not None
    cpu = group.cpu_limit()
    assert cpu is not None
    assert (group.version, cpu.value, group.memory_limit()) == (1, 0.5, None)


def test_without_control_groups_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert find_control_group(tmp_path) is None


def test_rates_are_of_the_time_since_the_last_taking(tmp_path: Path) -> None:
    write(tmp_path, UNIFIED)
    vitals = Vitals(LoopDelay(), tmp_path)

    first = vitals.take()
    assert (first["cpu"], first["loopUtilization"], first["cpuThrottled"]) == (None, None, None)
    assert (first["cgroup"], first["memoryUsed"], first["memoryLimit"]) == (2, 500_000, 1_000_000)
    assert first["cpuLimit"] <= 1.5
    write(tmp_path, {"sys/fs/cgroup/app/cpu.stat": "nr_periods 200\nnr_throttled 35\n"})
    second = vitals.take()
    assert second["cpuThrottled"] == 0.25
    assert second["cpu"] >= 0


def test_the_longest_delays_of_the_loop_show() -> None:
    delay = LoopDelay()

    assert delay.take() is None
    delay._delays.extend([0.001] * 98 + [0.5, 2.0])
    assert delay.take() == (0.5, 2.0)
    assert delay.take() is None


def test_this_process_began_a_while_ago() -> None:
    assert 0 < process_age_seconds() < 24 * 3600
