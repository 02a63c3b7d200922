"""Fixtures of the whole suite; they live in ``support/``."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator, Mapping

import pytest
import uvloop

from support.boss import boss, make_boss
from support.node import node_boss
from support.postgres import database_url, postgres, template

__all__ = ["boss", "database_url", "make_boss", "node_boss", "postgres", "template"]

# Shells start what runs in the background with SIGINT ignored, which every child would inherit; then no test could
# interrupt a program.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What tests have printed and logged goes from process to process as UTF-8, which a lone surrogate is not."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What async tests run on: asyncio's own loop, or with ``PGBOSS_LOOP=uvloop`` that one, as worker processes do."""
    if os.environ.get("PGBOSS_LOOP") == "uvloop":
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
