"""Fixtures of the whole suite; they live in ``support/``."""

from __future__ import annotations

from support.boss import boss, make_boss
from support.node import node_boss
from support.postgres import database_url, postgres

__all__ = ["boss", "database_url", "make_boss", "node_boss", "postgres"]
