"""Whether everybody can use a page, as axe-core judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

__all__ = ["serious_problems"]

AXE = Path(__file__).parents[1] / "web/node/node_modules/axe-core/axe.min.js"
RUN = """axe.run(document, {preload: false, resultTypes: ["violations"]}).then((report) => report.violations)"""


async def serious_problems(page: Page) -> list[str]:
    """What keeps some people from using the page: each problem with the elements that have it."""
    if not await page.evaluate("'axe' in window"):
        # Not as a script of the page, which its content security policy would refuse.
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = await page.evaluate(RUN)
    return [
        f"{one['id']}: {one['help']}: {', '.join(str(node['target']) for node in one['nodes'])}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
