"""Which event loop a worker process runs on."""

from __future__ import annotations

import asyncio
import sys

import pytest

from pgboss.boss.run import run_to_the_end
from pgboss.errors import ConfigurationError


@pytest.mark.parametrize(
    ("wanted", "module"), [(None, "uvloop"), ("auto", "uvloop"), ("uvloop", "uvloop"), ("asyncio", "asyncio")]
)
def test_it_runs_on_the_loop_that_is_wanted(monkeypatch: pytest.MonkeyPatch, wanted: str | None, module: str) -> None:
    assert loop_run_on(monkeypatch, wanted).startswith(module)


def test_without_uvloop_it_runs_on_asyncios_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lack_uvloop(monkeypatch)
    assert loop_run_on(monkeypatch, "auto").startswith("asyncio")


def test_a_loop_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lack_uvloop(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"PGBOSS_LOOP=uvloop needs uvloop.*pip install 'pgboss\[uvloop\]'"):
        loop_run_on(monkeypatch, "uvloop")


def test_a_loop_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"PGBOSS_LOOP='trio'.*'auto', 'asyncio' or 'uvloop'"):
        loop_run_on(monkeypatch, "trio")


def loop_run_on(monkeypatch: pytest.MonkeyPatch, wanted: str | None) -> str:
    """The module of the loop that a worker process has with this setting."""
    if wanted is None:
        monkeypatch.delenv("PGBOSS_LOOP", raising=False)
    else:
        monkeypatch.setenv("PGBOSS_LOOP", wanted)
    modules = []

    async def main() -> None:
        modules.append(type(asyncio.get_running_loop()).__module__)

    run_to_the_end(main())
    return modules[0]


def lack_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python then raises is what it raises where the module is missing.
    monkeypatch.setitem(sys.modules, "uvloop", None)
