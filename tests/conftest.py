"""Fixtures of the whole suite; they live in ``support/``."""

from __future__ import annotations

import signal

from support.boss import boss, make_boss
from support.node import node_boss
from support.postgres import database_url, postgres

__all__ = ["boss", "database_url", "make_boss", "node_boss", "postgres"]

# Shells start what runs in the background with SIGINT ignored, which every child would inherit; then no test could
# interrupt a program.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
