"""Older releases of npm pg-boss: what their schemas look like, and instances of them.

``tests/interop/releases`` pins one release for each older version of the schema. No release on npm stopped at versions
28, 44 and 45: there the pinned one rolls its own schema back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from support.node import NodeBoss, NodeProcess

__all__ = ["CURRENT", "ReleasedBoss", "installs", "released_boss"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "interop" / "releases" / "node_modules"
CURRENT = 46
SKIPPED_BY_NPM = {28: 46, 44: 46, 45: 46}
FIRST_MODERN = 26

ReleasedBoss: TypeAlias = Callable[..., AbstractAsyncContextManager[NodeBoss]]


def main_file(version: int) -> Path | None:
    """What to import for a version of the schema; ``None`` is the pinned release."""
    if version == CURRENT or version in SKIPPED_BY_NPM:
        return None
    return FOLDER / f"schema-{version}" / ("dist" if version > FIRST_MODERN - 1 else "src") / "index.js"


@pytest.fixture
def released_boss(database_url: str) -> ReleasedBoss:
    """Instances, started, of the release that installs a version of the schema; for those between, the next one."""

    @asynccontextmanager
    async def create(version: int, schema: str = "pgboss", **options: Any) -> AsyncIterator[NodeBoss]:
        async with NodeProcess(main_file(version)) as process:
            quiet = {"supervise": False, "schedule": False}
            boss = await NodeBoss.create(process, database_url, schema=schema, **(quiet | options))
            await boss.call("start")
            yield boss
            await boss.stop()

    return create


async def installs(boss: NodeBoss, version: int, schema: str = "pgboss") -> None:
    """Bring a schema that a release has installed to the version, where no release stops there by itself."""
    for later in range(SKIPPED_BY_NPM.get(version, version), version, -1):
        await boss.sql(await boss.process.request("module", method="getRollbackPlans", args=[schema, later]))
